"""The end of a turn that could not be stored is stored at the next chance, on disk and in memory."""

import asyncio

import pytest

from sessionmagic import MemoryStore, TinyStore
from sessionmagic.conversation.events import Warned
from sessionmagic.exceptions import SessionNotFoundError, StoreError
from sessionmagic.turns.unwritten import RETRY_SECONDS
from tests.clock import on_a_clock, passes
from tests.turns import ask, events_of, manager_on, on_a_loop, said, until


@pytest.fixture(params=["tiny", "memory"])
def store(request, home):
    return TinyStore(home) if request.param == "tiny" else MemoryStore()


@pytest.fixture
def manager(store):
    return manager_on(store)


@pytest.fixture
def disk(store, monkeypatch):
    """A disk that can be full."""

    class Disk:
        full = False

    real = store.update

    def update(key, change):
        if Disk.full:
            raise StoreError("the disk is full")
        return real(key, change)

    monkeypatch.setattr(store, "update", update)
    return Disk


async def unwritten(manager, disk, model="hang"):
    """Run a turn whose end finds the disk full."""
    turn = await manager.run("Hello", session="chat", model=model)
    await said(turn)
    disk.full = True
    turn.cancel()
    return turn, await turn.result()


def record(store):
    """The last turn as it is stored, without what a look at it would store."""
    stored = store.load(store.find("chat"))
    last = stored.turns[-1]
    return last.status, [part["content"] for message in last.messages for part in message["parts"]]


ENDED = ("interrupted", ["Hello", "So far"])


@on_a_loop
async def test_end_that_could_not_be_stored_is_said(manager, store, disk):
    turn, result = await unwritten(manager, disk)
    [warning] = [event.text for event in await events_of(turn) if isinstance(event, Warned)]
    assert warning.startswith("the end of the turn could not be stored: the disk is full; it is kept in memory")
    assert str(result.error) == "the disk is full"
    assert record(store)[0] == "running"


@on_a_loop
async def test_end_is_stored_before_the_next_turn(manager, store, disk):
    await unwritten(manager, disk)
    disk.full = False
    assert (await ask(manager, "Next", model="recalls")).text.splitlines() == [
        "user-prompt: Hello",
        "text: So far",
        "user-prompt: Next",
    ]
    first, second = store.load(store.find("chat")).turns
    assert (first.status, first.error_code, second.status) == ("interrupted", "cancelled", "completed")


@on_a_loop
async def test_next_turn_is_refused_while_the_end_cannot_be_stored(manager, store, disk):
    await unwritten(manager, disk)
    with pytest.raises(StoreError, match="the disk is full"):
        await ask(manager, "Next", model="calm")
    assert not store.is_claimed(store.find("chat"))
    disk.full = False
    await ask(manager, "Next", model="calm")
    assert [turn.prompt for turn in store.load(store.find("chat")).turns] == ["Hello", "Next"]


@pytest.mark.parametrize("look", ["listing", "load", "shutdown"])
@on_a_loop
async def test_end_is_stored_with(manager, store, disk, look):
    await unwritten(manager, disk)
    disk.full = False
    if look == "listing":
        assert [summary.status for summary in manager.sessions.summaries()[0]] == ["interrupted"]
    elif look == "load":
        assert manager.sessions.load("chat").turns[0].error_code == "cancelled"
    else:
        await asyncio.to_thread(manager.shutdown)
    assert record(store) == ENDED


@on_a_clock
async def test_end_is_stored_in_the_background(manager, store, disk):
    await unwritten(manager, disk)
    await passes(RETRY_SECONDS + 1)
    assert record(store)[0] == "running"
    disk.full = False
    await passes(RETRY_SECONDS + 1)
    await until(lambda: record(store) == ENDED)


@on_a_loop
async def test_end_of_a_turn_whose_session_was_deleted_meanwhile_is_dropped(manager, store, disk):
    turn, _ = await unwritten(manager, disk)
    store.delete(turn.session_id)
    disk.full = False
    assert manager.sessions.summaries() == ([], [])
    with pytest.raises(SessionNotFoundError):
        manager.sessions.load("chat")
    await ask(manager, "Anew", model="calm")
    assert [turn.prompt for turn in store.load(store.find("chat")).turns] == ["Anew"]


@on_a_loop
async def test_end_that_is_stored_late_is_true_after_another_process_went_on(manager, store, disk):
    await unwritten(manager, disk)
    disk.full = False
    other = manager_on(store)
    await ask(other, "Next", model="calm")
    assert store.load(store.find("chat")).turns[0].error_code == "crashed"
    manager.sessions.summaries()
    session = store.load(store.find("chat"))
    assert [(turn.status, turn.error_code) for turn in session.turns] == [
        ("interrupted", "cancelled"),
        ("completed", None),
    ]
    assert [turn.id for turn in session.path()] == ["1", "2"]
