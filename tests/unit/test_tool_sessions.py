"""Tools that reach for sessions: their own, or another."""

import asyncio

import pytest

from sessionmagic import register_model
from sessionmagic.exceptions import SessionNotFoundError
from sessionmagic.testing import script
from tests.scripted import acts
from tests.turns import acted, acting, ask, events_of, on_a_loop, prompts, returned, statuses, until, whole


def blocking(manager):
    def inner(session: str) -> str:
        return str(manager.run_sync("Inner", session=session, model="calm"))

    return inner


def awaiting(manager):
    async def inner(session: str) -> str:
        return (await ask(manager, "Inner", session, model="calm")).text

    return inner


@pytest.fixture(params=[blocking, awaiting], ids=["sync", "async"])
def inner(request, manager):
    """A tool that starts a turn on the session of that name."""
    return request.param(manager)


@on_a_loop
async def test_tool_that_starts_a_turn_on_its_own_session_is_refused_and_the_run_goes_on(manager, inner):
    result, events, _ = await acted(manager, [("inner", {"session": "chat"})], "Busy.", tools=[inner], yes=True)
    [(_, outcome, words)] = returned(events)
    assert outcome == "failed"
    assert words.startswith("SessionBusyError: session 'chat' is busy")
    assert (result.status, result.text) == ("completed", "Busy.")
    assert prompts(manager.sessions.load("chat")) == ["Go"]


@on_a_loop
async def test_tool_may_start_a_turn_on_another_session(manager, inner):
    result, events, _ = await acted(manager, [("inner", {"session": "other"})], "Done", tools=[inner], yes=True)
    assert returned(events) == [("inner", "success", "It is fine.")]
    assert (result.status, result.text) == ("completed", "Done")
    assert (prompts(manager.sessions.load("chat")), prompts(manager.sessions.load("other"))) == (["Go"], ["Inner"])
    assert result.usage.output_tokens < 10_000


@on_a_loop
async def test_tool_of_a_turn_within_a_turn_does_not_wait_for_the_outer_ones_end(manager):
    async def outer() -> str:
        return (await ask(manager, "Inner", "other", model="inner", tools=[innermost])).text

    async def innermost() -> str:
        return (await ask(manager, "Innermost", "chat", model="calm", wait=60)).text

    register_model("inner", model := acts([("innermost", {})], "Busy."))
    manager.sessions.set_permissions("other", {"innermost": "allow"}, new=True)
    result, events, _ = await acted(manager, [("outer", {})], "Done", tools=[outer], yes=True)
    assert (result.text, returned(events)) == ("Done", [("outer", "success", "Busy.")])
    [refused] = [part for part in model.sent[-1][-1].parts if part.part_kind == "tool-return"]
    assert refused.content.startswith("SessionBusyError: session 'chat' is busy")


def test_tool_may_start_a_turn_on_another_session_while_a_cell_waits(manager):
    register_model("acts", acts([("inner", {"session": "other"}), ("inner", {"session": "chat"})], "Done"))
    result = manager.run_sync("Go", session="chat", model="acts", tools=[blocking(manager)], yes=True)
    assert str(result) == "Done"
    assert statuses(manager.sessions.load("other")) == ["completed"]
    assert statuses(manager.sessions.load("chat")) == ["completed"]


@on_a_loop
async def test_turn_inside_a_tool_is_offered_none_of_the_outer_turns_tools(manager, inner):
    model = script("calm", "It is fine.")
    await acted(manager, [("inner", {"session": "other"})], "Done", tools=[inner], yes=True)
    assert model.offered == [{}]


def deleting_in_a_thread(manager):
    def delete():
        asyncio.run(manager.delete("chat"))

    return delete


def deleting_on_the_loop(manager):
    async def delete():
        await manager.delete("chat")

    return delete


def deleting_from_the_store(manager):
    def delete():
        manager.store.delete(manager.sessions.load("chat").id)

    return delete


@pytest.mark.parametrize("how", [deleting_in_a_thread, deleting_on_the_loop, deleting_from_the_store])
@on_a_loop
async def test_tool_that_deletes_its_session_ends_the_turn_and_the_session_is_gone_for_good(manager, how):
    turn, _ = await acting(manager, [("delete", {})], "Done", tools=[how(manager)], yes=True)
    whole(await asyncio.wait_for(events_of(turn), 30))
    await turn.result()
    await until(lambda: manager.sessions.summaries() == ([], []))
    with pytest.raises(SessionNotFoundError):
        manager.sessions.load("chat")
    assert manager.turns.running() == []
    result = await ask(manager, "Anew", model="calm")
    assert (result.status, prompts(manager.sessions.load("chat"))) == ("completed", ["Anew"])


@on_a_loop
async def test_changes_that_a_tool_makes_to_its_session_survive_the_turn(manager):
    def change():
        manager.sessions.rename("chat", "talk")
        manager.sessions.star("talk")
        manager.sessions.set_model("talk", "recalls")

    result, _, _ = await acted(manager, [("change", {})], "Done", tools=[change], yes=True)
    assert result.status == "completed"
    session = manager.sessions.load("talk")
    assert (session.starred, session.agent_model_overrides) == (True, {"assistant": "recalls"})
    assert statuses(session) == ["completed"]
