"""A session's file brings no powers: those that this user has not set count only when they are confirmed."""

import asyncio
import json
import shutil
from dataclasses import replace

import pytest

from sessionmagic import MemoryStore, SessionManager, TinyStore
from sessionmagic.conversation.session import Session
from sessionmagic.exceptions import StoreError
from sessionmagic.tools.permissions import Permissions
from sessionmagic.tools.trust import EDITED, trusted, with_permissions
from tests.turns import acted, acting, ask, asked, events_of, manager_on, on_a_loop, returned, until

SECRET = b"s" * 32
FOREIGN = {"permissions": {"allow": ["run", "send"], "deny": ["look:at=b"]}, "safety": "autonomous"}


def edit(manager, **changes):
    """Change the session `chat` as somebody would who edits its file."""
    session = manager.sessions.load("chat")
    manager.store.update(session.id, lambda stored: replace(stored, **changes))


def session_with(rules, safety="balanced", key="1"):
    return Session(id=key, name="chat", created_at=0, updated_at=0, permissions=rules, safety=safety)


@pytest.fixture(params=["memory", "disk"])
def either(request, home):
    """A manager on either store."""
    return manager_on(MemoryStore() if request.param == "memory" else home)


async def outcomes(manager, *calls, **options):
    """Return the outcomes of calls in a turn of the session `chat`, and the warnings of the turn."""
    tools = options.pop("tools")
    result, events, _ = await acted(manager, list(calls), "Done", tools=tools.all, **options)
    assert result.status == "completed"
    warnings = manager.sessions.load("chat").turns[-1].warnings
    return [outcome for _, outcome, _ in sorted(returned(events))], warnings


CALLS = ("look", {"at": "a"}), ("look", {"at": "b"}), ("run", {"code": "1"})


@on_a_loop
async def test_powers_of_a_file_do_not_hold_and_the_turn_says_so_once(either, tools):
    await ask(either)
    edit(either, **FOREIGN)
    found, [warning] = await outcomes(either, *CALLS, tools=tools)
    assert found == ["denied", "success", "denied"]
    assert tools.ran == ["look a"]
    powers = "safety autonomous, allow run, allow send"
    assert warning.startswith(f"this session brings permissions that you have not set, so they do not hold: {powers};")
    assert warning.endswith("; %agent permissions 'chat' --confirm sets them")


@on_a_loop
async def test_confirmed_powers_hold(either, tools):
    await ask(either)
    edit(either, **FOREIGN)
    session = either.sessions.confirm_permissions("chat")
    assert (session.permissions, session.safety) == (FOREIGN["permissions"], "autonomous")
    assert await outcomes(either, *CALLS, tools=tools) == (["denied", "success", "success"], [])


@on_a_loop
async def test_powers_that_the_user_sets_hold_in_every_process(either, tools):
    either.sessions.set_permissions("chat", {"run": "allow"}, new=True)
    other = SessionManager(either.store, either.models)
    assert await outcomes(other, *CALLS, tools=tools) == (["success", "success", "success"], [])
    other.sessions.set_permissions("chat", {"run": None}, "autonomous")
    assert await outcomes(either, *CALLS, tools=tools) == (["success", "success", "success"], [])


@on_a_loop
async def test_session_that_begins_autonomous_is_the_users_own(either, tools):
    found = await outcomes(either, *CALLS, tools=tools, safety="autonomous")
    assert found == (["success", "success", "success"], [])
    assert await outcomes(either, *CALLS, tools=tools) == (["success", "success", "success"], [])


@pytest.mark.parametrize("safety", ["strict", "restricted"])
@on_a_loop
async def test_file_may_be_stricter_than_the_default(manager, tools, safety):
    await ask(manager)
    edit(manager, safety=safety)
    found, warnings = await outcomes(manager, ("run", {"code": "1"}), tools=tools)
    assert (found, warnings) == (["denied"], [])


@on_a_loop
async def test_users_change_leaves_out_the_powers_of_the_file(either, tools):
    await ask(either)
    edit(either, **FOREIGN)
    session = either.sessions.set_permissions("chat", {"send": "allow", "walk": "deny"})
    assert session.permissions == {"allow": ["send"], "deny": ["look:at=b", "walk"]}
    found, warnings = await outcomes(either, *CALLS, ("send", {"to": "a"}), tools=tools)
    assert (found, warnings) == (["denied", "success", "denied", "success"], [])


LOOSER = [
    {"permissions": {"allow": ["send"], "ask": ["look:at=c"]}},
    {"permissions": {"allow": ["send"], "deny": ["look:at=b"]}},
    {"permissions": {"allow": ["send", "run"], "ask": ["look:at=c"], "deny": ["look:at=b"]}},
    {"permissions": {}},
    {"safety": "balanced"},
    {"safety": "balanced", "permissions": {}},
    {"safety": "autonomous"},
]


