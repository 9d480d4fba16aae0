"""Everything is approved until the kernel ends: what that covers, what ends it, and where it is said."""

from dataclasses import replace

import pytest

from sessionmagic import Request, register_model
from sessionmagic.conversation.events import NotesChanged
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.sessions.formats.native import to_native
from sessionmagic.sessions.importing import import_session
from sessionmagic.tools.permissions import Permissions
from sessionmagic.tools.trust import with_permissions
from sessionmagic.turns.unasked import ask_again, ask_everywhere_again
from tests.scripted import acts
from tests.turns import acting, ask, asked, events_of, on_a_loop, returned, until, whole

LINE = (
    "calls that no rule covers run unasked until this kernel ends; %agent permissions chat --safety balanced asks again"
)
CALL = [("run", {"code": "1"})]


async def approve_everything(manager, tools, *steps):
    """Run a turn in which the user approves everything at the first question; return the turn."""
    turn, _ = await acting(manager, *(steps or (CALL, "Done")), tools=tools.all, attended=True)
    [question] = (await asked(turn)).values()
    turn.approvals.resolve(question.id, "all")
    return turn


async def asks(manager, tools):
    """Return whether a call of the next turn waits for approval, and reject it if so."""
    turn, _ = await acting(manager, CALL, "Done", tools=tools.all, attended=True)
    await until(lambda: turn.approvals.open or turn.finished)
    found = bool(turn.approvals.open)
    for approval in turn.approvals.open:
        turn.approvals.resolve(approval.id, "reject")
    await turn.result()
    return found


def set_elsewhere(manager, safety):
    """Set the safety mode of the session as another process does, which only writes the file."""
    secret = manager.store.secret()
    manager.store.update(
        manager.sessions.id_of("chat"), lambda session: with_permissions(session, Permissions({}, safety), secret)
    )


@on_a_loop
async def test_session_is_asked_no_more_and_nothing_of_it_is_stored(manager, tools):
    turn = await approve_everything(manager, tools, CALL, [("send", {"to": "a"})], "Done")
    assert (await turn.result()).status == "completed"
    assert tools.ran == ["run 1", "send a"]
    session = manager.sessions.load("chat")
    assert (session.permissions, session.safety, session.stamp) == ({}, "balanced", "")
    assert not await asks(manager, tools)


@on_a_loop
async def test_turn_says_so_from_then_on_and_later_turns_from_their_start(manager, tools):
    turn = await approve_everything(manager, tools)
    events = whole(await events_of(turn))
    [changed] = [event for event in events if isinstance(event, NotesChanged)]
    assert LINE not in events[0].notes
    assert changed.notes == turn.transcript.notes == (*events[0].notes, LINE)
    later, _ = await acting(manager, "Done")
    assert whole(await events_of(later))[0].notes == (LINE,)
    for record, said in zip(manager.sessions.load("chat").turns, (turn, later), strict=True):
        assert transcript_of("chat", record).notes == said.transcript.notes


@on_a_loop
async def test_rules_are_kept(manager, tools):
    await ask(manager)
    manager.sessions.set_permissions("chat", {"send": "ask", "look": "deny"})
    turn = await approve_everything(manager, tools, CALL, [("look", {"at": "a"})], [("send", {"to": "a"})], "Done")
    await until(lambda: [each.tool for each in turn.approvals.open] == ["send"])
    turn.approvals.resolve(turn.approvals.open[0].id, "reject")
    assert [(tool, outcome) for tool, outcome, _ in returned(whole(await events_of(turn)))] == [
        ("run", "success"),
        ("look", "denied"),
        ("send", "denied"),
    ]


@pytest.mark.parametrize("mode", ["balanced", "strict"])
@on_a_loop
async def test_mode_that_the_user_sets_ends_it(manager, tools, mode):
    await (await approve_everything(manager, tools)).result()
    manager.sessions.set_permissions("chat", safety=mode)
    assert await asks(manager, tools)
    assert manager.sessions.load("chat").turns[-1].notes == []


@on_a_loop
async def test_rule_that_the_user_sets_does_not_end_it(manager, tools):
    await (await approve_everything(manager, tools)).result()
    manager.sessions.set_permissions("chat", {"look": "ask"})
    assert not await asks(manager, tools)


