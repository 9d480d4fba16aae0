"""Threads that run an asyncio loop, and calls in worker threads.

All turns of a process run on one loop thread, which is started when it is first used. A notebook's main thread already
runs a loop, so that a magic cannot run another one there, and a turn must outlive the cell that started it. Where no
thread can be started, the only one takes its place; `started` is the one place that chooses.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from sessionmagic.exceptions import NoThreadsError
from sessionmagic.only_thread import CANNOT_WAIT, OnlyThread

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class TurnsThread(Protocol):
    """The thread on whose loop turns run, as code sees it that does not run on this loop and awaits nothing."""

    @property
    def shares_thread(self) -> bool:
        """Whether it is also the thread of the code that starts turns and waits for them."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop."""

    @property
    def can_wait(self) -> bool:
        """Whether the calling code can wait. If not, `wait` and `run_sync` raise `NoThreadsError`."""

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the loop, in a copy of the caller's context, and return its future."""

    def wait(self, future: Future[Any], seconds: float | None = None) -> None:
        """Wait until the future is done, or for some seconds. An interrupt ends the waiting only."""

    def run_sync(self, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run the coroutine that `start` makes, and wait for its result. A `KeyboardInterrupt` cancels it."""

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and await it on another one, or the same."""


class LoopThread:
    """A daemon thread that runs an asyncio loop for as long as the process lives.

    Raises `RuntimeError` where no thread can be started.
    """

    shares_thread = False
    can_wait = True

    def __init__(self, name: str = "sessionmagic") -> None:
        made: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._serve, args=[made], name=name, daemon=True)
        self._thread.start()
        self.loop = asyncio.new_event_loop()  # not before: in Pyodide, a new loop takes the place of the one that runs
        made.set_result(self.loop)

    def _serve(self, made: Future[asyncio.AbstractEventLoop]) -> None:
        loop = made.result()
        asyncio.set_event_loop(loop)
        while True:
            with suppress(BaseException):  # a SystemExit in the task of one turn must not end the others
                loop.run_forever()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the loop, in a copy of the caller's context, and return its future.

        Raises `RuntimeError` on the loop's own thread, where waiting for the future would never end.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("called from within a turn; await the asynchronous method instead")
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def wait(self, future: Future[Any], seconds: float | None = None) -> None:
        """Wait until the future is done, or for some seconds. An interrupt ends the waiting only."""
        wait_for([future], seconds)

    def run_sync(self, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run the coroutine that `start` makes, and wait for its result.

        A `KeyboardInterrupt` cancels it, also one that comes before its future is known here. It is raised at once; the
        coroutine may end later. Raises `RuntimeError` on the loop's own thread.
        """
        given_up = threading.Event()
        task: asyncio.Task[Any] | None = None

        async def run() -> T:
            nonlocal task
            task = asyncio.current_task()
            if given_up.is_set():
                raise asyncio.CancelledError
            return await start()

        try:
            return self.submit(run()).result()
        except KeyboardInterrupt:
            given_up.set()
            if task is not None:  # otherwise it has not begun, and will see that it is given up
                self.loop.call_soon_threadsafe(task.cancel)
            raise

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on this loop and await it on another one. When cancelled, wait for its end, too."""
        caller, ended = asyncio.get_running_loop(), asyncio.Event()

        async def run() -> T:
            try:
                return await work
            finally:
                with suppress(RuntimeError):  # the caller's loop may be closed by now
                    caller.call_soon_threadsafe(ended.set)

        try:
            return await asyncio.wrap_future(self.submit(run()))
        except asyncio.CancelledError:
            await ended.wait()
            raise


_shared: TurnsThread | None = None
_starting = threading.Lock()


def started(name: str = "sessionmagic") -> TurnsThread:
    """Return a new loop thread, or the only thread where no other can be started."""
    try:
        return LoopThread(name)
    except RuntimeError:
        return OnlyThread()


def loop_thread() -> TurnsThread:
    """Return the thread of the process on whose loop its turns run. The first call starts it."""
    global _shared  # noqa: PLW0603  there is one per process
    with _starting:
        if _shared is None:
            _shared = started()
        return _shared


def require_waiting() -> None:
    """Raise `NoThreadsError` where the calling code cannot wait for a turn."""
    if not loop_thread().can_wait:
        raise NoThreadsError(CANNOT_WAIT)


def result_of(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine where turns run, and wait for its result. An interrupt ends the waiting only.

    Raises `NoThreadsError` where the calling code cannot wait.
    """
    try:
        require_waiting()
    except NoThreadsError:
        work.close()
        raise
    thread = loop_thread()
    future = thread.submit(work)
    thread.wait(future)
    return future.result()


def loop_is_started() -> bool:
    """Return whether the loop thread of the process has been started."""
    return _shared is not None


def _forget_after_fork() -> None:
    """Forget the loop thread in a forked child, which has none of its parent's threads."""
    global _shared, _starting
    _shared, _starting = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


async def in_thread(call: Callable[..., T], *args: Any) -> T:
    """Call a function in a worker thread and return its result. When cancelled, wait for the end of the call, too."""
    result, cancelled = await settled_in_thread(call, *args)
    if cancelled:
        raise asyncio.CancelledError
    return result


async def settled_in_thread(call: Callable[..., T], *args: Any) -> tuple[T, bool]:
    """Call a function in a worker thread; return its result, and whether the task was cancelled meanwhile.

    A cancelled task waits for the end of the call, and the caller has to act on the cancellation. The call is made here
    if no thread can be started.
    """
    made_once, outcome = _once(call, *args)
    try:
        asyncio.get_running_loop().run_in_executor(None, made_once)
    except RuntimeError:  # in Pyodide, at a limit of the system, or while the interpreter shuts down
        made_once()  # the pool has kept it, and makes it if one of its threads is free first
    work, cancelled = asyncio.wrap_future(outcome), False
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            cancelled = True
    return work.result(), cancelled


def _once(call: Callable[..., T], *args: Any) -> tuple[Callable[[], None], Future[T]]:
    """Return a function that makes the call when it is first called, and the future of the call."""
    begun, outcome = threading.Lock(), Future[T]()

    def make() -> None:
        if not begun.acquire(blocking=False):
            return
        try:
            outcome.set_result(call(*args))
        except BaseException as error:  # noqa: BLE001  raised where it is awaited
            outcome.set_exception(error)

    return make, outcome


async def in_own_thread(call: Callable[..., T], *args: Any) -> T:
    """Call a function in a daemon thread. A task that is cancelled does not wait for it.

    The call is made here if no thread can be started.
    """
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    found: list[Any] = []
    context = copy_context()

    def run() -> None:
        try:
            found.append((context.run(call, *args), None))
        except BaseException as error:  # noqa: BLE001  raised where it is awaited
            found.append((None, error))
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(done.set)

    try:
        threading.Thread(target=run, name="sessionmagic call", daemon=True).start()
    except RuntimeError:
        run()
    await done.wait()
    result, error = found[0]
    if error is not None:
        raise error
    return cast("T", result)


def is_cancelled() -> bool:
    """Return whether the current task was cancelled.

    A `CancelledError` alone does not tell, as tools may raise one, and another error may have come instead of it.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
