"""Functions of the user's as tools: run where figures and prints work, their values described to the model."""

from __future__ import annotations

import asyncio
import functools
import inspect
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from sessionmagic.loop import LoopThread
from sessionmagic.notebook.kernel.running import returned, run_awaitable, run_function

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from IPython.core.interactiveshell import InteractiveShell

    from sessionmagic.notebook.kernel.main_thread import MainThread
    from sessionmagic.notebook.kernel.outputs import Ran

BLOCKED_SECONDS = 0.5
"""A loop that does nothing for so long is blocked."""


class UserFunctions:
    """Wraps functions: those with ``async`` run on a loop of their own, the others on the main thread.

    Args:
        show: shows what a call has displayed.
    """

    def __init__(self, shell: InteractiveShell, main_thread: MainThread, show: Callable[[Ran], object]) -> None:
        self._shell = shell
        self._main_thread = main_thread
        self._show = show
        self._coroutines: LoopThread | None = None
        """The loop of the user's coroutines: not that of the turns, so that one that blocks holds up none of them."""

    def wrapped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that looks like this one, and returns what the model gets to see."""
        asynchronous = inspect.iscoroutinefunction(function)

        async def call(*args: Any, **kwargs: Any) -> Any:
            if asynchronous:
                words, ran = await self._awaited(function(*args, **kwargs))
                return returned(ran, words)
            value, words, ran = await self._called(functools.partial(function, *args, **kwargs))
            if inspect.isawaitable(value):
                words, later = await self._awaited(value)
                ran = ran.then(later)
            return returned(ran, words)

        return _looking_like(function, call)

    async def _called(self, call: Callable[[], Any]) -> tuple[Any, str, Ran]:
        """Make a call on the main thread; return its value, that in words, and all else."""

        def run() -> tuple[Any, str, Ran]:
            value, words, ran = run_function(self._shell, call)
            self._show(ran)
            return value, words, ran

        return await self._main_thread.run(run)

    async def _awaited(self, work: Awaitable[Any]) -> tuple[str, Ran]:
        """Await what a function has returned; return its value in words, and all else."""
        loop = await self._free_loop()
        words, ran = await loop.run(run_awaitable(self._shell, work))
        self._show(ran)
        return words, ran

    async def _free_loop(self) -> LoopThread:
        """Return the loop of the user's coroutines; one that a coroutine blocks is left to that."""
        loop = self._coroutines
        if loop is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.wrap_future(loop.submit(asyncio.sleep(0))), BLOCKED_SECONDS)
                return loop
        if self._coroutines is loop:  # no other call was quicker
            self._coroutines = LoopThread("sessionmagic tools")
        return cast("LoopThread", self._coroutines)


def _looking_like(function: Callable[..., Any], call: Callable[..., Any]) -> Callable[..., Any]:
    """Give a wrapper documentation, signature and annotations of what it wraps, whatever kind of callable that is."""
    called = function.func if isinstance(function, functools.partial) else function
    if isinstance(called, type):
        called = called.__init__  # type: ignore[misc]
    elif not inspect.isroutine(called):
        called = type(called).__call__
    call.__annotations__ = {}  # a built-in has none to put in their place
    functools.update_wrapper(call, called)
    call.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    if isinstance(function, type):
        call.__doc__ = function.__doc__
    return call
