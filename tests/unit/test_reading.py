"""What was read of a stored turn is kept for as long as its record is in use."""

import gc
from dataclasses import replace

from sessionmagic.conversation.session import Session, TurnRecord
from sessionmagic.turns import reading
from sessionmagic.turns.history import history_before
from sessionmagic.turns.reading import LARGEST_KEPT, read

PROMPT = {"part_kind": "user-prompt", "content": "Hello", "timestamp": "2026-11-20T09:00:00Z"}
PICTURE = {"kind": "binary", "data": "aGk=", "media_type": "image/png"}
RESULT = {"part_kind": "tool-return", "tool_name": "look", "tool_call_id": "1", "content": "seen"}


def record(*parts):
    messages = [{"kind": "request", "parts": list(parts)}]
    return TurnRecord(id="1", parent=None, agent="a", model="m", prompt="Hello", started_at=0.0, messages=messages)


def test_record_is_read_once():
    turn = record(PROMPT)
    assert read(turn) is read(turn)
    assert [part.content for part in read(turn).said[0].parts] == ["Hello"]


def test_changed_record_is_read_again():
    turn = record(PROMPT)
    before = read(turn)
    after = read(replace(turn, messages=[{"kind": "request", "parts": [{**PROMPT, "content": "Bye"}]}]))
    assert (before.said[0].parts[0].content, after.said[0].parts[0].content) == ("Hello", "Bye")


def test_each_form_is_read_for_itself():
    turn = record(RESULT, {**PROMPT, "content": [PICTURE]})
    assert len(read(turn).said[0].parts) == 2
    assert len(read(turn, with_images=False).said[0].parts) == 1
    assert len(read(turn).said[0].parts) == 2


def test_what_was_read_is_forgotten_with_its_record():
    turn = record(PROMPT)
    read(turn)
    key = id(turn)
    assert key in reading._kept
    del turn
    gc.collect(1)  # all that was made here is young
    assert key not in reading._kept


def test_large_turns_are_not_held_twice():
    turn = record({**PROMPT, "content": "x" * (LARGEST_KEPT + 1)})
    assert read(turn) is not read(turn)


def test_garbage_collector_rests_while_a_long_history_is_read():
    turns = [replace(record(PROMPT), id=str(at), parent=str(at - 1) if at else None) for at in range(3_000)]
    session = Session(id="a", name="a", created_at=0.0, updated_at=0.0, turns=tuple(turns), head="2999")
    collections = []
    usual = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    gc.callbacks.append(lambda phase, _: collections.append(phase) if phase == "start" else None)
    try:
        history = history_before(session, "2999", sees_images=True)
    finally:
        gc.callbacks.pop()
        gc.set_threshold(*usual)
    assert len(history.said) == 3_000
    assert len(collections) < 10  # after it, for all that was made; 83 if it does not rest
