"""Run calls on the shell's main thread: user code, figures and `input` belong there.

While a turn runs in a foreground cell, that cell makes the calls. Between cells, the kernel's idle loop makes them.
"""

from __future__ import annotations

import _thread
import asyncio
import signal
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from sessionmagic.exceptions import MainThreadBusyError
from sessionmagic.loop import loop_thread
from sessionmagic.notebook.kernel.job import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from types import FrameType

    _Handler = Callable[[int, FrameType | None], Any]

T = TypeVar("T")

_raise_interrupt = signal.default_int_handler

CHECK_SECONDS = 0.25
"""How often a waiting cell checks for an interrupt that Python has lost."""
STOP_SECONDS = 2.0
"""How long a call that the user has interrupted waits for the end of its turn, which the cell stops then."""
START_SECONDS = 60.0
"""How long a call waits for the main thread between cells."""
NEEDS_A_CELL = "needs a foreground cell; run without -b"


class MainThread:
    """Makes calls on the main thread, one at a time.

    Args:
        when_idle: Schedules a function on the main thread for the time after the running cell. None in a terminal,
            where no loop runs between cells.
    """

    def __init__(self, when_idle: Callable[[Callable[[], None]], object] | None) -> None:
        self._when_idle = when_idle
        self._jobs: deque[Job] = deque()
        self._lock = threading.RLock()
        """Guards the jobs and their `finished`.

        It is entered itself, and not through its condition. That has an `__enter__` in Python, and an interrupt there
        would leave it locked for ever.
        """
        self.asking = asyncio.Lock()
        """Held while a user is asked something on stdin, and until the answer has taken effect."""
        self._changed = threading.Condition(self._lock)
        """Wakes the serving cell."""
        self._serving = 0
        self._noticing = False
        self._interrupted = False
        """Whether an interrupt has arrived that `_interrupt` did not send."""
        self._making: Job | None = None
        """The call that is being made."""

    async def run(self, call: Callable[[], T]) -> T:
        """Make the call on the main thread; return its result or raise its error.

        Cancelling the task interrupts the call, again and again until it ends. Raises `MainThreadBusyError` when
        another cell keeps the main thread busy; in a terminal, also when no foreground cell runs a turn.
        """
        if loop_thread().shares_thread:  # nobody else could make the call
            return await self._make_here(call)
        return await self._run(call, in_cell=self._when_idle is None)

    async def run_in_cell(self, call: Callable[[], T]) -> T:
        """Do the same as `run`, but raise `MainThreadBusyError` at once when no foreground cell runs a turn."""
        if loop_thread().shares_thread and self._serving:
            return await self._make_here(call)
        return await self._run(call, in_cell=True)

    async def _make_here(self, call: Callable[[], T]) -> T:
        """Make the call at once. An interrupt ends it, and is noticed by the cell that waits for the turn."""
        job = Job(call)
        self._jobs.append(job)
        waiting = signal.getsignal(signal.SIGINT)

        def interrupt(number: int, frame: FrameType | None) -> None:
            if callable(waiting):
                waiting(number, frame)
            raise KeyboardInterrupt

        self._interrupted = False
        signal.signal(signal.SIGINT, self._noticing_then(interrupt))
        try:
            self._serve_one(in_cell=self._serving > 0)
        finally:
            signal.signal(signal.SIGINT, waiting)
        try:
            result: T = await job.outcome
        finally:
            await _stopped_after(job)
        return result

    async def _run(self, call: Callable[[], T], *, in_cell: bool) -> T:
        job = Job(call)
        with self._lock:
            if in_cell and not self._serving:
                raise MainThreadBusyError(NEEDS_A_CELL)
            self._jobs.append(job)
            self._changed.notify_all()
        if self._when_idle is not None:
            self._when_idle(self._serve_pending)
        try:
            timeout = None if in_cell else START_SECONDS  # a cell makes calls until its turn has ended
            await asyncio.wait([job.started, job.outcome], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if not job.started.done() and self._take_back(job):
                raise MainThreadBusyError(
                    f"the kernel was busy with another cell for {START_SECONDS:g} s; try again when that cell has ended"
                )
            try:
                result: T = await job.outcome
            finally:
                await _stopped_after(job)
        except asyncio.CancelledError:
            self._take_back(job)
            if self._withdraw(job):
                await job.interrupted_until_ended(self._withdraw)
            raise
        return result

    def _take_back(self, job: Job) -> bool:
        """Remove a job that has not started; return whether it was removed."""
        with self._lock:
            if job not in self._jobs:
                return False
            self._jobs.remove(job)
            job.finished = True
            return True

    def _withdraw(self, job: Job) -> bool:
        """Interrupt a job whose task was cancelled, unless it has finished; return whether it was interrupted."""
        with self._lock:
            job.withdrawn = job.withdrawn or not job.finished
            return self._interrupt(job)

    def _interrupt(self, job: Job) -> bool:
        """Interrupt a job that has not finished; return whether it was interrupted."""
        # The lock keeps the job from finishing in between. Otherwise the signal would interrupt the next code.
        with self._lock:
            if not job.finished:
                _interrupt_main_thread()
            return not job.finished

    @contextmanager
    def noticing_interrupts(self) -> Iterator[None]:
        """Make `serve` notice every interrupt within the block, including those that Python loses.

        Python only prints a `KeyboardInterrupt` that is raised in a finalizer, so the signal handler sets a flag too.
        """
        if not _is_main_thread():
            yield
            return
        previous = signal.getsignal(signal.SIGINT)
        nested, self._noticing = self._noticing, True  # nested: a call of a turn may run another cell
        self._interrupted &= nested  # forget an interrupt of an earlier cell, but not of the outer one
        signal.signal(signal.SIGINT, self._noticing_then(previous if callable(previous) else _raise_interrupt))
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)
            self._noticing = nested

    def _noticing_then(self, raise_interrupt: _Handler) -> _Handler:
        """Return a signal handler that notices an interrupt, and insists if a call is being made."""

        def notice(number: int, frame: FrameType | None) -> None:
            self._interrupted = True
            if (job := self._making) is not None and not job.withdrawn:
                job.insist(self._interrupt)
            raise_interrupt(number, frame)

        return notice

    @contextmanager
    def served(self) -> Iterator[None]:
        """Accept calls that need a foreground cell. The caller will `serve` them within the block."""
        on_main = _is_main_thread()
        self._serving += on_main
        try:
            yield
        finally:
            self._serving -= on_main

    def serve(self, over: Future[None]) -> None:
        """Make calls as they come, until `over` is done; use `wake` after that.

        Raises `KeyboardInterrupt` when the user interrupts the cell.
        """
        while not over.done():
            with self._lock:
                self._changed.wait_for(lambda: self._jobs or over.done(), CHECK_SECONDS)
            self._serve_one()
            if self._interrupted:
                raise KeyboardInterrupt

    def wake(self) -> None:
        """Make `serve` check at once whether it is over."""
        with self._lock:
            self._changed.notify_all()

    def _serve_one(self, *, in_cell: bool = True) -> None:
        """Make the next call, if any.

        An interrupt ends the call, whether `_interrupt` or the user sent it; `_interrupted` tells which.
        """
        job, result, error = None, None, None
        outer = self._making
        try:
            with self._lock:
                if not self._jobs:
                    return
                job = self._jobs[0]  # not yet removed: an interrupt right after `popleft` would lose the job
                self._jobs.popleft()
            self._making = job
            job.report_start()
            result, error = job.make(in_cell=in_cell)
            self._finish(job)
        except KeyboardInterrupt as interrupt:  # it came just before or after the call
            if job is None:
                raise
            error = interrupt
            self._finish(job)
        finally:
            self._making = outer
        if job.withdrawn:
            self._interrupted = False
        job.is_last = in_cell and self._interrupted
        job.settle(result, error)

    def _finish(self, job: Job) -> None:
        """Mark the job as finished, so that `_interrupt` does not interrupt it any more."""
        with self._lock:
            if job in self._jobs:  # an interrupt came before `popleft`
                self._jobs.remove(job)
            job.finished = True

    def _serve_pending(self) -> None:
        # ipykernel 6 and 7 ignore SIGINT except while they handle a request, and a call can only be interrupted by it.
        ignoring = signal.getsignal(signal.SIGINT)
        while self._jobs:
            try:
                signal.signal(signal.SIGINT, self._noticing_then(_raise_interrupt))
                self._serve_one(in_cell=False)
            except KeyboardInterrupt:  # it was meant for a call, as no cell runs
                pass
            finally:
                signal.signal(signal.SIGINT, ignoring)


async def _stopped_after(job: Job) -> None:
    """Give the cell time to stop the turn of an interrupted call, which would go on with the result otherwise."""
    if job.is_last:
        await asyncio.sleep(STOP_SECONDS)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _interrupt_main_thread() -> None:
    """Interrupt the main thread, where possible also in a blocking C call such as `time.sleep`."""
    thread = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and thread is not None:
        signal.pthread_kill(thread, signal.SIGINT)
    else:  # Windows: it takes effect when the C call has returned
        _thread.interrupt_main()