@on_a_loop
async def test_stricter_mode_that_another_process_sets_ends_it(manager, tools):
    await (await approve_everything(manager, tools)).result()
    set_elsewhere(manager, "strict")
    assert await asks(manager, tools)


@on_a_loop
async def test_stricter_mode_that_another_process_sets_holds_from_the_running_turns_next_step_on(manager, tools):
    def tighten() -> None:
        set_elsewhere(manager, "strict")

    steps = CALL, [("tighten", {})], CALL, "Done"
    turn, _ = await acting(manager, *steps, tools=[*tools.all, tighten], attended=True)
    [question] = (await asked(turn)).values()
    turn.approvals.resolve(question.id, "all")
    await until(lambda: turn.approvals.open)
    assert LINE not in turn.transcript.notes
    turn.approvals.resolve(turn.approvals.open[0].id, "reject")
    await turn.result()
    assert tools.ran == ["run 1"]


@on_a_loop
async def test_file_that_somebody_has_edited_is_asked_about(manager, tools):
    await ask(manager)
    manager.sessions.set_permissions("chat", {"send": "deny"})
    await (await approve_everything(manager, tools)).result()
    manager.store.update(manager.sessions.id_of("chat"), lambda session: replace(session, permissions={}))
    assert await asks(manager, tools)


@on_a_loop
async def test_it_is_taken_back_while_the_turn_runs(manager, tools):
    def again() -> None:
        ask_again(manager.sessions.id_of("chat"))

    steps = CALL, [("again", {})], CALL, "Done"
    turn, _ = await acting(manager, *steps, tools=[*tools.all, again], attended=True)
    [question] = (await asked(turn)).values()
    turn.approvals.resolve(question.id, "all")
    await until(lambda: turn.approvals.open)
    turn.approvals.resolve(turn.approvals.open[0].id, "reject")
    events = whole(await events_of(turn))
    assert [LINE in event.notes for event in events if isinstance(event, NotesChanged)] == [True, False]
    assert LINE not in manager.sessions.load("chat").turns[-1].notes


@on_a_loop
async def test_all_turns_of_a_group_say_so_and_none_waits_any_more(manager, tools):
    await ask(manager)
    async with manager.group("chat") as group:
        register_model("acts", acts(CALL, CALL, "Done"))
        request = Request(
            prompt="Go", session="chat", model="acts", tools=tools.all, attended=True, after="1", moves_head=False
        )
        turns = [await manager.start(request, group) for _ in range(2)]
        await until(lambda: all(turn.approvals.open for turn in turns))
        turns[0].approvals.resolve(turns[0].approvals.open[0].id, "all")
        for turn in turns:
            await turn.result()
    assert tools.ran == ["run 1", "run 1"]
    assert all(LINE in turn.transcript.notes for turn in turns)


@on_a_loop
async def test_session_that_is_imported_in_the_place_of_a_deleted_one_is_asked_about(manager, tools, tmp_path):
    await (await approve_everything(manager, tools)).result()
    session = manager.sessions.load("chat")
    file = tmp_path / "chat.json"
    file.write_bytes(to_native(session))
    await manager.delete("chat")
    assert import_session(manager.store, file).id == session.id
    assert await asks(manager, tools)


@on_a_loop
async def test_other_sessions_and_forks_are_asked_about(manager, tools):
    await (await approve_everything(manager, tools)).result()
    manager.branches.fork("chat", "copy")
    for session in ("copy", "another"):
        turn, _ = await acting(manager, CALL, "Done", tools=tools.all, attended=True, session=session)
        await asked(turn)
        turn.cancel()
        await turn.result()


@on_a_loop
async def test_it_ends_everywhere_when_the_store_changes(manager, tools):
    await (await approve_everything(manager, tools)).result()
    ask_everywhere_again()
    assert await asks(manager, tools)


@on_a_loop
async def test_autonomous_session_says_so_too(manager):
    await ask(manager)
    manager.sessions.set_permissions("chat", safety="autonomous")
    turn, _ = await acting(manager, "Done")
    await turn.result()
    assert turn.transcript.notes == (LINE.replace(" until this kernel ends", ""),)
