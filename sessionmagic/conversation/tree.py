"""The turns of a session as a tree: each turn names its parent, and the head is the turn that the next one continues.

Every change is a function from one `Session` to the next, so that the store applies it to what is on disk at that
moment, and no change writes back a stale record.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.conversation.session import CRASHED, Session, TurnRecord, title_of
from sessionmagic.exceptions import UsageError
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence


def parent_of_next(session: Session, after: str | None) -> str | None:
    """Return the id of the turn that a new turn continues: `after`, or the head when that is None.

    Raises `UsageError` when there is no such turn, it is still running, or it failed before the model said anything.
    """
    parent = session.head if after is None else after
    if parent is None:
        return None
    turn = next((turn for turn in session.turns if turn.id == parent), None)
    if turn is None:
        known = f"it has turns 1 to {session.turns[-1].id}" if session.turns else "it has no turns yet"
        raise UsageError(f"session {session.name!r} has no turn {shortened(parent)!r}; {known}")
    if turn.status == "running":
        raise UsageError(f"turn {parent} of session {session.name!r} is still running; name an earlier turn")
    if not is_kept(turn):
        before = f"turn {turn.parent}, which it came after" if turn.parent else "no turn, as it was the first"
        raise UsageError(f"turn {parent} failed before the model said anything; name {before}")
    return parent


def next_turn_id(session: Session) -> str:
    """Return an id that no turn of the session has had."""
    return str(max((int(turn.id) for turn in session.turns if turn.id.isdecimal()), default=0) + 1)


def with_turn(session: Session, turn: TurnRecord, *, moves_head: bool = True) -> Session:
    """Add a new turn, which becomes the head. The first prompt gives a session without a title its title."""
    return replace(
        session,
        turns=(*session.turns, turn),
        head=turn.id if moves_head else session.head,
        current_agent=turn.agent if moves_head or not session.current_agent else session.current_agent,
        title=session.title or title_of(turn.prompt),
        updated_at=turn.started_at,
    )


def with_changed_turn(session: Session, turn_id: str, change: Callable[[TurnRecord], TurnRecord]) -> Session:
    """Replace one turn by `change(turn)`."""
    turns = tuple(change(turn) if turn.id == turn_id else turn for turn in session.turns)
    return replace(session, turns=turns)


def said_something(turn: TurnRecord) -> bool:
    """Return whether the model answered at all, if only in part."""
    return any(message["kind"] == "response" and message["parts"] for message in turn.messages)


def is_kept(turn: TurnRecord) -> bool:
    """Return whether a turn may be on the path: one that failed before the model said anything may not."""
    return turn.status != "failed" or said_something(turn)


def with_finished_turn(
    session: Session, turn_id: str, change: Callable[[TurnRecord], TurnRecord], *, at: float
) -> Session:
    """End a turn. When it failed before the model said anything, only its record stays: the head goes to its parent."""
    session = with_changed_turn(session, turn_id, lambda turn: replace(change(turn), finished_at=at))
    ended = session.turn(turn_id)
    head = ended.parent if session.head == turn_id and not is_kept(ended) else session.head
    return replace(session, head=head, updated_at=at)


def running_turns(session: Session) -> frozenset[str]:
    """Return the ids of the turns whose record says that they run."""
    return frozenset(turn.id for turn in session.turns if turn.status == "running")


def with_interrupted_turns(session: Session, dead: Collection[str]) -> Session:
    """Mark these turns as interrupted: their process has ended."""
    turns = tuple(
        replace(
            turn,
            status="interrupted",
            error_code=CRASHED,
            error="it was cut off",
            waiting=[],
            warnings=[*turn.warnings, *undelivered(turn.waiting)],
        )
        if turn.id in dead and turn.status == "running"
        else turn
        for turn in session.turns
    )
    return replace(session, turns=turns)


def undelivered(texts: Sequence[str]) -> list[str]:
    """Return a warning that names the messages of the user that did not reach the model, if there are any."""
    return [f"this never reached the model: {' · '.join(texts)}"] if texts else []
