"""The shell's main thread, for work that belongs there: user code, figures, questions on stdin.

A cell that waits for its turn serves it; between cells the kernel's idle loop does.
"""

from __future__ import annotations

import _thread
import asyncio
import contextvars
import signal
import threading
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from sessionmagic.exceptions import MainThreadBusyError
from sessionmagic.notebook.kernel.capture import refuse_asking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

T = TypeVar("T")

NOTICE_SECONDS = 0.25
"""How late an interrupt is noticed that Python has lost."""
AGAIN_SECONDS = 0.5
"""How long a call has to end after one interruption, before the next."""
NEEDS_A_CELL = "needs a foreground cell; run without -b"
NO_INPUT = "cannot ask for input in the background; run without -b"
START_SECONDS = 60.0
"""How long work waits for the main thread to have time for it."""


class _Job:
    """A call on its way to the main thread, in the context of the turn that sent it."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self.outcome: asyncio.Future[Any] = self._loop.create_future()
        self.started: asyncio.Future[None] = self._loop.create_future()
        self.ended = asyncio.Event()
        self.finished = False
        self.withdrawn = False

    def make(self, *, in_cell: bool) -> tuple[Any, BaseException | None]:
        """Make the call; return its result, or what it raised. Between cells it cannot ask: no page would show that."""
        if not in_cell:
            self._context.run(refuse_asking, NO_INPUT)
        try:
            return self._context.run(self._call), None
        except BaseException as error:  # noqa: BLE001  raised where the outcome is awaited
            return None, error

    def begin(self) -> None:
        """Say that the call is being made."""
        self._tell(self.started.set_result, None)

    def settle(self, result: Any, error: BaseException | None) -> None:
        """Hand the outcome over to who awaits it; an interrupted call is a cancelled one there."""
        self._tell(self._settle, result, error)

    def _tell(self, call: Callable[..., object], *args: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody awaits it
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


class MainThread:
    """Runs calls on the main thread, one at a time.

    Args:
        when_idle: has a function called on the main thread once no cell runs there; None when nothing can.
    """

    def __init__(self, when_idle: Callable[[Callable[[], None]], object] | None) -> None:
        self._when_idle = when_idle
        self._jobs: deque[_Job] = deque()
        self._news = threading.Condition()
        self._serving = 0
        self._noticing = False
        self._interrupted = False

    async def run(self, call: Callable[[], T]) -> T:
        """Make the call there; raises what it raises, and `MainThreadBusyError`.

        Cancelling interrupts it, again and again until it ends.
        """
        return await self._run(call, in_cell=self._when_idle is None)

    async def run_in_cell(self, call: Callable[[], T]) -> T:
        """Do what `run` does, but only while a cell waits for its turn."""
        return await self._run(call, in_cell=True)

    async def _run(self, call: Callable[[], T], *, in_cell: bool) -> T:
        job = _Job(call)
        with self._news:
            if in_cell and not self._serving:
                raise MainThreadBusyError(NEEDS_A_CELL)
            self._jobs.append(job)
            self._news.notify_all()
        if self._when_idle is not None:
            self._when_idle(self._serve_pending)
        try:
            patience = None if in_cell else START_SECONDS  # a cell serves until its turn is over
            await asyncio.wait([job.started, job.outcome], timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not job.started.done() and self._take_back(job):
                raise MainThreadBusyError(
                    f"the kernel was busy with another cell for {START_SECONDS:g} s; try again when that cell has ended"
                )
            result: T = await job.outcome
        except asyncio.CancelledError:
            self._take_back(job)
            while self._interrupt(job):
                with suppress(TimeoutError):
                    await asyncio.wait_for(job.ended.wait(), AGAIN_SECONDS)
            raise
        return result

    def _take_back(self, job: _Job) -> bool:
        """Take a job back, if it has not begun; whether it was."""
        with self._news:
            if job not in self._jobs:
                return False
            self._jobs.remove(job)
            job.finished = True
            return True

    def _interrupt(self, job: _Job) -> bool:
        """Interrupt a job that is being made; whether it was."""
        with self._news:
            if not job.finished:
                job.withdrawn = True
                _interrupt_main_thread()
            return not job.finished

    @contextmanager
    def noticing_interrupts(self) -> Iterator[None]:
        """Notice an interrupt also where Python loses it: one that comes while a finalizer runs is only printed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)
        nested, self._noticing = self._noticing, True  # a cell that a tool's code runs
        self._interrupted &= nested

        def notice(number: int, frame: FrameType | None) -> None:
            self._interrupted = True
            (before if callable(before) else signal.default_int_handler)(number, frame)

        signal.signal(signal.SIGINT, notice)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
            self._noticing = nested

    @contextmanager
    def served(self) -> Iterator[None]:
        """Say that a cell begins which will `serve`: what it is to do may be sent from now on."""
        on_main = threading.current_thread() is threading.main_thread()
        self._serving += on_main
        try:
            yield
        finally:
            self._serving -= on_main

    def serve(self, over: threading.Event) -> None:
        """Make the calls that come, until `over` is set and `wake` called. Raises the user's `KeyboardInterrupt`."""
        while not over.is_set():
            with self._news:
                self._news.wait_for(lambda: self._jobs or over.is_set(), NOTICE_SECONDS)
            self._serve_one()
            if self._interrupted:
                raise KeyboardInterrupt

    def wake(self) -> None:
        """Have whoever serves look whether it is over."""
        with self._news:
            self._news.notify_all()

    def _serve_one(self, *, in_cell: bool = True) -> None:
        """Make the next call. An interrupt ends it; whether it was the user's, `noticing_interrupts` knows."""
        job, result, error = None, None, None
        try:
            with self._news:
                if not self._jobs:
                    return
                job = self._jobs[0]
                self._jobs.popleft()
            job.begin()
            result, error = job.make(in_cell=in_cell)
            self._finish(job)
        except KeyboardInterrupt as interrupt:  # it came just outside of the call
            if job is None:
                raise
            error = interrupt
            self._finish(job)
        if job.withdrawn:
            self._interrupted = False
        job.settle(result, error)

    def _finish(self, job: _Job) -> None:
        """Have no more interruptions of ours come."""
        with self._news:
            if job in self._jobs:  # the interrupt came before it was taken from there
                self._jobs.remove(job)
            job.finished = True

    def _serve_pending(self) -> None:
        ignored = signal.getsignal(signal.SIGINT)
        while self._jobs:
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)  # ipykernel ignores it between cells
                self._serve_one(in_cell=False)
            except KeyboardInterrupt:  # of the call alone: there is no cell to be interrupted
                pass
            finally:
                signal.signal(signal.SIGINT, ignored)


def _interrupt_main_thread() -> None:
    """Interrupt also a call that waits in C, such as a sleep, where the system can do that."""
    thread = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and thread is not None:
        signal.pthread_kill(thread, signal.SIGINT)
    else:
        _thread.interrupt_main()
