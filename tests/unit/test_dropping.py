"""Taking the latest turns off a session."""

from dataclasses import replace

import pytest
from pydantic_ai.exceptions import ModelHTTPError

from sessionmagic.exceptions import SessionBusyError, SessionNotFoundError, UsageError
from sessionmagic.testing import script
from tests.turns import ask, on_a_loop, said


async def asked_thrice(manager):
    for prompt in ("one", "two", "three"):
        await ask(manager, prompt, model="recalls", once=True)


def path_of(manager):
    return [turn.prompt for turn in manager.sessions.load("chat").path()]


@on_a_loop
async def test_next_turn_continues_the_turn_before_the_dropped_one(manager):
    await asked_thrice(manager)
    manager.branches.drop("chat")
    assert path_of(manager) == ["one", "two"]
    result = await ask(manager, "four", model="recalls")
    assert "three" not in result.text
    assert path_of(manager) == ["one", "two", "four"]


@on_a_loop
async def test_dropped_turns_stay_stored_and_can_be_continued(manager):
    await asked_thrice(manager)
    session = manager.branches.drop("chat", 2)
    assert [turn.id for turn in session.turns] == ["1", "2", "3"]
    assert session.head == "1"
    result = await ask(manager, "four", model="recalls", after="3")
    assert "three" in result.text


@on_a_loop
async def test_all_turns_can_be_dropped(manager):
    await asked_thrice(manager)
    assert manager.branches.drop("chat", 3).head is None
    assert (await ask(manager, "four", model="recalls")).text == "user-prompt: four"


@pytest.mark.parametrize("count", [4, 0, -1])
@on_a_loop
async def test_a_wrong_number_is_refused(manager, count):
    await asked_thrice(manager)
    with pytest.raises(UsageError, match="drop"):
        manager.branches.drop("chat", count)
    assert path_of(manager) == ["one", "two", "three"]


def test_an_unknown_session_is_refused(manager):
    with pytest.raises(SessionNotFoundError):
        manager.branches.drop("nope")


@on_a_loop
async def test_a_busy_session_is_refused(manager):
    await ask(manager, "one")
    turn = await manager.run("two", session="chat", model="hang")
    await said(turn)
    with pytest.raises(SessionBusyError):
        manager.branches.drop("chat")
    turn.cancel()
    await turn.result()
    assert path_of(manager) == ["one", "two"]
    manager.branches.drop("chat")
    await ask(manager, "three", model="calm")
    assert path_of(manager) == ["one", "three"]


@on_a_loop
async def test_a_turn_that_a_crash_cut_off_can_be_dropped(manager):
    await asked_thrice(manager)

    def crashed(session):
        return replace(session, turns=(*session.turns[:2], replace(session.turns[2], status="running")))

    manager.store.update(manager.sessions.id_of("chat"), crashed)
    session = manager.branches.drop("chat")
    assert (session.head, session.turns[2].status) == ("2", "interrupted")


@on_a_loop
async def test_an_error_that_comes_back_names_the_way_out(manager):
    await ask(manager, "one", model="dumb", once=True)
    again = await ask(manager, "one", model="dumb", once=True)
    assert "%agent drop" not in str(again.error)  # there is no turn to drop
    await ask(manager, "two", model="calm", once=True)
    first = await ask(manager, "three", model="dumb", once=True)
    assert "%agent drop" not in str(first.error)
    second = await ask(manager, "three", model="dumb", once=True)
    assert "%agent drop" in str(second.error)
    assert manager.sessions.load("chat").turns[-1].error == str(second.error)


@on_a_loop
async def test_a_filter_that_refuses_every_turn_names_the_way_out(manager):
    script("filtered", ModelHTTPError(400, "m", {"message": "No.", "code": "content_filter"}))
    await ask(manager, "one", model="calm", once=True)
    for advised in (False, True):
        result = await ask(manager, "two", model="filtered", once=True)
        assert ("%agent drop" in str(result.error)) is advised
