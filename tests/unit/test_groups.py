"""Several turns under one claim: a group owns the claim and releases it once, when the last turn has ended."""

import asyncio
import time

import pytest

from sessionmagic.conversation.tree import ROOT
from sessionmagic.exceptions import (
    ModelReferenceError,
    SessionBusyError,
    SessionExistsError,
    SessionNotFoundError,
    StoreError,
    UsageError,
)
from sessionmagic.testing import call, script
from sessionmagic.turns.request import Request
from tests.scripted import Gate, lists_prompts
from tests.turns import ask, asked, events_of, manager_on, on_a_loop, said, statuses, until, whole


def request(prompt="Hello", session="chat", **options):
    return Request(prompt=prompt, session=session, **options)


@pytest.fixture
def gates():
    """Two models that say a word and wait until they are let go on."""
    return {name: Gate(name) for name in ("left", "right")}


@on_a_loop
async def test_turns_of_a_group_run_side_by_side_and_free_the_session_once(manager, gates):
    await ask(manager)
    async with manager.group("chat") as group:
        turns = [
            await manager.start(request(model=name, once=True, after="1", moves_head=False), group) for name in gates
        ]
        await asyncio.gather(*map(said, turns))
    assert [turn.id for turn in turns] == ["2", "3"]
    assert {turn.id for turn in manager.turns.of("chat")} == {"2", "3"}
    gates["left"].open.set()
    assert (await turns[0].result()).text == "before after"
    with pytest.raises(SessionBusyError):
        await manager.run("Too early", session="chat")
    gates["right"].open.set()
    for turn in turns:
        whole(await events_of(turn))
    session = manager.sessions.load("chat")
    assert (session.head, statuses(session)) == ("1", ["completed"] * 3)
    assert [turn.parent for turn in session.turns] == [None, "1", "1"]
    assert (await ask(manager, "Free again")).status == "completed"


@on_a_loop
async def test_group_holds_the_session_until_it_is_left(manager):
    async with manager.group("chat") as group:
        turn = await manager.start(request(), group)
        await turn.result()
        with pytest.raises(SessionBusyError):
            await manager.run("Hello", session="chat")
    assert (await ask(manager)).status == "completed"


@on_a_loop
async def test_group_without_a_turn_creates_nothing_and_frees_the_name(manager):
    async with manager.group("chat"):
        pass
    assert manager.sessions.summaries() == ([], [])
    assert (await ask(manager)).turn == "1"


@on_a_loop
async def test_request_that_is_refused_leaves_the_group_as_it_was(manager):
    async with manager.group("chat") as group:
        with pytest.raises(ModelReferenceError):
            await manager.start(request(model="bad:x"), group)
        turn = await manager.start(request(), group)
        with pytest.raises(UsageError, match="the group has claimed session 'chat', not 'other'"):
            await manager.start(request(session="other"), group)
        await turn.result()
    assert statuses(manager.sessions.load("chat")) == ["completed"]


@on_a_loop
async def test_running_turn_of_a_group_is_neither_cut_off_nor_continued_by_the_next(manager, gates):
    await ask(manager)
    async with manager.group("chat") as group:
        first = await manager.start(request(model="left", once=True), group)
        await said(first)
        with pytest.raises(UsageError, match="turn 2 of session 'chat' is still running"):
            await manager.start(request(), group)
        second = await manager.start(request(after="1", moves_head=False), group)
        await second.result()
        assert statuses(manager.sessions.load("chat")) == ["completed", "running", "completed"]
        gates["left"].open.set()
        assert (await first.result()).status == "completed"


@on_a_loop
async def test_history_of_a_turn_is_the_path_to_the_turn_that_it_comes_after(manager):
    script("lists", lists_prompts)
    for prompt in ("One", "Two"):
        await ask(manager, prompt)
    assert (await ask(manager, "Three", model="lists", once=True, after="1")).text == "One\nThree"
    assert manager.sessions.load("chat").head == "3"
    assert (await ask(manager, "Four", model="lists", once=True)).text == "One\nThree\nFour"
    branch = await ask(manager, "Five", model="lists", once=True, after="2", moves_head=False)
    assert branch.text == "One\nTwo\nFive"
    assert manager.sessions.load("chat").head == "4"


