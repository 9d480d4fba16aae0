"""What is done to a session while its turn runs, and what befalls its store."""

import asyncio

import pytest

from sessionmagic.conversation.events import Warned
from sessionmagic.exceptions import SessionNotFoundError, StoreError
from tests.turns import ask, events_of, on_a_loop, prompts, said, statuses, whole


@pytest.mark.parametrize("name", ["x" * 10_000, "..", "/", "\0", "\ud83d", "", "two\nlines"])
@on_a_loop
async def test_name_of_no_session_is_not_found(manager, name):
    await ask(manager)
    for look in (
        manager.sessions.load,
        manager.sessions.star,
        manager.turns.stop,
        lambda name: manager.sessions.rename(name, "new"),
    ):
        with pytest.raises(SessionNotFoundError) as caught:
            look(name)
        assert str(caught.value).isprintable()
    with pytest.raises(SessionNotFoundError):
        await manager.delete(name)


@on_a_loop
async def test_changes_made_during_a_turn_survive_it(manager, gate):
    await ask(manager)
    turn = await manager.run("Hello", session="chat", model="gate", once=True)
    await said(turn)
    manager.sessions.star("chat")
    manager.sessions.set_model("chat", "recalls")
    manager.sessions.rename("chat", "renamed")
    gate.open.set()
    assert (await turn.result()).status == "completed"
    session = manager.sessions.load("renamed")
    assert (session.starred, session.agent_model_overrides) == (True, {"assistant": "recalls"})
    assert statuses(session) == ["completed", "completed"]
    assert [summary.name for summary in manager.sessions.summaries()[0]] == ["renamed"]


@on_a_loop
async def test_renamed_session_can_be_stopped_by_its_new_name(manager):
    turn = await manager.run("Hello", session="chat", model="hang")
    manager.sessions.rename("chat", "renamed")
    assert manager.turns.stop("renamed")
    assert (await turn.result()).status == "interrupted"


@on_a_loop
async def test_old_name_of_a_renamed_session_stops_nothing(manager):
    turn = await manager.run("Hello", session="chat", model="hang")
    manager.sessions.rename("chat", "renamed")
    await ask(manager, session="chat")
    assert not manager.turns.stop("chat")
    turn.cancel()
    await turn.result()


@on_a_loop
async def test_stop_ends_the_turn_and_says_whether_there_was_one(manager):
    turn = await manager.run("Hello", session="chat", model="hang")
    await said(turn)
    assert manager.turns.stop("chat")
    assert (await turn.result()).text == "So far"
    assert not manager.turns.stop("chat")
    with pytest.raises(SessionNotFoundError):
        manager.turns.stop("nothing")


@pytest.mark.parametrize("turn_number", [1, 2])
@on_a_loop
async def test_deleting_a_session_stops_its_turn_and_nothing_brings_it_back(manager, turn_number):
    for _ in range(turn_number - 1):
        await ask(manager)
    turn = await manager.run("Hello", session="chat", model="hang")
    await said(turn)
    await manager.delete("chat")
    assert turn.finished
    whole(await events_of(turn))
    assert (await turn.result()).status == "interrupted"
    assert manager.sessions.summaries() == ([], [])
    assert manager.turns.running() == []
    with pytest.raises(SessionNotFoundError):
        manager.sessions.load("chat")
    await ask(manager)
    assert prompts(manager.sessions.load("chat")) == ["Hello"]


@on_a_loop
async def test_session_that_another_process_deletes_under_a_turn_stays_deleted(manager, gate):
    turn = await manager.run("Hello", session="chat", model="gate")
    await said(turn)
    manager.store.delete(turn.session_id)
    gate.open.set()
    events = whole(await events_of(turn))
    said_so = "session 'chat' was deleted while the turn ran, so the turn is not stored"
    assert [event.text for event in events if isinstance(event, Warned)] == [said_so]
    assert events[-1].error == str((await turn.result()).error) == said_so
    assert manager.sessions.summaries() == ([], [])
    assert manager.turns.running() == []


@on_a_loop
async def test_answer_that_cannot_be_stored_is_said_and_frees_the_session(manager, gate, monkeypatch):
    def full(*_):
        raise StoreError("the disk is full")

    turn = await manager.run("Hello", session="chat", model="gate")
    await said(turn)
    with monkeypatch.context() as patch:
        patch.setattr(manager.store, "update", full)
        gate.open.set()
        events = whole(await events_of(turn))
        result = await turn.result()
    assert result.text == "before after"
    assert "the disk is full" in str(result.error)
    assert any("the disk is full" in event.text for event in events if isinstance(event, Warned))
    assert "the disk is full" in events[-1].error
    assert (await ask(manager, "Next", model="calm")).status == "completed"
    assert statuses(manager.sessions.load("chat")) == ["completed", "completed"]


@on_a_loop
async def test_shutdown_stops_every_turn_and_keeps_what_was_said(manager):
    turns = [await manager.run("Hello", session=f"chat {n}", model="hang") for n in range(3)]
    for turn in turns:
        await said(turn)
    await asyncio.to_thread(manager.shutdown)
    assert manager.turns.running() == []
    for n in range(3):
        [record] = manager.sessions.load(f"chat {n}").turns
        assert record.status == "interrupted"
        assert record.messages[-1]["parts"][0]["content"] == "So far"


@on_a_loop
async def test_listing_has_the_latest_first(manager):
    for name in ("one", "two", "three", "one"):
        await ask(manager, session=name)
    assert [summary.name for summary in manager.sessions.summaries()[0]] == ["one", "three", "two"]
