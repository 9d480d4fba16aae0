"""One turn at a time per session, from whatever thread, and free again at once."""

import asyncio
import math
import re
import threading

import pytest

from sessionmagic.conversation.events import TurnFinished
from sessionmagic.exceptions import ModelReferenceError, SessionBusyError, SessionExistsError
from sessionmagic.testing import script
from tests.examples import examples
from tests.scripted import Gate
from tests.turns import ask, manager_on, on_a_loop, prompts, said


@pytest.fixture
def on_disk(home):
    """A manager whose sessions are claimed with locks of the operating system."""
    return manager_on(home)


@on_a_loop
async def test_second_prompt_to_a_busy_session_is_refused_and_changes_nothing(manager):
    turn = await manager.run("First", session="chat", model="hang", where="cell In [3] of churn.ipynb")
    await said(turn)
    before = manager.store.load(turn.session_id)
    with pytest.raises(SessionBusyError) as caught:
        await manager.run("Second", session="chat", model="calm")
    assert re.fullmatch(
        r"session 'chat' is busy: cell In \[3\] of churn.ipynb has held it since \d\d:\d\d:\d\d; "
        r"--wait waits for its end, %agent stop 'chat' stops it",
        str(caught.value),
    )
    assert manager.store.load(turn.session_id) == before
    assert not turn.finished
    turn.cancel()
    assert (await turn.result()).text == "So far"
    assert prompts(manager.sessions.load("chat")) == ["First"]
    assert manager.sessions.load("chat").agent_model_overrides == {"assistant": "hang"}


@on_a_loop
async def test_another_manager_of_the_same_store_is_refused_too(manager):
    turn = await manager.run("First", session="chat", model="hang")
    with pytest.raises(SessionBusyError):
        await manager_on(manager.store).run("Second", session="chat")
    turn.cancel()
    await turn.result()


@on_a_loop
async def test_looking_at_a_running_session_is_not_refused(manager):
    turn = await manager.run("First", session="chat", model="hang")
    for other in (manager, manager_on(manager.store)):
        assert [summary.status for summary in other.sessions.summaries()[0]] == ["running"]
        assert other.sessions.load("chat").turns[0].status == "running"
        other.sessions.star("chat")
    with pytest.raises(SessionBusyError):
        await manager.run("Second", session="chat")
    turn.cancel()
    await turn.result()


@on_a_loop
async def test_busy_session_does_not_hold_up_another(manager):
    turn = await manager.run("First", session="chat", model="hang")
    assert (await ask(manager, session="another")).status == "completed"
    assert [running.session_name for running in manager.turns.running()] == ["chat"]
    turn.cancel()
    await turn.result()


@on_a_loop
async def test_many_prompts_at_once_run_one_and_refuse_the_others(on_disk):
    gate = Gate()
    await ask(on_disk)
    found = await asyncio.gather(
        *(on_disk.run(f"prompt {n}", session="chat", model="gate") for n in range(10)), return_exceptions=True
    )
    refused = [each for each in found if isinstance(each, SessionBusyError)]
    [turn] = [each for each in found if not isinstance(each, Exception)]
    gate.open.set()
    assert (await turn.result()).text == "before after"
    assert len(refused) == 9
    assert len(on_disk.sessions.load("chat").turns) == 2


@on_a_loop
async def test_many_cells_that_create_one_session_make_one(on_disk):
    found = await asyncio.gather(
        *(on_disk.run(f"prompt {n}", session="fresh", wait=10) for n in range(5)), return_exceptions=True
    )
    for turn in found:
        await turn.result()
    assert [summary.name for summary in on_disk.sessions.summaries()[0]] == ["fresh"]
    assert sorted(prompts(on_disk.sessions.load("fresh"))) == [f"prompt {n}" for n in range(5)]


@on_a_loop
async def test_many_cells_that_ask_for_a_new_session_of_one_name_get_one(on_disk):
    found = await asyncio.gather(
        *(on_disk.run(f"prompt {n}", session="fresh", new=True) for n in range(5)), return_exceptions=True
    )
    assert sum(isinstance(each, SessionExistsError) for each in found) == 4
    for turn in found:
        if not isinstance(turn, Exception):
            await turn.result()
    assert len(on_disk.sessions.load("fresh").turns) == 1


@on_a_loop
async def test_session_is_free_when_its_last_event_is_seen(manager):
    for name in [f"chat {number}" for number in range(examples(10))]:
        for _ in range(10):
            turn = await manager.run("Hello", session=name)
            async for event in turn.events():
                if isinstance(event, TurnFinished):
                    assert manager.turns.of(name) == []
        assert len(manager.sessions.load(name).turns) == 10


def test_session_is_free_when_the_turn_says_that_it_has_ended(manager):
    for number in range(examples(20)):
        assert manager.run_sync(f"prompt {number}", session="chat").status == "completed"