@on_a_loop
async def test_turn_after_one_that_there_is_not_is_refused_and_changes_nothing(manager):
    await ask(manager)
    before = manager.sessions.load("chat")
    with pytest.raises(UsageError, match="session 'chat' has no turn '7'; its last turn is 1"):
        await ask(manager, "Hello", model="recalls", after="7")
    with pytest.raises(UsageError, match="session 'new' has no turn '1'; it has no turns yet"):
        await ask(manager, "Hello", session="new", after="1")
    assert manager.sessions.load("chat") == before
    assert [summary.name for summary in manager.sessions.summaries()[0]] == ["chat"]


@on_a_loop
async def test_turn_that_failed_in_silence_never_becomes_the_head(manager):
    await ask(manager)
    await ask(manager, "Fail", model="dumb", once=True)
    with pytest.raises(UsageError, match="turn 2 failed before the model said anything; name turn 1"):
        await ask(manager, "Hello", after="2")
    assert manager.sessions.load("chat").head == "1"


@on_a_loop
async def test_what_is_said_to_one_of_several_turns_names_it(manager, gates):
    await ask(manager)
    async with manager.group("chat") as group:
        turns = [await manager.start(request(model=name, once=True, after="1"), group) for name in gates]
        await asyncio.gather(*map(said, turns))
    with pytest.raises(UsageError, match="session 'chat' has several running turns; name one of 2, 3"):
        await manager.turns.steer("chat", "Be brief.")
    for say in (manager.turns.steer("chat", "Be brief.", turn="4"), manager.queue(request("And?"), turn="4")):
        with pytest.raises(UsageError, match="turn 4 of session 'chat' is not running; running turns: 2, 3"):
            await say
    assert await manager.turns.steer("chat", "Be brief.", turn="3") is turns[1]
    assert await manager.queue(request("And then?"), turn="3") is turns[1]
    assert turns[1].inbox.waiting == ["Be brief.", "And then?"]
    assert manager.turns.stop("chat")
    assert [(await turn.result()).status for turn in turns] == ["interrupted"] * 2


@on_a_loop
async def test_deleting_a_session_stops_all_of_its_turns(manager, gates):
    await ask(manager)
    async with manager.group("chat") as group:
        turns = [await manager.start(request(model=name, once=True, after="1"), group) for name in gates]
    await manager.delete("chat")
    assert all(turn.finished for turn in turns)
    assert manager.sessions.summaries() == ([], [])


@on_a_loop
async def test_turns_that_a_crash_cut_off_are_interrupted_once_when_a_group_goes_on(home):
    manager = manager_on(home)
    await ask(manager)
    async with manager.group("chat") as group:
        for _ in range(2):
            await manager.start(request(model="hang", once=True, after="1"), group)
    crashed = manager.sessions.load("chat")
    manager.shutdown(0)
    await until(lambda: not manager.turns.running())
    manager.store.update(crashed.id, lambda _: crashed)  # what a kill would have left
    fresh = manager_on(home)
    async with fresh.group("chat") as group:
        first = await fresh.start(request(after="1"), group)
        second = await fresh.start(request(after="1", moves_head=False), group)
        await asyncio.gather(first.result(), second.result())
    session = fresh.sessions.load("chat")
    assert statuses(session) == ["completed", "interrupted", "interrupted", "completed", "completed"]
    assert session.head == "4"


@on_a_loop
async def test_group_that_has_ended_starts_no_turn_and_releases_nobodys_claim(manager):
    await ask(manager)
    async with manager.group("chat") as group:
        pass
    other = await manager.run("Other", session="chat", model="hang", once=True)
    await said(other)
    with pytest.raises(UsageError, match="the group of session 'chat' has ended; claim the session again"):
        await manager.start(request("Late", after="1"), group)
    group.leave()
    assert statuses(manager.sessions.load("chat")) == ["completed", "running"]
    with pytest.raises(SessionBusyError):
        await manager.run("Still busy", session="chat")
    other.cancel()
    await other.result()


@on_a_loop
async def test_turn_that_is_being_admitted_keeps_the_claim_when_the_group_is_left(manager, gates):
    await ask(manager)
    async with manager.group("chat") as group:
        starting = asyncio.ensure_future(manager.start(request(model="left", once=True), group))
        await asyncio.sleep(0)
    turn = await starting
    with pytest.raises(SessionBusyError):
        await manager.run("Busy", session="chat")
    gates["left"].open.set()
    await turn.result()
    assert (await ask(manager, "Free")).status == "completed"


@on_a_loop
async def test_request_for_a_new_session_is_refused_in_a_group_on_one_that_exists(manager):
    await ask(manager)
    async with manager.group("chat") as group:
        with pytest.raises(SessionExistsError):
            await manager.start(request(new=True), group)