@pytest.mark.parametrize("looser", LOOSER)
@on_a_loop
async def test_permissions_that_were_changed_in_the_file_ask_about_every_call(manager, tools, looser):
    rules = {"send": "allow", "look:at=c": "ask", "look:at=b": "deny"}
    manager.sessions.set_permissions("chat", rules, "restricted", new=True)
    edit(manager, **looser)
    found, [warning] = await outcomes(manager, ("send", {"to": "a"}), *CALLS, tools=tools)
    assert found == ["denied"] * 4
    assert "were changed outside of your commands, so every call asks" in warning
    assert warning.endswith("; %agent permissions 'chat' --confirm sets them")
    assert (looser.get("safety") == "autonomous") == ("these do not hold: safety autonomous" in warning)
    assert manager.sessions.trusted(manager.sessions.confirm_permissions("chat"))[1] == []


@on_a_loop
async def test_permissions_that_the_user_has_set_hold_in_full(either, tools):
    rules = {"send": "allow", "look:at=c": "ask", "look:at=b": "deny"}
    either.sessions.set_permissions("chat", rules, "restricted", new=True)
    found = await outcomes(either, ("send", {"to": "a"}), *CALLS, tools=tools)
    assert found == (["denied", "success", "denied", "success"], [])


@on_a_loop
async def test_deny_rule_that_was_removed_from_the_file_in_mid_turn_asks_in_the_next(either, tools):
    either.sessions.set_permissions("chat", {"look:at=b": "deny"}, new=True)

    def run(code: str) -> str:
        edit(either, permissions={})
        return code

    steps = [("run", {"code": "1"})], [("look", {"at": "b"})], "Done"
    _, events, _ = await acted(either, *steps, tools=[run, *tools.all[:1]], yes=True)
    assert [outcome for _, outcome, _ in returned(events)] == ["success", "denied"]
    found, [warning] = await outcomes(either, ("look", {"at": "b"}), tools=tools)
    assert found == ["denied"]
    assert "every call asks; " in warning


@on_a_loop
async def test_strict_session_that_is_loosened_in_its_file_asks_about_every_call(either, tools):
    await ask(either, safety="strict")
    edit(either, safety="balanced")
    found, [warning] = await outcomes(either, ("look", {"at": "a"}), tools=tools)
    assert found == ["denied"]
    assert "every call asks" in warning


@on_a_loop
async def test_edit_of_the_file_in_mid_turn_changes_nothing_for_the_turn(either, tools):
    await ask(either)
    either.sessions.set_permissions("chat", {"look:at=b": "deny"})
    steps = [("run", {"code": "1"})], [("run", {"code": "2"}), ("look", {"at": "b"})], "Done"
    turn, _ = await acting(either, *steps, tools=tools.all, attended=True)
    [approval] = (await asked(turn)).values()
    edit(either, permissions={"allow": ["*"]}, safety="autonomous")
    turn.approvals.resolve(approval.id, "once")
    await until(lambda: [each.call.args for each in turn.approvals.open] == [{"code": "2"}])
    turn.approvals.resolve(turn.approvals.open[0].id, "reject")
    assert sorted(outcome for _, outcome, _ in returned(await events_of(turn))) == ["denied", "denied", "success"]
    found, [warning] = await outcomes(either, ("run", {"code": "3"}), tools=tools)
    assert found == ["denied"]
    assert "safety autonomous, allow *;" in warning


@pytest.mark.parametrize(
    "stricter", [{"permissions": {"deny": ["run"]}}, {"permissions": {}}, {"safety": "restricted", "permissions": {}}]
)
@on_a_loop
async def test_stricter_file_holds_for_a_running_turn_from_the_next_model_request_on(either, stricter):
    ran = []

    def run(code: str) -> str:
        ran.append(code)
        edit(either, **stricter)  # as another process does
        return code

    await ask(either)
    either.sessions.set_permissions("chat", {"run": "allow"})
    await acted(either, [("run", {"code": "1"})], [("run", {"code": "2"})], "Done", tools=[run])
    assert ran == ["1"]


@pytest.mark.parametrize("change", [({"run": "allow"}, None), ({}, "autonomous"), (None, None)])
@on_a_loop
async def test_users_change_in_mid_turn_holds_for_the_next_call(either, tools, change):
    await ask(either)
    edit(either, permissions={"allow": ["run"]})
    steps = [("run", {"code": "1"})], [("run", {"code": "2"})], "Done"
    turn, _ = await acting(either, *steps, tools=tools.all, attended=True)
    [approval] = (await asked(turn)).values()
    if change == (None, None):
        either.sessions.confirm_permissions("chat")
    else:
        SessionManager(either.store, either.models).sessions.set_permissions("chat", *change)
    turn.approvals.resolve(approval.id, "once")
    await turn.result()
    assert tools.ran == ["run 1", "run 2"]


@on_a_loop
async def test_click_that_allows_a_tool_allows_nothing_else_that_the_file_asks_for(either, tools):
    await ask(either)
    edit(either, **FOREIGN)
    steps = [("run", {"code": "1"})], [("send", {"to": "a"})], "Done"
    turn, _ = await acting(either, *steps, tools=tools.all, attended=True)
    [approval] = (await asked(turn)).values()
    turn.approvals.resolve(approval.id, "tool")
    await until(lambda: [each.tool for each in turn.approvals.open] == ["send"])
    turn.approvals.resolve(turn.approvals.open[0].id, "reject")
    await turn.result()
    found, warnings = await outcomes(either, ("run", {"code": "2"}), ("send", {"to": "a"}), tools=tools)
    assert (found, warnings) == (["success", "denied"], [])


