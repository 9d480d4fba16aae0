"""Asking a turn's questions where the page has no buttons that can be clicked."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Literal

from sessionmagic.conversation.events import ApprovalRequested, InputRequested
from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.terminal.asking import announced, ask_on_stdin, fill_in_on_stdin

if TYPE_CHECKING:
    from sessionmagic.notebook.controls import Controls
    from sessionmagic.notebook.kernel.main_thread import MainThread
    from sessionmagic.turns.turn import Turn

Asks = Literal["page", "stdin", "command"]
"""How a turn's questions are answered: with a click, on stdin, or with ``%agent approve`` when neither is possible."""
FRAMES = 2
SHOWN_SECONDS = 0.5
"""How long a question waits for the view to show the text before it: so many updates, and at most that long."""
GRANT_SECONDS = 0.3
"""How long a lasting approval may take until it is on disk and has resolved the other calls that it covers."""


class Asker:
    """Asks the questions of one turn on stdin, or prints the command that answers them.

    Args:
        controls: takes the answers.
        main_thread: reads stdin, as only the cell that waits there can.
        asks: ``"stdin"`` or ``"command"``.
        hz: how often the view of the turn is updated, per second.
    """

    def __init__(self, controls: Controls, main_thread: MainThread, asks: Asks, hz: float) -> None:
        self._controls = controls
        self._main_thread = main_thread
        self._asks = asks
        self._delay = min(FRAMES / hz, SHOWN_SECONDS)

    async def follow(self, turn: Turn) -> None:
        """Ask each question of the turn, one after the other, until the turn ends."""
        async for event in turn.events():
            if not isinstance(event, ApprovalRequested | InputRequested):
                continue
            await asyncio.sleep(max(0, event.at + self._delay - time.time()))
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
        except Exception as error:  # noqa: BLE001  without an answer the call would wait forever
            decision, reason = "reject", f"the user could not be asked ({type(error).__name__})"
        self._controls.resolve(asked.approval_id, decision, reason)
        if decision in {"tool", "all"}:
            await asyncio.sleep(GRANT_SECONDS)

    async def _ask_input(self, turn: Turn, asked: InputRequested) -> None:
        while _is_open(turn, asked):
            try:
                answer = await self._main_thread.run_in_cell(partial(fill_in_on_stdin, asked))
                self._controls.reply(asked.question_id, *answer)
            except UsageError as error:  # the answer is not valid, so the form is asked again
                await self._main_thread.run_in_cell(partial(print, error))
            except Exception:  # noqa: BLE001  the server would wait forever
                self._controls.reply(asked.question_id, "decline")


def _is_open(turn: Turn, asked: ApprovalRequested | InputRequested) -> bool:
    """Return True if this still waits for an answer: the answer to another call may have covered it."""
    if isinstance(asked, ApprovalRequested):
        return asked.approval_id in {approval.id for approval in turn.approvals.open}
    return asked.question_id in {question.id for question in turn.questions.open}
