"""Run the user's functions as tools: capture their output, and describe their values to the model."""

from __future__ import annotations

import asyncio
import functools
import inspect
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from sessionmagic.loop import started
from sessionmagic.notebook.kernel.outputs import CapturedOutput
from sessionmagic.notebook.kernel.running import run_awaitable, run_function, tool_return
from sessionmagic.turns.prints import reported

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from IPython.core.interactiveshell import InteractiveShell

    from sessionmagic.loop import TurnsThread
    from sessionmagic.notebook.kernel.main_thread import MainThread
    from sessionmagic.notebook.kernel.outputs import CallResult

BLOCKED_SECONDS = 0.5
"""How long a loop may take to respond before it counts as blocked."""


class UserFunctions:
    """Wraps functions: asynchronous ones run on a separate event loop, the others on the main thread.

    Args:
        shell: The user's shell.
        main_thread: Runs calls on the main thread.
        show: Shows the displays of a call.
    """

    def __init__(self, shell: InteractiveShell, main_thread: MainThread, show: Callable[[CallResult], object]) -> None:
        self._shell = shell
        self._main_thread = main_thread
        self._show = show
        self._coroutines: TurnsThread | None = None
        """A separate loop, so that a coroutine that blocks does not delay any turn."""

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return an asynchronous function with the same signature, which returns the call's result for the model."""
        asynchronous = inspect.iscoroutinefunction(function)

        async def call(*args: Any, **kwargs: Any) -> Any:
            if asynchronous:
                description, result = await self._await(function(*args, **kwargs))
                return tool_return(result, description)
            value, description, result = await self._call(functools.partial(function, *args, **kwargs))
            if inspect.isawaitable(value):
                description, later = await self._await(value)
                result = result.followed_by(later)
            return tool_return(result, description)

        return _with_signature_of(function, call)

    async def _call(self, call: Callable[[], Any]) -> tuple[Any, str, CallResult]:
        """Make a call on the main thread; return its value, a description of it, and a `CallResult`."""
        output = CapturedOutput()

        def run() -> tuple[Any, str, CallResult]:
            value, description, result = run_function(self._shell, call, output)
            self._show(result)
            return value, description, result

        async with reported(output):
            return await self._main_thread.run(run)

    async def _await(self, work: Awaitable[Any]) -> tuple[str, CallResult]:
        """Await the result of a function; return a description of its value, and a `CallResult`."""
        loop, output = await self._responsive_loop(), CapturedOutput()
        async with reported(output):
            description, result = await loop.run(run_awaitable(self._shell, work, output))
        self._show(result)
        return description, result

    async def _responsive_loop(self) -> TurnsThread:
        """Return the loop of the user's coroutines, or a new one if a coroutine blocks it."""
        loop = self._coroutines
        if loop is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.wrap_future(loop.submit(asyncio.sleep(0))), BLOCKED_SECONDS)
                return loop
        if self._coroutines is loop:  # another call may have replaced it meanwhile
            self._coroutines = started("sessionmagic tools")
        return cast("TurnsThread", self._coroutines)


def _with_signature_of(function: Callable[..., Any], call: Callable[..., Any]) -> Callable[..., Any]:
    """Give a wrapper the documentation, signature and annotations of the callable that it wraps."""
    # `update_wrapper` needs a function: partial objects, classes and objects with `__call__` have one inside.
    routine = function.func if isinstance(function, functools.partial) else function
    if isinstance(routine, type):
        routine = routine.__init__  # type: ignore[misc]
    elif not inspect.isroutine(routine):
        routine = type(routine).__call__
    call.__annotations__ = {}  # the wrapper's own, which a built-in without annotations would not replace
    functools.update_wrapper(call, routine)
    call.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    if isinstance(function, type):
        call.__doc__ = function.__doc__
    return call
