"""Stored sessions and running turns, as a manager hands them out."""

import pytest

from sessionmagic import register_model
from sessionmagic.exceptions import ApprovalNotOpenError, PromptError, SessionExistsError, UsageError
from sessionmagic.models import sources
from sessionmagic.testing import ScriptedModel, call, script
from tests.turns import ask, asked, on_a_loop


@on_a_loop
async def test_next_model_is_the_override_or_the_default_whichever_can_be_used(manager):
    assert manager.sessions.next_model(None).reference == "calm"
    register_model("mine", ScriptedModel("Mine."))
    await ask(manager, model="mine")
    assert manager.sessions.next_model(manager.sessions.load("chat")).reference == "mine"
    sources._registered.pop("mine")
    assert manager.sessions.next_model(manager.sessions.load("chat")).reference == "calm"
    sources._registered.pop("calm")
    assert manager.sessions.next_model(manager.sessions.load("chat")) is None


@on_a_loop
async def test_rules_of_a_new_session_hold_from_its_first_turn_on(manager):
    created = manager.sessions.set_permissions("chat", {"run_*": "deny"}, "strict", new=True)
    assert (created.permissions, created.safety) == ({"deny": ["run_*"]}, "strict")
    await ask(manager)
    assert manager.sessions.load("chat").id == created.id
    with pytest.raises(SessionExistsError):
        manager.sessions.set_permissions("chat", {"run_*": "allow"}, new=True)
    with pytest.raises(UsageError):
        manager.sessions.set_permissions(" ", {}, new=True)
    assert manager.sessions.load("chat").permissions == {"deny": ["run_*"]}


@on_a_loop
async def test_rule_is_taken_away_and_one_that_does_not_exist_is_an_error(manager):
    await ask(manager)
    manager.sessions.set_permissions("chat", {"run_*": "deny", "look": "allow"})
    manager.sessions.set_permissions("chat", {"run_*": None})
    with pytest.raises(UsageError):
        manager.sessions.set_permissions("chat", {"run_*": None})
    assert manager.sessions.load("chat").permissions == {"allow": ["look"], "deny": []}


@on_a_loop
async def test_what_waits_in_any_turn_is_listed_and_decided_by_its_id(manager, tools):
    turns = []
    for name in ("one", "two"):
        script(name, call("run", code=name), "Done")
        turns.append(await manager.run("Go", session=name, model=name, tools=tools.all, attended=True))
        await asked(turns[-1])
    [(first, _), (second, approval)] = manager.turns.approvals()
    assert [first, second] == turns
    assert manager.turns.approve(approval.id, "once").args == {"code": "two"}
    assert (await second.result()).text == "Done"
    assert [turn for turn, _ in manager.turns.approvals()] == [first]
    with pytest.raises(ApprovalNotOpenError, match="no open approval has the id 'nobody'"):
        manager.turns.approve("nobody", "once")
    first.cancel()
    await first.result()


@on_a_loop
async def test_message_must_say_something_to_a_turn_that_runs(manager):
    turn = await manager.run("Go", session="chat", model="hang")
    with pytest.raises(PromptError):
        await manager.turns.steer("chat", " ")
    with pytest.raises(UsageError, match="turn 99 of session 'chat' is not running; running turns: 1"):
        await manager.turns.steer("chat", "Be brief.", turn="99")
    assert manager.turns.find(turn.session_id, turn.id) is turn
    assert manager.turns.find(turn.session_id, "99") is None
    turn.cancel()
    await turn.result()
