"""Ask a turn's questions on stdin, or print the command that answers them."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Literal

from sessionmagic.conversation.events import ApprovalRequested, InputRequested
from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.terminal.asking import Stdin, announcement, ask_on_stdin, fill_in_on_stdin

if TYPE_CHECKING:
    from sessionmagic.notebook.controls import Controls
    from sessionmagic.notebook.kernel.main_thread import MainThread
    from sessionmagic.turns.turn import Turn

Asks = Literal["page", "stdin", "prompt", "command"]
"""Where a turn's questions are answered.

By clicks on the page, on stdin, on stdin with all that is asked in the prompt because nothing else is shown in time, or
with the command ``%agent approve``.
"""
FRAMES = 2
"""How many updates of the view a question waits for, so that the text before it is shown first."""
SHOWN_SECONDS = 0.5
"""The longest that a question waits for these updates."""
GRANT_SECONDS = 0.3
"""How long to wait after a lasting approval, which is stored and then applied to the other calls that it covers."""


class Asker:
    """Asks the questions of one turn on stdin, or prints the command that answers them.

    Args:
        controls: Takes the answers.
        main_thread: Reads stdin, which only the waiting cell can do.
        asks: Where the answers come from, which is not the page.
        hz: How often the turn's view is updated, per second.
    """

    def __init__(self, controls: Controls, main_thread: MainThread, asks: Asks, hz: float) -> None:
        self._controls = controls
        self._main_thread = main_thread
        self._asks = asks
        self._stdin = Stdin(prints=asks != "prompt")
        self._delay = min(FRAMES / hz, SHOWN_SECONDS)

    async def follow(self, turn: Turn) -> None:
        """Ask each question of the turn, one after the other, until the turn ends."""
        async for event in turn.events():
            if not isinstance(event, ApprovalRequested | InputRequested):
                continue
            passed = max(0.0, time.time() - event.at)  # less than nothing if the clock was set back
            await asyncio.sleep(max(0.0, self._delay - passed))
            async with self._main_thread.asking:  # the answer to another column's question may cover this one
                if _is_open(turn, event):
                    await self._ask(turn, event)

    async def _ask(self, turn: Turn, event: ApprovalRequested | InputRequested) -> None:
        match event:
            case _ if self._asks == "command":
                column = f", {turn.column.name}," if turn.column is not None else ""
                print(announcement(f"{turn.session_name}{column}", event))
            case ApprovalRequested():
                await self._ask_approval(turn, event)
            case InputRequested():
                await self._ask_input(turn, event)

    async def _ask_approval(self, turn: Turn, asked: ApprovalRequested) -> None:
        column = turn.column.name if turn.column is not None else ""
        try:
            decision, reason = await self._main_thread.run_in_cell(partial(ask_on_stdin, asked, self._stdin, column))
        except Exception as error:  # noqa: BLE001  without an answer the call would wait forever
            decision, reason = "reject", f"the user could not be asked ({type(error).__name__})"
        self._controls.resolve(asked.approval_id, decision, reason)
        if decision in {"tool", "all"}:
            await asyncio.sleep(GRANT_SECONDS)

    async def _ask_input(self, turn: Turn, asked: InputRequested) -> None:
        while _is_open(turn, asked):
            try:
                answer = await self._main_thread.run_in_cell(partial(fill_in_on_stdin, asked, self._stdin))
                self._controls.reply(asked.question_id, *answer)
            except UsageError as error:  # the answer is not valid, so the form is asked again
                await self._main_thread.run_in_cell(partial(self._stdin.say, str(error)))
            except Exception:  # noqa: BLE001  the server would wait forever
                self._controls.reply(asked.question_id, "decline")


def _is_open(turn: Turn, asked: ApprovalRequested | InputRequested) -> bool:
    """Return whether the question is still open; an earlier answer may have covered it."""
    if isinstance(asked, ApprovalRequested):
        return asked.approval_id in {approval.id for approval in turn.approvals.open}
    return asked.question_id in {question.id for question in turn.questions.open}
