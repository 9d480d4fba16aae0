"""The only thread of a place where no other can be started, such as Pyodide. Turns run on its loop.

Code that awaits nothing, such as a cell's magic, can wait there in two cases: no loop runs yet, so that it runs one; or
the interpreter can suspend it while the loop goes on, as Pyodide does where WebAssembly has stack switching.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from sessionmagic.exceptions import NoThreadsError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from types import FrameType

T = TypeVar("T")

CANNOT_WAIT = (
    "no thread can be started here, and this code cannot wait; await SessionManager().run(prompt, session=name), "
    "which works here"
)
CHECK_SECONDS = 0.25
"""How often waiting code runs, because an interrupt takes effect only when Python runs."""


class OnlyThread:
    """Runs turns on the loop of the thread that calls it. Has the methods of a `LoopThread`."""

    shares_thread = True

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that runs here; if none does, the one that runs while something waits."""
        return running_loop() or self._own_loop

    @cached_property
    def _own_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.new_event_loop()  # not while one runs: in Pyodide, the new one would take its place

    @property
    def can_wait(self) -> bool:
        """Whether the calling code can wait for a coroutine without awaiting it."""
        return running_loop() is None or _can_suspend()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the loop, in a copy of the caller's context, and return its future."""
        outcome: Future[T] = Future()

        def settle(task: asyncio.Task[T]) -> None:
            if task.cancelled():
                outcome.cancel()
                outcome.set_running_or_notify_cancel()
            elif (error := task.exception()) is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(task.result())

        self.loop.create_task(work).add_done_callback(settle)
        return outcome

    def wait(self, future: Future[Any], seconds: float | None = None) -> None:
        """Wait until the future is done, or for some seconds. An interrupt ends the waiting only.

        Raises `NoThreadsError` where the calling code cannot wait.
        """
        if future.done():
            return
        if not self.can_wait:
            raise NoThreadsError(CANNOT_WAIT)
        awaited = asyncio.wrap_future(future, loop=self.loop)
        awaited.add_done_callback(lambda done: done.cancelled() or done.exception())  # the caller asks `future` for it
        with self._noticing_interrupts() as interrupts:
            self._block_on(_wait(awaited, seconds, interrupts))

    def run_sync(self, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run the coroutine that `start` makes, and wait for its result. A `KeyboardInterrupt` cancels it.

        The interrupt is raised when the coroutine has ended, or at once if it is the second one. Raises
        `NoThreadsError` where the calling code cannot wait.
        """
        if not self.can_wait:
            raise NoThreadsError(CANNOT_WAIT)
        task = self.loop.create_task(start())
        try:
            with self._noticing_interrupts() as interrupts:
                self._block_on(_wait(task, None, interrupts))
        except KeyboardInterrupt:
            task.cancel()
            with self._noticing_interrupts() as interrupts:
                self._block_on(_wait(task, None, interrupts))
            raise
        return task.result()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Await a coroutine, which runs on the loop that runs here anyway."""
        return await work

    def _block_on(self, work: Coroutine[Any, Any, None]) -> None:
        if running_loop() is None:
            self._own_loop.run_until_complete(work)
        else:
            _suspend_for(work)

    @contextmanager
    def _noticing_interrupts(self) -> Iterator[list[int]]:
        """Keep interrupts from being raised in the tasks of turns; the list has those that came.

        After the block, the first one is raised as a `KeyboardInterrupt`. The second is raised where it comes.
        """
        interrupts: list[int] = []

        def notice(number: int, _frame: FrameType | None) -> None:
            interrupts.append(number)
            if len(interrupts) > 1:
                raise KeyboardInterrupt

        if threading.current_thread() is not threading.main_thread():
            yield interrupts
            return
        previous = signal.signal(signal.SIGINT, notice)
        try:
            yield interrupts
        finally:
            signal.signal(signal.SIGINT, previous)
        if interrupts:
            raise KeyboardInterrupt


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs in this thread, if any."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def _wait(future: asyncio.Future[Any], seconds: float | None, interrupts: list[int]) -> None:
    """Wait until the future is done, the time is over, or an interrupt has come."""
    loop = asyncio.get_running_loop()
    end = None if seconds is None else loop.time() + seconds
    while not future.done() and not interrupts:
        left = CHECK_SECONDS if end is None else min(CHECK_SECONDS, end - loop.time())
        if left <= 0:
            return
        await asyncio.wait([future], timeout=left)


def _can_suspend() -> bool:
    """Return whether the interpreter can suspend the calling code while its loop runs on."""
    try:
        from pyodide.ffi import can_run_sync
    except ImportError:
        return False
    return bool(can_run_sync())


def _suspend_for(work: Coroutine[Any, Any, None]) -> None:
    from pyodide.ffi import run_sync

    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(_report)
    try:
        run_sync(work)
    finally:
        loop.set_exception_handler(before)


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Leave out the errors of tasks that nothing awaits yet, of which Pyodide tells nothing else."""
    if context.keys() != {"exception"}:
        loop.default_exception_handler(context)
