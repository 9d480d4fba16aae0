"""Cells that wait, because a turn waits for the user in another cell: they say so, and where that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.conversation.events import ApprovalRequested, ApprovalResolved, InputProvided, InputRequested
from sessionmagic.notebook.page.attention import queued_cells
from sessionmagic.turns.group import open_group

if TYPE_CHECKING:
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.notebook.page.queued_cells import QueuedCells
    from sessionmagic.turns.turn import Turn

TELLING = (ApprovalRequested, ApprovalResolved, InputRequested, InputProvided)
"""The events after which a turn may wait for the user, or wait no more."""


class CellsBehind:
    """The cells that the page has sent behind the running one, as after Run All.

    Args:
        queued: All cells that the page has sent.
        running: The id of the request of the running cell.
        place: That cell in words.
    """

    def __init__(self, queued: QueuedCells, running: str, place: str) -> None:
        self._queued = queued
        self._running = running
        self._place = place

    async def follow(self, turn: Turn) -> None:
        """Let them say that a turn of the cell waits for the user, whenever it does."""
        words = f"this cell waits: turn {turn.id} of {turn.session_name} waits for your answer in {self._place}"
        async for event in turn.events():
            if isinstance(event, TELLING):
                waits = turn.approvals.open or turn.questions.open
                self._queued.tell(turn, self._running, words if waits else "")

    def forget(self, turn: Turn) -> None:
        """Let them say nothing more of a turn that has ended. Call this before the cell ends."""
        self._queued.tell(turn, self._running, "")


def cells_behind(context: NotebookContext) -> CellsBehind | None:
    """Return the cells behind the running one; None where they are not known."""
    front_end = context.front_end
    queued = queued_cells(front_end.kernel)
    return None if queued is None else CellsBehind(queued, front_end.run, front_end.place)


def held_up(context: NotebookContext, session: str) -> str:
    """Return that a turn of this kernel keeps a session busy because it waits for the user; empty if none does.

    Args:
        context: The kernel's context.
        session: The session's name or id.
    """
    for turn in context.manager.turns.running():
        if session in {turn.session_id, turn.session_name} and turn.transcript.waits_for_an_answer:
            group = open_group(turn.session_id)
            where = f" in {group.where}" if group is not None and group.where else ""
            return f"waits for turn {turn.id} of {turn.session_name}, which waits for your answer{where}"
    return ""
