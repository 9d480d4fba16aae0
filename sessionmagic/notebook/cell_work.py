"""Work that a cell begins on the loop thread, waits for, and stops if it is interrupted."""

from __future__ import annotations

import asyncio
import math
import threading
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sessionmagic.exceptions import UsageError
from sessionmagic.loop import loop_thread
from sessionmagic.tools.tool_code import runs_for_a_tool

if TYPE_CHECKING:
    import argparse
    from collections.abc import Coroutine, Iterator
    from typing import Any

    from sessionmagic.notebook.kernel.main_thread import MainThread

WAKE_SECONDS = 0.25
"""How soon an interrupt of a cell that awaits its work takes effect."""
INTERRUPT_SECONDS = 0.8
"""How long an interrupted cell waits for the end of its work before it gives the kernel back."""


class CellWork:
    """A coroutine on the loop thread, and the cell that waits for it.

    Args:
        main_thread: Runs the calls that need the main thread while the cell waits.
        words: What an interrupted cell says, such as "turn interrupted".
    """

    _latest: CellWork | None = None
    """The latest work whose cell cannot wait for it. The next one begins when it is over, as if the cells waited."""

    def __init__(self, main_thread: MainThread, words: str) -> None:
        self._main_thread = main_thread
        self._words = words
        self._thread = loop_thread()
        self._ended: Future[None] = Future()
        """Done when the work is over."""
        self._ended.set_running_or_notify_cancel()  # so that no waiting caller can cancel it
        self._error: BaseException | None = None
        self.result: Any = None
        """What has come of the work; None before its end, and if it did not start."""

    @property
    def error(self) -> BaseException | None:
        """The error that prevented the work, or that a waiting cell raises."""
        return self._error

    @property
    def text(self) -> str:
        """The answer so far; empty if there are several."""
        return ""

    def stop(self) -> None:
        """End the work, or prevent it from starting. Safe at any time, on any thread."""
        raise NotImplementedError

    def _submit(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin the work. Raises `UsageError` on the loop thread, where waiting for the work would block it."""
        before = None
        if not self._thread.can_wait and not runs_for_a_tool():
            before, CellWork._latest = CellWork._latest, self
        try:
            self._thread.submit(self._serve(work, before))
        except RuntimeError as error:
            work.close()
            raise UsageError("a model cannot run a cell from its own code; await SessionManager.run instead") from error

    async def _serve(self, work: Coroutine[Any, Any, None], before: CellWork | None = None) -> None:
        try:
            if before is not None:
                await before.ended()
            await work
        except BaseException as error:  # noqa: BLE001  raised in the thread that waits
            self._error = error
        finally:
            self._ended.set_result(None)
            self._main_thread.wake()

    async def ended(self) -> None:
        """Wait until the work is over, on any event loop."""
        over = asyncio.wrap_future(self._ended)
        while not over.done():  # ipykernel 7 cancels an interrupted cell only when something else wakes the loop
            await asyncio.wait([over], timeout=WAKE_SECONDS)

    def wait(self) -> None:
        """Wait until the work is over; an interrupt ends the waiting only. Meanwhile, the main thread makes calls."""
        with self._main_thread.noticing_interrupts():
            self._make_calls()

    def _wait(self) -> None:
        """Wait until the work is over, and raise its error. Meanwhile, the main thread makes the calls sent to it."""
        self._make_calls()
        self._raise()

    def _make_calls(self) -> None:
        if threading.current_thread() is threading.main_thread() and not self._thread.shares_thread:
            self._main_thread.serve(self._ended)
        self._thread.wait(self._ended)

    def _raise(self) -> None:
        if self._error is not None and not isinstance(self._error, asyncio.CancelledError):
            raise self._error

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """On an interrupt, stop the work, wait briefly for its end, and raise the interrupt again as one line."""
        try:
            with self._main_thread.noticing_interrupts():
                yield
        except KeyboardInterrupt:
            with suppress(KeyboardInterrupt):  # a second interrupt ends the waiting
                self.stop()
                self._wait_briefly()
            with suppress(KeyboardInterrupt):
                self._leave()
            raise short_interrupt(self._words) from None

    def _leave(self) -> None:
        """Prepare for the end of the cell, which may come before that of the work."""

    def _wait_briefly(self) -> None:
        self._thread.wait(self._ended, INTERRUPT_SECONDS)


def cell_waits(options: argparse.Namespace, *, background: bool = False) -> bool:
    """Return whether the running cell waits for its work. If it should and cannot, say so.

    Then the work waits for a busy session, too.

    Args:
        options: The options of the cell.
        background: Whether the user wants that it does not wait.
    """
    if background or loop_thread().can_wait:
        return not background
    options.wait = options.wait or math.inf
    print("the cell cannot wait here; its work goes on, and `await _agent` in another cell waits for it")
    return False


def short_interrupt(words: str) -> KeyboardInterrupt:
    """Return a `KeyboardInterrupt` that IPython shows as one line. Like any interrupt, it ends Run All."""
    interrupt = KeyboardInterrupt(words)
    interrupt._render_traceback_ = lambda: [f"KeyboardInterrupt: {interrupt}"]  # type: ignore[attr-defined]
    return interrupt
