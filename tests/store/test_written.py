"""A snapshot that is as it was written is read turn by turn, when a turn is used."""

import json
import re
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from weakref import ref

import pytest

from sessionmagic import TinyStore
from sessionmagic.conversation.sub_agents import all_workers_of
from sessionmagic.exceptions import StoreError
from sessionmagic.storage import written
from sessionmagic.storage.written import _Block, read_written
from tests.stored import session, signed, turn

TURNS = tuple(turn(number, prompt=f"prompt {number} é\n") for number in range(1, 40))
RUNNING = turn(40, status="running", finished_at=None)


@pytest.fixture
def stored(home):
    """Return a function that stores a session, and returns it with its file."""

    def store(*turns):
        made = session(*turns)
        TinyStore(home).create(made)
        return made, home / "sessions" / f"{made.id}.json"

    return store


@pytest.fixture
def used(monkeypatch):
    """Return the ids of the turns that had to be read when they were used."""
    ids, read = [], _Block._read
    monkeypatch.setattr(_Block, "_read", lambda block, turn: (ids.append(turn.id), read(block, turn)))
    return ids


@pytest.mark.parametrize("block", [1, 700, 200_000], ids=["a line", "some lines", "all lines"])
def test_turns_of_a_snapshot_are_those_that_were_written(stored, monkeypatch, block):
    monkeypatch.setattr(written, "_BLOCK", block)
    made, path = stored(*TURNS, RUNNING)
    assert read_written(path).turns == made.turns


def test_loading_reads_no_turn_that_is_not_used(home, stored, used):
    made, _ = stored(*TURNS)
    loaded = TinyStore(home).load(made.id)
    assert [each.id for each in loaded.path()] == [each.id for each in TURNS]
    assert used == []
    assert loaded.turns[7].prompt == TURNS[7].prompt
    assert used == ["8"]


def test_turns_of_a_block_are_read_when_one_of_them_is_used(stored, used, monkeypatch):
    monkeypatch.setattr(written, "_BLOCK", 5_000)
    made, path = stored(*TURNS)
    assert read_written(path).turns == made.turns
    assert used[:3] == ["1", "5", "9"]


def test_large_turn_that_was_read_is_in_memory_once(stored):
    _, path = stored(TURNS[0], turn(2, prompt="x" * 4_000_000), TURNS[2])
    tracemalloc.start()
    try:
        turns = read_written(path).turns
        assert len(turns[1].prompt) == 4_000_000
        assert 4_000_000 < tracemalloc.get_traced_memory()[0] < 5_000_000
    finally:
        tracemalloc.stop()


def test_turns_that_nobody_needs_are_gone_at_once(stored):
    """They may be hundreds of megabytes, for which the garbage collector may not look for a long time."""
    _, path = stored(*TURNS)
    turns = read_written(path).turns
    first = ref(turns[0])
    del turns
    assert first() is None


def test_turn_of_which_the_others_are_gone_is_read(stored):
    _, path = stored(*TURNS)
    last = read_written(path).turns[-1]
    assert last == TURNS[-1]


@pytest.mark.parametrize("other", [7, 20], ids=["the same turn", "a turn beside it"])
def test_two_threads_that_use_turns_of_a_block_find_them_whole(stored, monkeypatch, other):
    made, path = stored(*TURNS)
    turns, loads, found = read_written(path).turns, written.loads, []

    def interrupted(content):
        if not found:
            found.append(None)
            with ThreadPoolExecutor() as threads:
                found.append(threads.submit(lambda: turns[other].prompt).result())
        return loads(content)

    monkeypatch.setattr(written, "loads", interrupted)
    assert turns[7].prompt == TURNS[7].prompt
    assert found[1] == TURNS[other].prompt
    assert turns == made.turns


def test_commit_reads_no_other_turn(home, stored, used):
    made, path = stored(*TURNS)
    store = TinyStore(home)
    store.update(made.id, lambda loaded: replace(loaded, turns=(*loaded.turns, RUNNING), head=RUNNING.id))
    assert path.with_suffix(".journal").exists()
    assert used == []
    assert TinyStore(home).load(made.id).turns == (*TURNS, RUNNING)


