"""Where a new turn stands in its session's tree: after the head, or in the place of the turn that its cell has made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sessionmagic.agents.definition import ASSISTANT
from sessionmagic.conversation.tree import ROOT, parent_of_next
from sessionmagic.words import counted, suggestion, typed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.turns.request import Cell, Request


NAMES_COMPARED = 1_000
"""How many of the latest names are compared with that of a new session."""
_NO_DIGITS = str.maketrans("", "", "0123456789")


def parent_for(request: Request, session: Session) -> str | None:
    """Return the id of the turn that the requested one continues, or None if it begins a path.

    Raises `UsageError` when the turn that the request names in `after` cannot be continued.
    """
    if request.after is None and request.cell is not None and request.rerun == "branch":
        replaced = turn_of(request.cell, request, session)
        if replaced is not None and request.kind == "go" and replaced.kind != "go":
            replaced = None  # the cell had asked for the plan
        if replaced is None and request.column is not None:
            replaced = _column_of(request.cell, request, session)
        if replaced is not None:
            return replaced.parent
    return parent_of_next(session, request.after)


def agent_before_handover(request: Request, session: Session) -> str:
    """Return the agent that a cell has asked before, if that one has handed the turn over; empty for any other cell.

    Otherwise the cell would ask the agent that has taken over, as that is the session's.
    """
    if request.cell is None or request.rerun != "branch" or request.after is not None:
        return ""
    before = turn_of(request.cell, request, session)
    first = before.requests[0].agent if before is not None and before.requests else ""
    return first if before is not None and first != before.agent else ""


def turn_of(cell: Cell, request: Request, session: Session) -> TurnRecord | None:
    """Return the first turn on the path to the head that the cell of a request has started before, or None."""
    if not any(turn.cell_id == cell.id for turn in session.turns):  # as for a cell that is new
        return None
    return next((turn for turn in session.path() if _has_started(cell, request, turn)), None)


def _column_of(cell: Cell, request: Request, session: Session) -> TurnRecord | None:
    """Return the latest column that the cell has started before and that continues a turn on the path, or None."""
    path = {None, *(turn.id for turn in session.path())}
    columns = (turn for turn in reversed(session.turns) if turn.column is not None and turn.parent in path)
    return next((turn for turn in columns if _has_started(cell, request, turn)), None)


def set_aside(session: Session, parent: str | None) -> list[TurnRecord]:
    """Return the turns that leave the path when the head moves to a new turn after `parent`."""
    if parent == session.head:  # as for nearly all turns
        return []
    kept = {turn.id for turn in session.path(parent)} if parent else set()
    return [turn for turn in session.path() if turn.id not in kept]


def _has_started(cell: Cell, request: Request, turn: TurnRecord) -> bool:
    if turn.cell_id != cell.id or is_other_notebook(turn.notebook, request.notebook):
        return False
    return turn.started_at >= cell.ids_since or turn.prompt == request.prompt


def is_other_notebook(stored: str, here: str) -> bool:
    """Return whether a stored path is that of another notebook than the one at `here`, such as one it was copied from.

    A notebook whose file is gone has been renamed or moved. Without a path, nothing shows that it is another one.
    """
    if not stored or not here or stored == here:
        return False
    if Path(stored).anchor != Path(here).anchor:  # on Windows, it could be the address of another computer
        return True
    try:
        return Path(stored).exists()
    except (OSError, ValueError):  # a file from somebody else may have any text
        return True


def note_on_new(request: Request, record: TurnRecord, names: Sequence[str]) -> str:
    """Return that a session is new, who answers, and the name that the user may have meant.

    Args:
        request: What the session's first turn is asked for.
        record: That turn.
        names: The names of the other sessions, oldest first.
    """
    note = f"new session {request.session!r}"
    if request.column is None:  # a comparison says itself who answers
        agent = "" if record.agent == ASSISTANT else f"{record.agent} with "
        note += f", answered by {agent}{record.model}"
    if request.new:  # the user knows, or has given no name
        return note
    numbered = request.session.translate(_NO_DIGITS)
    others = [name for name in names[-NAMES_COMPARED:] if name.translate(_NO_DIGITS) != numbered]
    return note + suggestion(request.session, others)


def notes_on(request: Request, before: Session, record: TurnRecord) -> list[str]:
    """Return where a turn stands, in words, if that may surprise: in the place of other turns.

    Args:
        request: What the turn was asked for.
        before: The session before the turn.
        record: The turn.
    """
    if not request.moves_head or request.after not in {None, ROOT}:
        return []
    turns = set_aside(before, record.parent)
    if not turns:
        return []
    later = counted(len(turns) - 1, "later turn")
    if request.after == ROOT:
        where, kept = "from the beginning again", f"{len(turns)} turn{'s are' if len(turns) > 1 else ' is'} kept"
    else:
        where = f"in the place of turn {turns[0].id}"
        kept = f"it and {later} are kept" if len(turns) > 1 else "it is kept"
    return [f"{where}; {kept}: {_way_back(before, turns)}"]


def note_on_reused(before: Session, turn: TurnRecord) -> str:
    """Return which turns leave the path when a stored turn becomes the head, and how to go back; empty if none do."""
    turns = set_aside(before, turn.id)
    return f"{counted(len(turns), 'turn')} set aside: {_way_back(before, turns)}" if turns else ""


def _way_back(before: Session, turns: Sequence[TurnRecord]) -> str:
    return f"%agent use {typed(f'{before.name}@{turns[-1].id}')} goes back"
