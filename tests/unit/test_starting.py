"""Starting a turn and waiting for it from a thread, when that is interrupted, and deleting its session."""

import asyncio
import signal
import threading

import pytest

from sessionmagic.loop import LoopThread
from tests.turns import ask, on_a_loop, prompts, statuses


def interrupt():
    """Interrupt the main thread, as Ctrl-C does."""
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


@pytest.fixture
def held(manager, monkeypatch):
    """Have the store hold up the claim or the write of that name, until `go_on` is set; `began` is set then."""

    class Held:
        began, go_on = threading.Event(), threading.Event()

        def hold(self, name):
            real = getattr(manager.store, name)

            def waiting(*args):
                self.began.set()
                assert self.go_on.wait(10)
                return real(*args)

            monkeypatch.setattr(manager.store, name, waiting)

    held = Held()
    yield held
    held.go_on.set()


def after(event, action):
    thread = threading.Thread(target=lambda: event.wait(10) and action())
    thread.start()
    return thread


def test_interrupt_while_a_turn_runs_stops_it_and_keeps_what_was_said(manager):
    running = threading.Event()

    def wait():
        while not any(turn.transcript.text for turn in manager.turns.running()):
            running.wait(0.005)
        running.set()

    threads = [threading.Thread(target=wait), after(running, interrupt)]
    threads[0].start()
    with pytest.raises(KeyboardInterrupt):
        manager.run_sync("Hello", session="chat", model="hang")
    assert statuses(manager.sessions.load("chat")) == ["interrupted"]
    assert manager.turns.running() == []
    for thread in threads:
        thread.join(5)


def test_interrupt_before_a_turn_has_begun_leaves_the_session_free(manager, held):
    assert manager.run_sync("First", session="chat").status == "completed"
    held.hold("claim")
    thread = after(held.began, interrupt)
    with pytest.raises(KeyboardInterrupt):
        manager.run_sync("Given up", session="chat", model="hang")
    held.go_on.set()
    assert manager.run_sync("Second", session="chat", wait=5).status == "completed"
    assert prompts(manager.sessions.load("chat")) == ["First", "Second"]
    thread.join(5)


def test_interrupt_before_the_start_is_known_here_leaves_no_trace(manager, held, monkeypatch):
    assert manager.run_sync("First", session="chat").status == "completed"
    held.hold("claim")
    submit = asyncio.run_coroutine_threadsafe

    def interrupted(work, loop):
        submit(work, loop)
        assert held.began.wait(10)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(asyncio, "run_coroutine_threadsafe", interrupted)
        with pytest.raises(KeyboardInterrupt):
            manager.run_sync("Given up", session="chat", model="hang")
    held.go_on.set()
    assert manager.run_sync("Second", session="chat", wait=5).status == "completed"
    assert prompts(manager.sessions.load("chat")) == ["First", "Second"]


@on_a_loop
async def test_turn_that_is_given_up_while_its_prompt_is_written_is_returned_stopped(manager, held):
    held.hold("create")
    starting = asyncio.create_task(manager.run("Hello", session="chat", model="hang"))
    await asyncio.to_thread(held.began.wait, 5)
    starting.cancel()
    held.go_on.set()
    turn = await starting
    assert (await turn.result()).status == "interrupted"
    assert prompts(manager.sessions.load("chat")) == ["Hello"]


@on_a_loop
async def test_session_that_is_deleted_while_a_turn_starts_on_it_is_made_anew(manager, monkeypatch):
    await ask(manager, "Gone")
    find, gone = manager.store.find, manager.sessions.load("chat").id

    def find_and_delete(name):
        found = find(name)
        if found == gone:
            manager.store.delete(gone)
        return found

    monkeypatch.setattr(manager.store, "find", find_and_delete)
    assert (await ask(manager, "Anew")).status == "completed"
    assert prompts(manager.sessions.load("chat")) == ["Anew"]


@on_a_loop
async def test_deletion_is_told_to_who_keeps_something_for_the_session(manager):
    told = []

    async def deleted(session_id):
        told.append((session_id, manager.store.find("chat")))

    manager.on_deleted = deleted
    await ask(manager)
    session_id = manager.sessions.load("chat").id
    await manager.delete("chat")
    assert told == [(session_id, None)]


def test_interrupt_just_after_a_turn_has_started_stops_it(manager, monkeypatch):
    original, interrupts = LoopThread.submit, [interrupt]

    def submit(loop, work):
        future = original(loop, work)
        result = future.result

        def interrupted():
            started = result()
            while interrupts:  # the caller does not know yet that the turn runs
                interrupts.pop()()
            return started

        future.result = interrupted
        return future

    monkeypatch.setattr(LoopThread, "submit", submit)  # of the class: the only loop would keep one of its own
    with pytest.raises(KeyboardInterrupt):
        manager.run_sync("Hello", session="chat", model="hang")
    assert statuses(manager.sessions.load("chat")) == ["interrupted"]
