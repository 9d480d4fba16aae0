"""Stored turns that are shown again as they happened."""

import asyncio
from dataclasses import replace

import pytest

from sessionmagic.conversation.events import (
    ApprovalRequested,
    ApprovalResolved,
    MessageInjected,
    ReasoningDelta,
    TextDelta,
    ToolBegan,
    ToolCalled,
    ToolReturned,
    ValueGiven,
)
from sessionmagic.conversation.session import TurnRecord
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.usage import RequestRecord
from sessionmagic.storage.memory import MemoryStore
from sessionmagic.testing import call, script, think
from sessionmagic.turns.beats import PIECES, beats_of
from sessionmagic.turns.played import LONGEST_PAUSE, PlayedTurn
from tests.clock import on_a_clock, passes
from tests.turns import ask, asked, events_of, manager_on, on_a_loop, until, whole


def answered(*parts, arrivals=(), **about):
    """Return a turn with one answer of these parts."""
    record = RequestRecord(agent="a", model="m", arrivals=list(arrivals), **about)
    response = {"kind": "response", "parts": [{"part_kind": kind, "content": text} for kind, text in parts]}
    prompt = {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "Go"}]}
    return TurnRecord(
        id="1", parent=None, agent="a", model="m", prompt="Go", started_at=0.0, messages=[prompt, response],
        requests=[record], status="completed",
    )  # fmt: skip


def texts(turn):
    return [(beat.content["text"], round(beat.pause, 3)) for beat in beats_of(turn) if "text" in beat.content]


def test_pieces_come_when_they_were_recorded():
    turn = answered(("text", "Hello you"), arrivals=[(200, 2), (250, 5), (1250, 9)], first_token_seconds=0.2)
    beats = list(beats_of(turn))
    assert texts(turn) == [("He", 0.0), ("llo", 0.05), (" you", 1.0)]
    assert sum(beat.pause for beat in beats) == pytest.approx(1.25)


def test_pieces_are_cut_where_another_part_begins():
    turn = answered(("thinking", "Hm."), ("text", "Yes"), arrivals=[(100, 2), (300, 6)])
    kinds = [(beat.kind, beat.content["text"]) for beat in beats_of(turn) if "text" in beat.content]
    assert kinds == [(ReasoningDelta, "Hm"), (ReasoningDelta, "."), (TextDelta, "Yes")]


def test_answer_of_which_only_the_time_is_known_comes_in_equal_pieces():
    turn = answered(("text", "x" * 400), first_token_seconds=0.5, seconds=4.5)
    pieces = texts(turn)
    assert len(pieces) == PIECES
    assert {text for text, _ in pieces} == {"x" * 10}
    assert {pause for _, pause in pieces[1:]} == {0.1}


@pytest.mark.parametrize("arrivals", [[], [(5, 0)], [(0, 3), (10, 30_000)], [(10, 1)]], ids=str)
def test_all_of_the_answer_is_shown_whatever_the_times_say(arrivals):
    turn = answered(("text", "Hello you"), ("thinking", ""), ("text", "!"), arrivals=arrivals)
    assert "".join(text for text, _ in texts(turn)) == "Hello you!"


async def recorded(*steps, **options):
    """Return the session and the stored turn of a model with these steps."""
    manager = manager_on(MemoryStore())

    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    script("acts", *steps)
    turn = await manager.run("Go", session="chat", model="acts", tools=[add], attended=True, **options)
    return manager, turn


async def finished(manager, turn):
    result = await turn.result()
    assert result.error is None
    session = manager.sessions.load("chat")
    return session, session.turns[-1]


@on_a_loop
async def test_shown_turn_ends_as_the_stored_one_looks():
    manager, turn = await recorded([think("Hm. "), "I add. ", call("add", {"a": 1, "b": 2})], "It is 3", yes=True)
    session, record = await finished(manager, turn)
    played = PlayedTurn(session, record, 0.0)
    whole(await events_of(played))
    stored = transcript_of("chat", record)
    shown = played.transcript
    assert shown.blocks == stored.blocks
    assert (shown.usage, shown.model, shown.status) == (stored.usage, stored.model, stored.status)
    assert (await played.result()).text == "I add. \n\nIt is 3"