@on_a_loop
async def test_waiting_for_a_busy_session_gets_it_when_it_is_free(manager):
    gate = Gate()
    first = await manager.run("First", session="chat", model="gate", once=True)
    second = asyncio.create_task(manager.run("Second", session="chat", wait=math.inf))
    third = asyncio.create_task(manager.run("Third", session="chat", wait=0.2))
    with pytest.raises(SessionBusyError):
        await third
    assert not second.done()
    gate.open.set()
    assert (await first.result()).text == "before after"
    assert (await (await second).result()).text == "It is fine."
    assert prompts(manager.sessions.load("chat")) == ["First", "Second"]


@on_a_loop
async def test_waiting_for_a_busy_session_reads_it_once_when_it_gives_up(manager, monkeypatch):
    turn = await manager.run("First", session="chat", model="hang")
    await said(turn)
    loaded, load = [], manager.store.load
    monkeypatch.setattr(manager.store, "load", lambda key: loaded.append(key) or load(key))
    with pytest.raises(SessionBusyError, match="'chat' is busy"):
        await manager.run("Second", session="chat", wait=0.3)
    assert loaded == [turn.session_id]
    turn.cancel()
    await turn.result()


@on_a_loop
async def test_waiting_for_a_busy_session_can_be_given_up(manager):
    turn = await manager.run("First", session="chat", model="hang")
    waiting = asyncio.create_task(manager.run("Second", session="chat", wait=math.inf))
    await asyncio.sleep(0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    turn.cancel()
    await turn.result()
    assert (await ask(manager, "Third", model="calm")).status == "completed"
    assert prompts(manager.sessions.load("chat")) == ["First", "Third"]


@on_a_loop
async def test_deletion_stops_also_a_prompt_that_waited_and_came_first(manager, monkeypatch):
    first = await manager.run("First", session="chat", model="hang")
    claim, taken = manager.store.claim, threading.Event()

    def claim_in_order(key, holder):
        if holder.where == "a deletion":
            assert taken.wait(10)
        claimed = claim(key, holder)
        taken.set()
        return claimed

    monkeypatch.setattr(manager.store, "claim", claim_in_order)
    waiting = asyncio.create_task(manager.run("Second", session="chat", wait=math.inf))
    await manager.delete("chat")
    assert [(await turn.result()).status for turn in (first, await waiting)] == ["interrupted", "interrupted"]
    assert manager.store.find("chat") is None


@on_a_loop
async def test_run_that_is_given_up_while_it_starts_leaves_the_session_free(on_disk):
    await ask(on_disk)
    for patience in (0, 0.001, 0.002, 0.005, 0.01):
        starting = asyncio.create_task(on_disk.run("Given up", session="chat", model="hang"))
        await asyncio.sleep(patience)
        starting.cancel()
        try:
            turn = await starting
        except asyncio.CancelledError:
            pass
        else:
            turn.cancel()
            await turn.result()
        assert (await ask(on_disk, "Next", model="calm", wait=60)).status == "completed"
    assert "running" not in {turn.status for turn in on_disk.sessions.load("chat").turns}
    assert on_disk.turns.running() == []


@pytest.mark.parametrize("new", [True, False])
@on_a_loop
async def test_refused_prompt_leaves_the_session_free(manager, new):
    if not new:
        await ask(manager)
    for _ in range(3):
        with pytest.raises(ModelReferenceError):
            await manager.run("Hello", session="chat", model="opnai:x")
    assert (await ask(manager)).status == "completed"


def test_threads_that_use_one_manager_never_hold_one_session_twice(on_disk):
    running, most, lock, errors = 0, 0, threading.Lock(), []

    async def counted(_messages):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        await asyncio.sleep(0.002)
        yield "word"
        with lock:
            running -= 1

    script("counted", counted)

    def cells():
        try:
            for _ in range(5):
                on_disk.run_sync("Hello", session="chat", model="counted", wait=math.inf)
        except Exception as error:  # noqa: BLE001  the test shows any
            errors.append(error)

    threads = [threading.Thread(target=cells) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert most == 1
    assert len(on_disk.sessions.load("chat").turns) == 20


@on_a_loop
async def test_refusal_advises_only_what_the_caller_can_do(manager):
    turn = await manager.run("First", session="chat", model="hang")
    with pytest.raises(SessionBusyError, match=r"; wait longer with --wait, %agent stop 'chat' stops it"):
        await manager.run("Second", session="chat", wait=0.01)
    with pytest.raises(SessionBusyError, match=r"; try again when it has ended, %agent stop 'chat' stops it"):
        await asyncio.to_thread(manager.branches.drop, "chat")
    turn.cancel()
    await turn.result()
