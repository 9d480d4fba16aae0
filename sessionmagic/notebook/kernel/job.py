"""A call that a turn sends to the main thread, and what comes of it."""

from __future__ import annotations

import asyncio
import contextvars
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.kernel.capture import refuse_input

if TYPE_CHECKING:
    from collections.abc import Callable

REPEAT_SECONDS = 0.5
"""How long a call may take to end after an interrupt before it is interrupted again."""
NO_INPUT = "cannot ask for input in the background; run without -b"


class Job:
    """A call that the main thread is to make, with the context of the task that sent it.

    It is created on the loop of the turns; only `make` runs on the main thread.
    """

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self.outcome: asyncio.Future[Any] = self._loop.create_future()
        self.started: asyncio.Future[None] = self._loop.create_future()
        self.ended = asyncio.Event()
        self.finished = False
        """Whether the call has ended or was taken back, so that it must not be interrupted any more."""
        self.withdrawn = False
        """Whether the call was interrupted because its task was cancelled."""
        self.is_last = False
        """Whether the user has interrupted the cell, which stops the turn of this call."""
        self._insisting: asyncio.Task[None] | None = None
        self._insists = False

    def make(self, *, in_cell: bool) -> tuple[Any, BaseException | None]:
        """Make the call; return its result and its error. Call this on the main thread."""
        if not in_cell:  # no running cell could ask the user
            self._context.run(refuse_input, NO_INPUT)
        try:
            return self._context.run(self._call), None
        except BaseException as error:  # noqa: BLE001  raised where the outcome is awaited
            return None, error

    def report_start(self) -> None:
        """Tell the awaiting task that the call is about to be made."""
        self._call_on_loop(self.started.set_result, None)

    def settle(self, result: Any, error: BaseException | None) -> None:
        """Pass the outcome to the awaiting task, to which an interrupted call is a cancelled one."""
        self._call_on_loop(self._settle, result, error)

    def insist(self, interrupt: Callable[[Job], bool]) -> None:
        """Interrupt the call again and again until it ends. Safe in a signal handler; doing so again has no effect.

        The first interrupt may be lost: Python drops those that are raised in a finalizer or in a weak reference's
        callback, and IPython those that are raised in what it calls before it runs code.
        """
        if not self._insists:
            self._insists = True
            self._call_on_loop(self._begin_to_insist, interrupt)

    def _begin_to_insist(self, interrupt: Callable[[Job], bool]) -> None:
        self._insisting = self._loop.create_task(self.interrupted_until_ended(interrupt))

    async def interrupted_until_ended(self, interrupt: Callable[[Job], bool]) -> None:
        """Wait for the end of the call, and interrupt it each time that it takes too long."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), REPEAT_SECONDS)
            if not interrupt(self):
                return

    def _call_on_loop(self, call: Callable[..., object], *args: object) -> None:
        with suppress(RuntimeError):  # the loop is closed, so nothing awaits the call
            self._loop.call_soon_threadsafe(call, *args)

    def _settle(self, result: Any, error: BaseException | None) -> None:
        self.ended.set()
        if self.outcome.done():
            return
        if isinstance(error, KeyboardInterrupt):
            self.outcome.cancel()
        elif error is not None:
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(result)
