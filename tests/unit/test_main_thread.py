"""Work that waits for the main thread."""

import asyncio
import queue
import signal
import time
from collections import deque
from concurrent.futures import CancelledError, Future
from contextlib import suppress

import pytest

from sessionmagic.loop import LoopThread, in_thread
from sessionmagic.notebook.kernel.main_thread import MainThread
from tests.turns import on_a_loop


@on_a_loop
async def test_work_that_waits_for_the_main_thread_keeps_nothing_else_from_a_thread():
    busy = MainThread(lambda _: None)
    waiting = [asyncio.create_task(busy.run(lambda: None)) for _ in range(100)]
    await asyncio.sleep(0.01)
    assert await asyncio.wait_for(in_thread(lambda: "stored"), 30) == "stored"
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)


class Interrupted(deque):
    """Jobs of which an interrupt comes just when one is taken."""

    def popleft(self):
        super().popleft()
        raise KeyboardInterrupt


def test_call_that_is_interrupted_as_it_is_taken_ends_and_is_not_interrupted_again(monkeypatch):
    interrupts = []
    monkeypatch.setattr("sessionmagic.notebook.kernel.main_thread._interrupt_main_thread", lambda: interrupts.append(1))
    main_thread, over, loop = MainThread(None), Future(), LoopThread()
    main_thread._jobs = Interrupted()
    with main_thread.served():
        calling = loop.submit(main_thread.run(lambda: "never"))
        calling.add_done_callback(lambda _: (over.set_result(None), main_thread.wake()))
        main_thread.serve(over)
    assert calling.cancelled()
    assert interrupts == []


def test_call_of_a_cell_that_has_lost_an_interrupt_is_interrupted_again(monkeypatch):
    """IPython swallows an interrupt in its own callbacks, and Python in a finalizer."""
    monkeypatch.setattr("sessionmagic.notebook.kernel.job.REPEAT_SECONDS", 0.01)
    monkeypatch.setattr("sessionmagic.notebook.kernel.main_thread.STOP_SECONDS", 0.1)
    main_thread, over, loop = MainThread(None), Future(), LoopThread()
    lost = []

    def call() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as interrupt:
            lost.append(interrupt)
        time.sleep(100)

    with main_thread.noticing_interrupts(), main_thread.served():
        calling = loop.submit(main_thread.run(call))
        with pytest.raises(KeyboardInterrupt):
            main_thread.serve(over)
        with pytest.raises(CancelledError):
            calling.result(30)
    assert len(lost) == 1


def test_call_between_cells_that_has_lost_an_interrupt_is_interrupted_again(monkeypatch):
    monkeypatch.setattr("sessionmagic.notebook.kernel.job.REPEAT_SECONDS", 0.01)
    pending = queue.SimpleQueue()
    main_thread, loop = MainThread(pending.put), LoopThread()

    def call() -> None:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        time.sleep(100)

    calling = loop.submit(main_thread.run(call))
    before = signal.getsignal(signal.SIGINT)
    pending.get(timeout=30)()
    with pytest.raises(CancelledError):
        calling.result(30)
    assert signal.getsignal(signal.SIGINT) is before


def test_call_that_ends_after_an_interrupt_is_not_interrupted_again(monkeypatch):
    monkeypatch.setattr("sessionmagic.notebook.kernel.job.REPEAT_SECONDS", 0.01)
    main_thread, over, loop = MainThread(None), Future(), LoopThread()
    with main_thread.noticing_interrupts(), main_thread.served():
        loop.submit(main_thread.run(lambda: signal.raise_signal(signal.SIGINT)))
        with pytest.raises(KeyboardInterrupt):
            main_thread.serve(over)
        time.sleep(0.05)
