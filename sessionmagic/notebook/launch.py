"""From a cell to its turn: start it on the loop thread, show it, wait for it, and stop it when interrupted."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from sessionmagic.conversation.events import ApprovalRequested, InputRequested
from sessionmagic.conversation.transcript import Transcript
from sessionmagic.exceptions import ApprovalNotOpenError, QuestionNotOpenError, UsageError
from sessionmagic.loop import loop_thread
from sessionmagic.notebook.asking import announced, ask_on_stdin, fill_in_on_stdin
from sessionmagic.notebook.page.answer import answer_html
from sessionmagic.notebook.view import TICK_SECONDS, follow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from typing import Any, Literal

    from sessionmagic.conversation.events import Decision, InputAction
    from sessionmagic.manager import SessionManager
    from sessionmagic.notebook.kernel.main_thread import MainThread
    from sessionmagic.notebook.view import View
    from sessionmagic.turns.turn import Turn, TurnResult

    WaitsFor = Literal["nothing", "start", "end"]
    """How far a cell waits for its turn."""
    Asks = Literal["page", "stdin", "command"]
    """How the user answers a turn: with a click, on stdin, or with ``%agent approve``, where neither can be."""
INTERRUPT_SECONDS = 0.8
"""How long an interrupted cell waits for its turn to end before it gives the kernel back."""
FRAME_SECONDS = 0.05
SHOWN_SECONDS = 0.5
GRANT_SECONDS = 0.3
"""How long it may take until a lasting answer is on disk, and has answered other open questions."""


class Launch:
    """A turn on its way, from before it exists. `stop` may be called at any time, from any thread."""

    def __init__(
        self,
        manager: SessionManager,
        hz: float,
        done: Callable[[TurnResult], object],
        main_thread: MainThread,
        *,
        asks: Asks = "page",
    ) -> None:
        self._manager = manager
        self._hz = hz
        self._done = done
        self._main_thread = main_thread
        self._asks = asks
        self.asks_on_page = asks == "page"
        self._turn: Turn | None = None
        self._stopped = False
        self._admission: asyncio.Task[Turn] | None = None
        self._loop = loop_thread().loop
        self._view: View | None = None
        self._begun = False
        self._admitted = threading.Event()
        self._over = threading.Event()
        self._error: BaseException | None = None
        self.result: TurnResult | None = None

    def open(self, view: View) -> None:
        """Show at once that something is going on."""
        self._view = view
        view.open()

    def begin(self, start: Coroutine[Any, Any, Turn], view: View, waits_for: WaitsFor) -> None:
        """Start the turn and show it in the opened view, in the context of the calling cell.

        What keeps it from starting is shown in the view when no cell waits to raise it.
        """
        self._begun = True
        try:
            loop_thread().submit(self._serve(start, view, waits_for))
        except RuntimeError as error:  # on the loop's own thread nobody can wait
            start.close()
            view.discard()
            raise UsageError("a model's own code cannot run a cell: await SessionManager.run instead") from error

    async def _serve(self, start: Coroutine[Any, Any, Turn], view: View, waits_for: WaitsFor) -> None:
        try:
            turn = await self._admit(start, view, waited_for=waits_for != "nothing")
            async with self._asking(turn):
                await follow(turn, view, self._hz)
            self.result = await turn.result()
            self._done(self.result)
        except BaseException as error:  # noqa: BLE001  raised in the thread that waits
            self._error = error
        finally:
            self._admitted.set()
            self._over.set()
            self._main_thread.wake()

    @asynccontextmanager
    async def _asking(self, turn: Turn) -> AsyncIterator[None]:
        """Ask what the turn asks, where no buttons can be clicked."""
        asking = asyncio.ensure_future(self._ask_each(turn)) if not self.asks_on_page else None
        try:
            yield
        finally:
            if asking is not None:
                asking.cancel()

    async def _ask_each(self, turn: Turn) -> None:
        async for event in turn.events():
            if not isinstance(event, ApprovalRequested | InputRequested):
                continue
            shown_by_then = event.at + min(2 / self._hz, SHOWN_SECONDS)  # all that was said before
            await asyncio.sleep(max(0, shown_by_then - time.time()))
            if not _is_open(turn, event):
                continue
            match event:
                case _ if self._asks == "command":
                    print(announced(turn.session_name, event))
                case ApprovalRequested():
                    await self._ask_approval(event)
                case InputRequested():
                    await self._ask_input(turn, event)

    async def _ask_approval(self, asked: ApprovalRequested) -> None:
        try:
            decision, reason = await self._main_thread.run_in_cell(partial(ask_on_stdin, asked))
        except Exception as error:  # noqa: BLE001  an unanswered call would wait for ever
            decision, reason = "reject", f"it could not be asked for ({type(error).__name__})"
        self.resolve(asked.approval_id, decision, reason)
        if decision in {"tool", "all"}:
            await asyncio.sleep(GRANT_SECONDS)  # the questions that this answers too need not be asked

    async def _ask_input(self, turn: Turn, asked: InputRequested) -> None:
        while _is_open(turn, asked):
            try:
                self.reply(asked.question_id, *await self._main_thread.run_in_cell(partial(fill_in_on_stdin, asked)))
            except UsageError as error:
                await self._main_thread.run_in_cell(partial(print, error))
            except Exception:  # noqa: BLE001  as above
                self.reply(asked.question_id, "decline")

    async def _admit(self, start: Coroutine[Any, Any, Turn], view: View, *, waited_for: bool) -> Turn:
        self._admission = asyncio.ensure_future(start)
        if self._stopped:
            self._admission.cancel()
        while not self._admission.done():
            await asyncio.wait([self._admission], timeout=TICK_SECONDS)
            view.update(Transcript())
        try:
            turn = self._admission.result()
        except BaseException as error:
            if waited_for or isinstance(error, asyncio.CancelledError):
                view.discard()
            else:
                failed = Transcript(status="failed", error=f"{type(error).__name__}: {error}")
                view.finish(failed, answer_html(failed))
            raise
        self._turn = turn
        self._admitted.set()
        if self._stopped:
            turn.cancel()
        return turn

    def resolve(self, approval_id: str, decision: Decision, reason: str = "") -> None:
        """Resolve the turn's open approval of that id; what is not open any more is left alone. From any thread."""
        if self._turn is not None:
            with suppress(ApprovalNotOpenError):
                self._turn.approvals.resolve(approval_id, decision, reason)

    def reply(self, question_id: str, action: InputAction, content: dict[str, Any] | None = None) -> None:
        """Answer what a server asked, if it still waits. From any thread. Raises `UsageError` for what does not fit."""
        if self._turn is not None:
            with suppress(QuestionNotOpenError):
                self._turn.questions.answer(question_id, action, content)

    def steer(self, text: str) -> None:
        """Tell the turn something before its next model request. From any thread. Raises `SessionMagicError`."""
        if self._turn is not None and text.strip():
            loop_thread().submit(self._manager.turns.tell(self._turn, "steer", text)).result()

    def stop(self) -> None:
        """End the turn, or what would have become one."""
        self._stopped = True
        if self._turn is not None:
            self._turn.cancel()
        elif self._admission is not None:
            self._loop.call_soon_threadsafe(self._admission.cancel)

    def wait_until_admitted(self) -> None:
        """Wait until the turn is on disk and streams; raise what kept it from that."""
        self._admitted.wait()
        self._raise()

    def wait_until_over(self) -> TurnResult | None:
        """Wait for the turn's end and its static answer; raise what kept it from starting. None: stopped before.

        Meanwhile the main thread does what the turn wants done there.
        """
        if threading.current_thread() is threading.main_thread():
            self._main_thread.serve(self._over)
        self._over.wait()
        self._raise()
        return self.result

    def _raise(self) -> None:
        if self._error is not None and not isinstance(self._error, asyncio.CancelledError):
            raise self._error

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let an interrupt stop the turn, wait a little until it has ended, and show as one line."""
        try:
            with self._main_thread.noticing_interrupts():
                yield
        except KeyboardInterrupt:
            with suppress(KeyboardInterrupt):  # pressed again: then there is no waiting
                self._end_soon()
            raise short_interrupt("turn interrupted") from None

    def _end_soon(self) -> None:
        self.stop()
        if self._begun:
            self._wait_a_little()
        elif self._view is not None:
            self._view.discard()

    def _wait_a_little(self) -> None:
        """Wait until the turn has ended, and not long for its last frame: that may also come after the cell."""
        if self._turn is not None:
            self._turn.wait(INTERRUPT_SECONDS)
            self._over.wait(FRAME_SECONDS)
        else:
            self._over.wait(INTERRUPT_SECONDS)


def _is_open(turn: Turn, asked: ApprovalRequested | InputRequested) -> bool:
    """Whether that still waits for an answer: one before may have covered it."""
    if isinstance(asked, ApprovalRequested):
        return asked.approval_id in {approval.id for approval in turn.approvals.open}
    return asked.question_id in {question.id for question in turn.questions.open}


def short_interrupt(words: str) -> KeyboardInterrupt:
    """Return an interrupt that shows as one line. It still ends Run All, which a swallowed one would not."""
    interrupt = KeyboardInterrupt(words)
    interrupt._render_traceback_ = lambda: [f"KeyboardInterrupt: {interrupt}"]  # type: ignore[attr-defined]
    return interrupt
