"""The tree of a session's turns: how it is drawn, copied and emptied."""

import json
from dataclasses import replace

import pytest

from sessionmagic import MemoryStore, TinyStore
from sessionmagic.conversation.branches import tree_rows
from sessionmagic.exceptions import SessionBusyError, SessionExistsError, UsageError
from tests.turns import ask, manager_on, on_a_loop


@pytest.fixture(params=["memory", "disk"])
def manager(request, home):
    return manager_on(MemoryStore() if request.param == "memory" else TinyStore(home))


async def grown(manager):
    """A session whose turns 2 and 3 were left for 4 and 5, and 5 for 6."""
    for after in (None, None, None, "1", None, "4"):
        await ask(manager, "Hello", after=after)
    return manager.sessions.load("chat")


@on_a_loop
async def test_branch_is_drawn_where_it_leaves_the_path(manager):
    rows = tree_rows(await grown(manager))
    assert [row.graph for row in rows] == ["● 1", "├─○ 2", "│ ○ 3", "● 4", "├─○ 5", "● 6"]
    assert [row.turn for row in rows if row.is_head] == ["6"]
    assert (rows[1].parent, rows[1].on_path, rows[1].prompt, rows[1].status) == ("1", False, "Hello", "completed")


@on_a_loop
async def test_trees_with_several_beginnings_stand_one_below_the_other(manager):
    for after in (None, None, "root"):
        await ask(manager, "Hello", after=after)
    assert [row.graph for row in tree_rows(manager.sessions.load("chat"))] == ["○ 1", "○ 2", "● 3"]


@on_a_loop
async def test_summaries_and_turns_of_sub_agents_are_told_apart(manager):
    await ask(manager, "Hello")
    await (await manager.compact("chat")).result()
    session = manager.sessions.load("chat")
    worker = replace(session.turns[0], id="3", parent=None, caller="1:c")
    turns = (*session.turns, worker, replace(worker, id="4", parent="3", caller=None))
    assert [row.kind for row in tree_rows(replace(session, turns=turns))] == [
        "prompt",
        "summary",
        "sub-agent",
        "sub-agent",
    ]


@on_a_loop
async def test_turns_whose_parents_form_a_circle_are_drawn(manager):
    session = await grown(manager)
    turns = [replace(turn, parent="3") if turn.id == "2" else turn for turn in session.turns]
    assert {row.turn for row in tree_rows(replace(session, turns=tuple(turns)))} == set("123456")


def test_tree_without_turns_has_no_rows(manager):
    manager.sessions.set_permissions("chat", new=True)
    assert tree_rows(manager.sessions.load("chat")) == []


@on_a_loop
async def test_fork_is_a_session_of_its_own_with_everything_but_the_star(manager):
    await grown(manager)
    manager.sessions.star("chat")
    manager.sessions.set_model("chat", "recalls")
    manager.sessions.set_settings("chat", {"seed": 7}, "Be kind.")
    manager.sessions.set_permissions("chat", {"run_*": "ask", "look": "allow", "send": "deny"})
    original = manager.sessions.load("chat")
    copy = manager.branches.fork("chat", at="3")
    assert copy == manager.sessions.load("chat-2")
    assert (copy.head, copy.starred, copy.settings, copy.system) == ("3", False, {"seed": 7}, "Be kind.")
    assert (copy.agent_model_overrides, copy.title) == (original.agent_model_overrides, original.title)
    assert manager.sessions.trusted(copy) == manager.sessions.trusted(original)
    assert manager.sessions.trusted(copy)[0].rules["ask"] == ["run_*"]
    assert [replace(turn, origin="") for turn in copy.turns] == list(original.turns)
    assert all(turn.origin == "fork" for turn in copy.turns)
    await ask(manager, "More", session="chat-2")
    assert [turn.id for turn in manager.sessions.load("chat-2").path()] == ["1", "2", "3", "7"]
    assert manager.sessions.load("chat") == original


@on_a_loop
async def test_fork_without_a_name_gets_the_next_number(manager):
    await ask(manager)
    assert [manager.branches.fork("chat").name for _ in range(2)] == ["chat-2", "chat-3"]


@on_a_loop
async def test_fork_gives_no_powers_that_the_original_lacks(manager):
    await ask(manager)
    manager.store.update(manager.sessions.id_of("chat"), lambda stored: replace(stored, safety="autonomous"))
    copy = manager.branches.fork("chat")
    assert manager.sessions.trusted(copy)[0].safety == "balanced"


@on_a_loop
async def test_fork_of_a_running_session_takes_the_turns_that_have_ended(manager):
    await ask(manager)
    turn = await manager.run("More", session="chat", model="hang")
    with pytest.raises(UsageError, match="turn 2 of session 'chat' is still running; name an earlier turn"):
        manager.branches.fork("chat")
    assert [turn.id for turn in manager.branches.fork("chat", at="1").turns] == ["1"]
    turn.cancel()
    await turn.result()


@on_a_loop
async def test_fork_of_an_unknown_turn_or_with_a_taken_name_creates_nothing(manager):
    await ask(manager)
    await ask(manager, session="other")
    with pytest.raises(UsageError, match="has no turn '9'"):
        manager.branches.fork("chat", at="9")
    with pytest.raises(SessionExistsError):
        manager.branches.fork("chat", "other")
    assert len(manager.sessions.summaries()[0]) == 2


@on_a_loop
async def test_reset_removes_all_turns_and_keeps_the_rest(manager):
    await grown(manager)
    manager.sessions.set_settings("chat", {"seed": 7})
    assert len(manager.branches.reset("chat").turns) == 6
    session = manager.sessions.load("chat")
    assert (session.turns, session.head, session.title, session.settings) == ((), None, "", {"seed": 7})
    assert (await ask(manager, model="recalls")).text == "user-prompt: Hello"
    assert manager.sessions.load("chat").head == "1"


@on_a_loop
async def test_reset_of_a_running_session_is_refused(manager):
    turn = await manager.run("More", session="chat", model="hang")
    with pytest.raises(SessionBusyError):
        manager.branches.reset("chat")
    turn.cancel()
    await turn.result()


@on_a_loop
async def test_number_of_turns_is_that_of_the_latest_one(manager):
    session = await grown(manager)
    [summary] = manager.sessions.summaries()[0]
    assert str(summary.turns) == session.turns[-1].id == "6"


def test_nothing_that_is_left_names_a_turn_that_was_removed(home):
    manager = manager_on(home)
    manager.run_sync("Hello", session="chat")
    manager.branches.reset("chat")
    [path] = (home / "sessions").glob("*.json")
    assert "Hello" not in path.read_text()
    assert json.loads(path.read_text())["session"]["1"]["head"] is None
