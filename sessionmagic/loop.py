"""Threads with an asyncio loop: one, started at first use, on which every turn of the process runs, and others.

A notebook's main thread already runs a loop, so a magic cannot run one there; and a turn must go on when the
cell that started it has ended.
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

T = TypeVar("T")


class LoopThread:
    """A daemon thread that runs an asyncio loop for as long as the process lives."""

    def __init__(self, name: str = "sessionmagic") -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        while True:
            with suppress(BaseException):  # a SystemExit in one turn's task must not end every other turn
                self.loop.run_forever()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the loop, in a copy of the caller's context variables.

        Raises `RuntimeError` on the loop's own thread, where waiting for the future would wait for ever.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("called from within a turn; await the asynchronous method instead")
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work on this loop from another one; when cancelled, it waits until the work has ended, too."""
        caller, ended = asyncio.get_running_loop(), asyncio.Event()

        async def run() -> T:
            try:
                return await work
            finally:
                with suppress(RuntimeError):  # the caller's loop is closed
                    caller.call_soon_threadsafe(ended.set)

        try:
            return await asyncio.wrap_future(self.submit(run()))
        except asyncio.CancelledError:
            await ended.wait()
            raise


_shared: LoopThread | None = None
_starting = threading.Lock()


def loop_thread() -> LoopThread:
    """Return the process's loop thread, starting it at the first call."""
    global _shared  # noqa: PLW0603  one per process is the point
    with _starting:
        if _shared is None:
            _shared = LoopThread()
        return _shared


def _forget_after_fork() -> None:
    global _shared, _starting
    _shared, _starting = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


async def in_thread(call: Callable[..., T], *args: Any) -> T:
    """Call in a worker thread, to its end even when the awaiting task is cancelled meanwhile."""
    result, cancelled = await settled_in_thread(call, *args)
    if cancelled:
        raise asyncio.CancelledError
    return result


async def settled_in_thread(call: Callable[..., T], *args: Any) -> tuple[T, bool]:
    """Call in a worker thread, to its end; return the result, and whether the task was cancelled meanwhile.

    The cancellation is then the caller's to act on.
    """
    try:
        work = asyncio.get_running_loop().run_in_executor(None, call, *args)
    except RuntimeError:  # the interpreter is shutting down and starts no more threads
        return call(*args), False
    cancelled = False
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            cancelled = True
    return work.result(), cancelled