def test_commits_in_the_journal_are_applied(home, stored):
    made, _ = stored(*TURNS, RUNNING)
    ended = replace(RUNNING, status="completed", cell_id="cell")
    TinyStore(home).update(made.id, lambda loaded: replace(loaded, turns=(*loaded.turns[:-1], ended), starred=True))
    loaded = TinyStore(home).load(made.id)
    assert (loaded.turns, loaded.starred) == ((*TURNS, ended), True)


def test_turns_that_were_not_used_are_written_again(home, stored):
    made, path = stored(*TURNS)
    TinyStore(home).rename(made.id, "churn")  # which writes a new snapshot
    assert read_written(path).turns == TURNS


def test_turn_is_shown_without_reading_those_before_it(home, stored, used, monkeypatch):
    monkeypatch.setattr(written, "_BLOCK", 1)
    made, _ = stored(*TURNS)
    turns = TinyStore(home).load(made.id).turns
    assert all_workers_of(turns[-2], turns) == []
    assert used == [TURNS[-1].id]


@pytest.mark.parametrize("change", ["rename", "delete"])
def test_turns_are_those_of_the_file_that_was_loaded_whatever_becomes_of_it(home, stored, change):
    made, _ = stored(*TURNS)
    loaded, other = TinyStore(home).load(made.id), TinyStore(home)
    if change == "rename":
        other.update(made.id, lambda session: replace(session, turns=(), head=None))
        other.rename(made.id, "churn")
    else:
        other.delete(made.id)
    assert loaded.turns == TURNS


def test_snapshot_that_was_changed_is_read_as_a_whole(home, stored):
    made, path = stored(*TURNS)
    path.write_bytes(path.read_bytes().replace(b"prompt 8 ", b"prompt x "))
    assert read_written(path) is None
    assert TinyStore(home).load(made.id).turns[7].prompt.startswith("prompt x")


def test_snapshot_with_more_than_was_written_is_read_as_a_whole(stored):
    _, path = stored(*TURNS)
    path.write_bytes(path.read_bytes() + b"\n")
    assert read_written(path) is None


def test_session_without_turns_is_read_as_a_whole(stored):
    _, path = stored()
    assert read_written(path) is None


def test_turn_with_an_unusual_id_is_read_as_a_whole(home, stored):
    odd = replace(TURNS[0], id='"é')
    made, path = stored(odd)
    assert read_written(path) is None
    assert TinyStore(home).load(made.id).turns == (odd,)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"parent":"7"', b'"parent":"99"'),
        (b'"kind":"ask"', b'"kind":"sing"'),
        (b'"status":"completed"', b'"status":"x"'),
    ],
    ids=["parent", "kind", "status"],
)
def test_tree_that_no_store_has_written_is_found_when_it_is_loaded(home, stored, old, new):
    made, path = stored(*TURNS)
    signed(path, old, new)
    with pytest.raises(StoreError, match="set aside"):
        TinyStore(home).load(made.id)


def test_turn_that_no_store_has_written_is_refused_when_it_is_used(home, stored):
    made, path = stored(*TURNS)
    signed(path, b'"prompt":"prompt 8 ', b'"prompt":8,"x":"')
    before = path.read_bytes()
    loaded = TinyStore(home).load(made.id)
    assert loaded.turns[6].prompt == TURNS[6].prompt
    for _ in range(2):
        with pytest.raises(StoreError, match=rf"^turn 8 in {re.escape(str(path))} is not as this version writes it; "):
            _ = loaded.turns[7].prompt
    assert loaded.turns[8].prompt == TURNS[8].prompt
    assert path.read_bytes() == before


def test_plain_json_reader_finds_the_same_turns(stored):
    made, path = stored(*TURNS)
    turns = json.loads(path.read_text("utf-8"))["turns"]
    assert [each["prompt"] for each in turns.values()] == [each.prompt for each in made.turns]