@on_a_loop
async def test_approval_is_shown_as_it_was_given():
    manager, turn = await recorded([call("add", {"a": 1, "b": 2})], "Done")
    [approval] = (await asked(turn)).values()
    turn.approvals.resolve(approval.id, "tool")
    session, record = await finished(manager, turn)
    events = whole(await events_of(PlayedTurn(session, record, 0.0)))
    kinds = [
        type(event)
        for event in events
        if isinstance(event, ToolCalled | ApprovalRequested | ApprovalResolved | ToolBegan | ToolReturned)
    ]
    assert kinds == [ToolCalled, ApprovalRequested, ApprovalResolved, ToolBegan, ToolReturned]
    (request,) = [event for event in events if isinstance(event, ApprovalRequested)]
    assert (request.args, request.why) == ({"a": 1, "b": 2}, approval.why)
    (resolved,) = [event for event in events if isinstance(event, ApprovalResolved)]
    assert resolved.decision == "tool"


@on_a_loop
async def test_structured_answers_and_messages_in_between_are_shown():
    manager = manager_on(MemoryStore())
    script("typed", [call("final_result", {"value": 7})])
    await ask(manager, model="typed", output_type=int)
    session = manager.sessions.load("chat")
    events = whole(await events_of(PlayedTurn(session, session.turns[0], 0.0)))
    assert [event.value for event in events if isinstance(event, ValueGiven)] == [7]
    steered = {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "Faster"}]}
    turn = answered(("text", "Well"))
    turn = replace(turn, messages=[*turn.messages, steered])
    assert [beat.content["text"] for beat in beats_of(turn) if beat.kind is MessageInjected] == ["Faster"]


@on_a_clock
async def test_show_has_the_recorded_timing_and_a_speed():
    turn = answered(("text", "Hello you"), arrivals=[(1000, 5), (3000, 9)])
    played = PlayedTurn(_session(turn), turn, 2.0)
    await passes(0.4)
    assert played.transcript.text == ""
    await passes(0.3)
    assert played.transcript.text == "Hello"
    await passes(0.6)
    assert played.transcript.text == "Hello"
    await passes(0.6)
    assert played.transcript.text == "Hello you"
    assert played.finished


@on_a_clock
async def test_no_pause_is_longer_than_some_seconds():
    turn = answered(("text", "Hello you"), arrivals=[(0, 5), (10**9, 9)])
    played = PlayedTurn(_session(turn), turn, 1.0)
    await passes(LONGEST_PAUSE + 0.1)
    assert played.finished


@on_a_loop
async def test_stopped_show_keeps_what_was_shown_and_says_so():
    turn = answered(("text", "Hello you"), arrivals=[(0, 5), (60_000, 9)])
    played = PlayedTurn(_session(turn), turn)
    await until(lambda: played.transcript.text == "Hello")
    played.cancel()
    result = await played.result()
    assert (result.status, result.text) == ("interrupted", "Hello")


def test_what_is_not_text_has_no_pieces_and_warnings_come_first():
    turn = replace(answered(("file", ""), arrivals=[(5, 5)]), warnings=["mind the gap"])
    shown = {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": ["a", "figure"]}]}
    told = replace(turn, messages=[*turn.messages, shown])
    assert [beat.kind.__name__ for beat in beats_of(told)] == ["Warned", "ResponseBegan", "UsageReported"]


@on_a_loop
async def test_turn_that_cannot_be_shown_ends_and_says_why():
    turn = answered(("text", "Hello"))
    turn.messages[1]["parts"].append({"part_kind": "tool-call"})
    played = PlayedTurn(_session(turn), turn, 0.0)
    assert (await played.result()).status == "failed"
    assert "cannot be shown" in played.transcript.error


@on_a_loop
async def test_step_by_step_each_part_waits():
    manager, turn = await recorded(["I add. ", call("add", {"a": 1, "b": 2})], "It is 3", yes=True)
    session, record = await finished(manager, turn)
    steps = asyncio.Queue()
    played = PlayedTurn(session, record, 0.0, steps.get)
    await until(lambda: played.transcript.prompt == "Go")
    assert played.transcript.blocks == ()
    steps.put_nowait(None)
    await until(
        lambda: (
            played.transcript.blocks and played.transcript.blocks[-1].tool == "add"
            if len(played.transcript.blocks) > 1
            else False
        )
    )
    assert played.transcript.blocks[-1].outcome is None
    steps.put_nowait(None)
    await until(lambda: played.transcript.blocks[1].outcome == "success")
    assert "It is 3" not in played.transcript.text
    steps.put_nowait(None)
    await played.result()
    assert played.transcript.text.endswith("It is 3")


def _session(turn):
    from sessionmagic.conversation.session import Session

    return Session(id="s", name="chat", created_at=0.0, updated_at=0.0, turns=(turn,), head=turn.id)
