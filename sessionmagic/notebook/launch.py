"""Start a cell's turn on the loop thread, show it, wait for it, and stop it if the cell is interrupted."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from sessionmagic.conversation.transcript import Transcript
from sessionmagic.exceptions import ApprovalNotOpenError, QuestionNotOpenError, SessionIdleError, UsageError
from sessionmagic.loop import result_of
from sessionmagic.notebook.asker import Asker
from sessionmagic.notebook.captions import status_line
from sessionmagic.notebook.cell_work import INTERRUPT_SECONDS, CellWork
from sessionmagic.notebook.view import TICK_SECONDS, follow
from sessionmagic.turns.group import open_group
from sessionmagic.turns.unasked import ask_again, is_everything_approved

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, Literal

    from sessionmagic.conversation.events import Decision, InputAction
    from sessionmagic.notebook.asker import Asks
    from sessionmagic.notebook.cells_behind import CellsBehind
    from sessionmagic.notebook.controls import ModelChoice
    from sessionmagic.notebook.kernel.main_thread import MainThread
    from sessionmagic.notebook.view import Rate, View
    from sessionmagic.turns.turn import Turn, TurnResult

    WaitsFor = Literal["nothing", "start", "end"]
    """How long a cell waits: not at all, until its turn has started, or until its turn has ended."""
OPEN_SECONDS = 0.2
"""How long after its cell began a turn's view opens if the turn has not started by then.

