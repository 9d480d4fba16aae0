"""Work that waits for the main thread."""

import asyncio
import threading
from collections import deque

from sessionmagic.loop import LoopThread, in_thread
from sessionmagic.notebook.kernel.main_thread import MainThread
from tests.turns import on_a_loop


@on_a_loop
async def test_work_that_waits_for_the_main_thread_keeps_nothing_else_from_a_thread():
    busy = MainThread(lambda _: None)
    waiting = [asyncio.create_task(busy.run(lambda: None)) for _ in range(100)]
    await asyncio.sleep(0.01)
    assert await asyncio.wait_for(in_thread(lambda: "stored"), 5) == "stored"
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
    main_thread, over, loop = MainThread(None), threading.Event(), LoopThread()
    main_thread._jobs = Interrupted()
    with main_thread.served():
        calling = loop.submit(main_thread.run(lambda: "never"))
        calling.add_done_callback(lambda _: (over.set(), main_thread.wake()))
        main_thread.serve(over)
    assert calling.cancelled()
    assert interrupts == []
