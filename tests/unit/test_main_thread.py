"""Work that waits for the main thread."""

import asyncio

from sessionmagic.loop import in_thread
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