A turn that is refused sooner leaves nothing under its cell.
"""
FRAME_SECONDS = 0.05
"""How long an interrupted cell waits for the last update of its view, if a later one still reaches the page."""


class Launch(CellWork):
    """Starts one turn, shows it and waits for it; also serves as its `Controls`.

    Args:
        tell: Sends the running turn a message for its next model request.
        rate: How often the view is updated.
        done: Called with the turn's result, on the loop thread, before the waiting cell continues.
        main_thread: Runs the calls that need the main thread while the cell waits.
        asks: Where the turn's questions are answered.
    """

    def __init__(
        self,
        tell: Callable[[Turn, str], Coroutine[Any, Any, object]],
        rate: Rate,
        done: Callable[[TurnResult], object],
        main_thread: MainThread,
        *,
        asks: Asks = "page",
    ) -> None:
        super().__init__(main_thread, "turn interrupted")
        self._tell = tell
        self._rate = rate
        self._done = done
        self.asks_on_page = asks == "page"
        self.late = True
        """Whether output is shown that comes after the cell has ended."""
        self.takes_messages = True
        self.takes_code = False
        self.cells_behind: CellsBehind | None = None
        """The cells that wait for that of the turn, if they are known."""
        self.held_up: Callable[[], str] = str
        """Returns what keeps the turn from starting, in words; empty if that is not known."""
        self.choice_of: Callable[[str], ModelChoice] | None = None
        """Returns the choice of the model for a session, by its id."""
        self.code_taken = False
        """Whether the user wants the code of the answer in a new cell."""
        self._asker = None if self.asks_on_page else Asker(self, main_thread, asks, rate.hz)
        self._turn: Turn | None = None
        self._stopped = False
        self._waits_for_session = False
        self._admission: asyncio.Task[Turn] | None = None
        self._serving: asyncio.Task[None] | None = None
        self._view: View | None = None
        self._opens_at = time.monotonic() + OPEN_SECONDS  # the first cell of a kernel imports more before it begins
        self._begun = False
        self._admitted: Future[None] = Future()
        """Done when the turn has started, or failed to."""

    def show_in(self, view: View) -> None:
        """Keep the view in which the turn will be shown."""
        self._view = view

    def begin(self, start: Coroutine[Any, Any, Turn], view: View, waits_for: WaitsFor) -> None:
        """Start the turn and show it in the view, in the context of the calling cell.

        An error that prevents the start is shown in the view if no cell waits for it. Raises `UsageError` on the
        loop thread, where waiting for the turn would block the turn itself.
        """
        self._begun = True
        if waits_for == "nothing":  # the view must belong to this cell, which may end before the turn starts
            view.open()
        try:
            self._submit(self._run(start, view, waits_for))
        except UsageError:
            start.close()
            view.discard()
            raise

    async def start(self, start: Coroutine[Any, Any, Turn], view: View) -> Turn:
        """Start and show the turn as `begin` does, but on the loop thread; return the turn once it has started."""
        self._begun = True
        serving = self._serve(self._run(start, view, "start"))
        self._serving = asyncio.ensure_future(serving)  # kept, so that it is not collected
        await asyncio.sleep(0)  # lets `_run` create the admission
        return await asyncio.shield(cast("asyncio.Task[Turn]", self._admission))

    @property
    def transcript(self) -> Transcript | None:
        """The turn as it is now; None before it has started."""
        return None if self._turn is None else self._turn.transcript

    @property
    def text(self) -> str:
        """The answer so far."""
        return "" if self._turn is None else self._turn.transcript.text

    def status_line(self, opened_at: float) -> str:
        """Return the session, model, time, tokens and current activity of the turn, as its view shows them."""
        transcript = self.transcript or Transcript(waits_for_session=self._waits_for_session)
        return status_line(transcript, "", "", opened_at)

    @property
    def stopped(self) -> bool:
        """Whether the user has ended the turn."""
        return self._stopped

    @property
    def begun(self) -> bool:
        """Whether the launch has tried to start the turn."""
        return self._begun

    async def run(self, start: Coroutine[Any, Any, Turn], view: View) -> None:
        """Start the turn and show it, on the loop thread. An error that prevents the start is shown in the view."""
        self._begun = True
        await self._serve(self._run(start, view, "nothing"))

    async def _run(self, start: Coroutine[Any, Any, Turn], view: View, waits_for: WaitsFor) -> None:
        try:
            turn = await self._admit(start, view, waited_for=waits_for != "nothing")
            await self._show(turn, view, raises=waits_for == "end")
            self.result = result = await turn.result()
            self._done(result)
        except BaseException as error:
            self._error = error  # before the cell goes on that waits for the start
            raise
        finally:
            self._view = None  # whoever keeps the result keeps the launch, and the view holds widgets
            if not self._admitted.done():
                self._admitted.set_result(None)

    async def _admit(self, start: Coroutine[Any, Any, Turn], view: View, *, waited_for: bool) -> Turn:
        """Return the turn once it has started, or show in the view why it has not."""
        self._admission = asyncio.ensure_future(start)
        if self._stopped:  # before there was a task to cancel
            self._admission.cancel()
        opened = not waited_for
        if waited_for:
            await asyncio.wait([self._admission], timeout=max(0.0, self._opens_at - time.monotonic()))
        if waited_for and not self._admission.done():
            view.open()
            opened = True
        while not self._admission.done():
            view.update(Transcript(waits_for_session=self._waits_for_session, remark=self.held_up()))
            await asyncio.wait([self._admission], timeout=TICK_SECONDS)
        try:
            turn = self._admission.result()
        except BaseException as error:
            if waited_for or isinstance(error, asyncio.CancelledError):
                view.discard()
            else:
                failed = Transcript(status="failed", error=f"{type(error).__name__}: {error}")
                view.finish(failed, view.rendered(failed))
            raise
        if not opened:
            view.open()
        self._turn = turn
        self._admitted.set_result(None)
        if self._stopped:  # `stop` was called while the turn was starting
            turn.cancel()
        return turn

    async def _show(self, turn: Turn, view: View, *, raises: bool) -> None:
        """Show the turn until it ends, and ask its questions if the page does not.

        If the cell raises the turn's error, the answer does not repeat it.
        """
        followers = [each.follow(turn) for each in (self._asker, self.cells_behind) if each is not None]
        tasks = [asyncio.ensure_future(each) for each in followers]
        try:
            await follow(turn, view, self._rate, with_error=not raises)
        finally:
            for task in tasks:
                task.cancel()
            if self.cells_behind is not None:
                self.cells_behind.forget(turn)

    def resolve(self, approval_id: str, decision: Decision, reason: str = "") -> None:
        """Decide on a tool call of the turn; do nothing if it no longer waits. Safe on any thread."""
        if self._turn is not None:
            with suppress(ApprovalNotOpenError):
                self._turn.approvals.resolve(approval_id, decision, reason)

    @property
    def everything_approved(self) -> bool:
        """Whether everything was approved in the turn's session until this kernel ends."""
        group = None if self._turn is None else open_group(self._turn.session_id)
        return group is not None and is_everything_approved(group.session_id, group.permissions.safety)

    def ask_again(self) -> None:
        """Take back that everything was approved in the turn's session. Safe on any thread."""
        if self._turn is not None:
            ask_again(self._turn.session_id)

    def reply(self, question_id: str, action: InputAction, content: dict[str, Any] | None = None) -> None:
        """Answer a server's question; do nothing if it no longer waits. Safe on any thread.

        Raises `UsageError` for content that does not match the question's schema.
        """
        if self._turn is not None:
            with suppress(QuestionNotOpenError):
                self._turn.questions.answer(question_id, action, content)

    def steer(self, text: str) -> None:
        """Send a message for the next model request. Safe on any thread but the loop's.

        Raises `SessionMagicError` if the turn has ended, or too many messages are waiting.
        """
        if self._turn is not None and text.strip():
            result_of(self._tell(self._turn, text))

    def model_choice(self) -> ModelChoice:
        """Return the choice of the model for the next turns of the turn's session. Raises `SessionIdleError`."""
        if self._turn is None or self.choice_of is None:
            raise SessionIdleError("the turn has not started yet; try again")
        return self.choice_of(self._turn.session_id)

    def wait_for_session(self) -> None:
        """Let the view say that the turn waits for its session."""
        self._waits_for_session = True

    def take_code(self) -> None:
        """Remember that the user wants the code of the answer in a new cell. Safe on any thread."""
        self.code_taken = True

    def stop(self) -> None:
        """End the turn, or prevent it from starting. Safe at any time, on any thread."""
        self._stopped = True
        if self._turn is not None:
            self._turn.cancel()
        elif self._admission is not None:
            self._thread.loop.call_soon_threadsafe(self._admission.cancel)

    def wait_until_admitted(self) -> None:
        """Wait until the turn has started; raise the error that prevented it from starting."""
        self._thread.wait(self._admitted)
        self._raise()

    def wait_until_over(self) -> TurnResult | None:
        """Wait until the turn has ended and its answer is shown; return its result, or None if it never started.

        Meanwhile, the main thread makes the calls that the turn sends there. Raises the error that prevented the turn
        from starting.
        """
        self._wait()
        result: TurnResult | None = self.result
        return result

    def _wait_briefly(self) -> None:
        if not self._begun:
            if self._view is not None:
                self._view.discard()
        elif self._turn is not None:
            self._turn.wait(INTERRUPT_SECONDS)
            self._thread.wait(self._ended, FRAME_SECONDS if self.late else INTERRUPT_SECONDS)
        else:
            self._thread.wait(self._ended, INTERRUPT_SECONDS)

    def _leave(self) -> None:
        if (view := self._view) is not None:
            view.release()