@on_a_loop
async def test_code_of_a_tool_makes_no_autonomous_session(manager):
    async def free() -> str:
        inner = await manager.run("Go", session="other", model="calm", safety="autonomous")
        return (await inner.result()).status

    await acted(manager, [("free", {})], "Done", tools=[free], yes=True)
    assert manager.sessions.load("other").safety == "balanced"


@on_a_loop
async def test_session_of_another_store_brings_no_powers(home, tmp_path, tools):
    theirs = manager_on(tmp_path / "theirs")
    theirs.sessions.set_permissions("chat", {"run": "allow"}, "autonomous", new=True)
    await asyncio.to_thread(shutil.copytree, tmp_path / "theirs" / "sessions", home / "sessions")
    found, [warning] = await outcomes(manager_on(home), ("run", {"code": "1"}), tools=tools)
    assert found == ["denied"]
    assert "safety autonomous, allow run;" in warning


def test_stamp_counts_for_its_session_and_its_permissions_alone():
    permissions = Permissions({"allow": ["run"]}, "autonomous")
    stamped = with_permissions(session_with({}), permissions, SECRET)
    assert trusted(stamped, SECRET) == (permissions, [])
    nothing = Permissions({"allow": []}, "strict"), [EDITED, "safety autonomous", "allow run"]
    assert trusted(stamped, b"t" * 32) == nothing
    assert trusted(stamped, None) == nothing
    assert trusted(replace(stamped, id="2"), SECRET) == nothing
    other = replace(stamped, permissions={"allow": ["run", "ran"]})
    assert trusted(other, SECRET) == (nothing[0], [*nothing[1], "allow ran"])


def test_order_of_rules_and_verdicts_without_rules_need_no_other_stamp():
    stamped = with_permissions(session_with({}), Permissions({"allow": ["a", "b"], "ask": []}, "strict"), SECRET)
    assert trusted(replace(stamped, permissions={"deny": [], "allow": ["b", "a"]}), SECRET)[1] == []


def test_stamp_of_a_power_does_not_outlive_it():
    stamped = with_permissions(session_with({}), Permissions({"allow": ["run"]}, "balanced"), SECRET)
    taken = with_permissions(stamped, Permissions({}, "balanced"), SECRET)
    for stamp in (taken.stamp, ""):
        assert trusted(replace(taken, permissions={"allow": ["run"]}, stamp=stamp), SECRET)[1][-1] == "allow run"
    assert trusted(replace(taken, permissions={"allow": ["run"], "deny": ["a"]}, stamp=stamped.stamp), SECRET)[1] == [
        EDITED,
        "allow run",
    ]


@pytest.mark.parametrize("safety", ["", "AUTONOMOUS", "free"])
def test_unknown_safety_mode_counts_as_balanced(safety):
    assert trusted(session_with({}, safety), SECRET) == (Permissions({}, "balanced"), [])


@pytest.mark.parametrize(("written", "counts"), [("kernel", ""), ("none", "none"), ("all", "")])
def test_kernels_tools_are_not_offered_because_a_file_says_so(written, counts):
    stored = replace(session_with({}), tools=written)
    found, untrusted = trusted(stored, SECRET)
    assert (found.tools, untrusted) == (counts, ["kernel tools"] if written == "kernel" else [])
    users = with_permissions(stored, Permissions({}, "balanced", "kernel"), SECRET)
    assert trusted(users, SECRET) == (Permissions({}, "balanced", "kernel"), [])


def test_secret_is_made_once_and_only_the_user_can_read_it(home):
    store = TinyStore(home)
    assert store.known_secret() is None
    assert not home.exists()
    secret = store.secret()
    assert len(secret) == 32
    assert TinyStore(home).secret() == TinyStore(home).known_secret() == secret
    assert (home / "secret").stat().st_mode & 0o777 == 0o600


@on_a_loop
async def test_secret_that_cannot_be_read_stops_no_turn(home):
    (home / "secret").mkdir(parents=True)
    assert (await ask(manager_on(home))).status == "completed"


def test_damaged_secret_confirms_nothing_and_is_made_anew(home):
    store = TinyStore(home)
    store.secret()
    (home / "secret").write_bytes(b"")
    assert store.known_secret() is None
    assert len(store.secret()) == 32


def test_secret_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="nothing was changed"):
        TinyStore(tmp_path / "file").secret()


def test_secret_is_in_no_session(home):
    manager = manager_on(home)
    session = manager.sessions.set_permissions("chat", {"run": "allow"}, new=True)
    text = (home / "sessions" / f"{session.id}.json").read_text()
    assert manager.store.secret().hex() not in text
    assert json.loads(text)["session"]["1"]["stamp"] == session.stamp != ""