@on_a_loop
async def test_all_turns_of_a_group_on_a_new_session_can_begin_at_its_root(manager, gates):
    async with manager.group("chat") as group:
        turns = [await manager.start(request(model=name, once=True, after=ROOT), group) for name in gates]
    for gate in gates.values():
        gate.open.set()
    assert [(await turn.result()).text for turn in turns] == ["before after"] * 2
    session = manager.sessions.load("chat")
    assert ([turn.parent for turn in session.turns], session.head) == ([None, None], "2")


@on_a_loop
async def test_id_of_a_deleted_session_creates_none(manager):
    turn = await manager.run("Hello", session="chat")
    await turn.result()
    await manager.delete("chat")
    with pytest.raises(SessionNotFoundError, match="it may have been deleted"):
        await ask(manager, session=turn.session_id)
    assert manager.sessions.summaries() == ([], [])


@on_a_loop
async def test_failed_branch_leaves_the_head_where_it_was(manager):
    for prompt in ("One", "Two"):
        await ask(manager, prompt)
    assert (await ask(manager, "Three", model="dumb", once=True, after="1")).status == "failed"
    assert manager.sessions.load("chat").head == "2"


@on_a_loop
async def test_listing_says_that_a_branch_is_running(manager, gates):
    await ask(manager)
    turn = await manager.run("Branch", session="chat", model="left", once=True, after="1", moves_head=False)
    assert [summary.status for summary in manager.sessions.summaries()[0]] == ["running"]
    gates["left"].open.set()
    await turn.result()
    assert [summary.status for summary in manager.sessions.summaries()[0]] == ["completed"]


@on_a_loop
async def test_start_that_is_cancelled_just_after_its_claim_frees_the_session(manager, monkeypatch):
    await ask(manager)
    found = manager.store.find
    looked = []

    def find(name):
        looked.append(name)
        if len(looked) == 2:  # under the claim
            starting.cancel()
        return found(name)

    async def find_on_the_loop(name):
        return find(name)

    loop = asyncio.get_running_loop()
    with monkeypatch.context() as patch:
        patch.setattr(
            manager.store, "find", lambda name: asyncio.run_coroutine_threadsafe(find_on_the_loop(name), loop).result()
        )
        starting = asyncio.ensure_future(manager.run("Given up", session="chat", model="hang"))
        with pytest.raises(asyncio.CancelledError):
            await starting
    assert len(looked) == 2
    assert (await ask(manager, "Free")).status == "completed"


@on_a_loop
async def test_session_that_cannot_be_looked_up_again_is_free(manager, monkeypatch):
    await ask(manager)
    found, looked = manager.store.find, []

    def find(name):
        looked.append(name)
        if len(looked) == 2:  # under the claim
            raise StoreError("the disk is gone")
        return found(name)

    with monkeypatch.context() as patch:
        patch.setattr(manager.store, "find", find)
        with pytest.raises(StoreError):
            await manager.run("Refused", session="chat")
    assert (await ask(manager, "Free")).status == "completed"


@on_a_loop
async def test_start_that_is_cancelled_while_it_finds_the_session_busy_ends_at_once(manager, monkeypatch):
    running = await manager.run("First", session="chat", model="hang")
    claim = manager.store.claim
    loop = asyncio.get_running_loop()

    def claim_late(*args):
        loop.call_soon_threadsafe(starting.cancel)
        time.sleep(0.05)
        return claim(*args)

    with monkeypatch.context() as patch:
        patch.setattr(manager.store, "claim", claim_late)
        starting = asyncio.ensure_future(manager.run("Second", session="chat", wait=60))
        with pytest.raises(asyncio.CancelledError):
            await starting
    running.cancel()
    assert (await running.result()).status == "interrupted"


@on_a_loop
async def test_lasting_decision_answers_the_waiting_calls_of_all_turns_of_the_group(manager, tools):
    await ask(manager)
    for name in ("left", "right"):
        script(name, call("run", code=name), "Done")
    options = {"tools": tools.all, "attended": True, "once": True, "after": "1", "moves_head": False}
    async with manager.group("chat") as group:
        turns = [await manager.start(request(model=name, **options), group) for name in ("left", "right")]
        [approval], _ = [list((await asked(turn)).values()) for turn in turns]
    turns[0].approvals.resolve(approval.id, "tool")
    assert [(await turn.result()).status for turn in turns] == ["completed"] * 2
    assert sorted(tools.ran) == ["run left", "run right"]
