"""The turns of a session as a tree: each turn names its parent, and the head is the turn that the next one continues.

Every change is a function from one `Session` to the next. The store applies it to the session that is on disk at that
moment, so that no change writes back a stale record.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.conversation.session import CRASHED, Session, TurnRecord
from sessionmagic.conversation.usage import RequestRecord, Usage, total
from sessionmagic.exceptions import UsageError
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence


ROOT = "root"
"""Given as the turn to continue, it begins a new path: the new turn continues none."""


def parent_of_next(session: Session, after: str | None) -> str | None:
    """Return the id of the turn that a new turn continues: `after`, or the head when `after` is None.

    For `ROOT`, and in a session without turns, it is None. Raises `UsageError` when the turn does not exist, is still
    running, or failed before the model said anything.
    """
    parent = session.head if after is None else after
    if parent is None or parent == ROOT:
        return None
    try:
        turn = session.turn(parent)
    except KeyError:
        known = f"its last turn is {session.turns[-1].id}" if session.turns else "it has no turns yet"
        raise UsageError(f"session {session.name!r} has no turn {shortened(parent)!r}; {known}") from None
    if turn.status == "running":
        raise UsageError(f"turn {parent} of session {session.name!r} is still running; name an earlier turn")
    if not is_kept(turn):
        why = (
            "is a compaction without a summary"
            if turn.kind == "compaction"
            else "failed before the model said anything"
        )
        advice = f"name turn {turn.parent}, its parent, instead" if turn.parent else "name ROOT instead"
        raise UsageError(f"turn {parent} {why}; {advice}")
    return parent


def next_turn_id(session: Session) -> str:
    """Return an id that no turn of the session has or had."""
    return str(_turns_started(session) + 1)


def _turns_started(session: Session) -> int:
    """Return how many turns were started: at least the number of the latest. `Session.whole` looks at all of them."""
    latest = session.turns[-1].id if session.turns else ""
    return max(session.turns_started, int(latest) if latest.isdecimal() else 0)


def with_turn(session: Session, turn: TurnRecord, *, moves_head: bool = True) -> Session:
    """Return the session with a new turn.

    Args:
        session: The session.
        turn: The new turn.
        moves_head: Whether the turn becomes the head, and its agent the current one.
    """
    turn = replace(turn, previous_head=session.head) if moves_head else turn
    return replace(
        session,
        turns=session.turns + (turn,),  # noqa: RUF005  unpacking would copy all turns twice
        turns_started=_turns_started(session) + 1,
        head=turn.id if moves_head else session.head,
        current_agent=turn.agent if moves_head or not session.current_agent else session.current_agent,
        updated_at=max(session.updated_at, turn.started_at),
    )


def with_changed_turn(session: Session, turn_id: str, change: Callable[[TurnRecord], TurnRecord]) -> Session:
    """Return the session with one turn replaced by `change(turn)`."""
    try:
        at = session.place_of(turn_id)
    except KeyError:
        return session
    changed = (change(session.turns[at]),)
    # Tuples are added, because unpacking them into a new one copies all turns twice.
    return replace(session, turns=session.turns[:at] + changed + session.turns[at + 1 :])


def said_something(turn: TurnRecord) -> bool:
    """Return whether the model answered at all, even if only in part. An empty text is no answer."""
    responses = (message for message in turn.messages if message["kind"] == "response")
    return any(
        part["part_kind"] not in ("text", "thinking") or part["content"]
        for response in responses
        for part in response["parts"]
    )


def is_kept(turn: TurnRecord) -> bool:
    """Return whether a turn stays on the path.

    One that failed before the model said anything does not, nor one whose first request a budget has refused, nor a
    compaction that was not completed.
    """
    if turn.kind == "compaction":
        return turn.status in ("running", "completed")
    return turn.status not in ("failed", "limit") or said_something(turn)


def with_finished_turn(
    session: Session, turn_id: str, change: Callable[[TurnRecord], TurnRecord], *, at: float
) -> Session:
    """Return the session with a turn replaced by `change(turn)` and ended.

    A turn that failed before the model said anything keeps its record, but leaves the path: the head is again what it
    was before the turn. If the clock was set back meanwhile, the turn ends when it started.
    """
    session = with_changed_turn(
        session, turn_id, lambda turn: replace(change(turn), finished_at=max(at, turn.started_at))
    )
    return replace(_with_kept_head(session), updated_at=max(session.updated_at, at))


def _with_kept_head(session: Session) -> Session:
    """Return the session with its head moved back to a turn that stays on the path."""
    head = session.head
    with suppress(KeyError):  # there is no such turn
        while head is not None and not is_kept(turn := session.turn(head)):  # several turns of a group may have failed
            head = turn.previous_head
        return session if head == session.head else replace(session, head=head)
    return replace(session, head=None)


def without_latest_turns(session: Session, count: int, *, at: float) -> Session:
    """Return the session with its head moved back by `count` turns, which stay stored as a branch.

    Raises `UsageError` when the path to the head has fewer turns.
    """
    path = session.path()
    if count < 1:
        raise UsageError("the number of turns to drop must be 1 or more")
    if not path:
        raise UsageError(f"the next turn of session {session.name!r} already starts from the beginning")
    if count > len(path):
        has = f"only {len(path)} turns" if len(path) > 1 else "only one turn"
        raise UsageError(f"session {session.name!r} has {has} to drop")
    return replace(session, head=path[-count].parent, updated_at=max(session.updated_at, at))


def with_head(session: Session, turn_id: str, *, at: float) -> Session:
    """Return the session with a turn as its head, or before its first turn if that is `ROOT`.

    Raises `UsageError` when a new turn could not continue that one; see `parent_of_next`.
    """
    return replace(session, head=parent_of_next(session, turn_id), updated_at=max(session.updated_at, at))


def without_turns(session: Session, *, at: float) -> Session:
    """Return the session without any turns, as if none had been started. What they have used is still known."""
    return replace(
        session,
        turns=(),
        turns_started=0,
        head=None,
        title="",
        removed_usage=total([session.removed_usage, session.usage]),
        updated_at=max(session.updated_at, at),
    )


def forked(session: Session, session_id: str, name: str, *, at: str | None, now: float) -> Session:
    """Return a copy of a session with another id and name, without the turns that are running.

    Args:
        session: The session.
        session_id: The id of the copy.
        name: The name of the copy.
        at: The id of the copy's head, or `ROOT`; None for the head of the session.
        now: The time of the copy.

    Raises `UsageError` when a new turn could not continue the head.
    """
    running = running_turns(session)
    turns = tuple(replace(turn, origin=turn.origin or "fork") for turn in session.turns if turn.id not in running)
    return replace(
        session,
        id=session_id,
        name=name,
        created_at=now,
        updated_at=now,
        starred=False,
        removed_usage=Usage(),
        turns=turns,
        head=parent_of_next(session, at),
    )


def sub_agent_turns(session: Session) -> set[str]:
    """Return the ids of the turns of sub-agents: those with a caller, and those that continue one."""
    found: set[str] = set()
    for turn in session.turns:  # each comes after the turn that it continues
        if turn.caller is not None or turn.parent in found:
            found.add(turn.id)
    return found


def running_turns(session: Session) -> frozenset[str]:
    """Return the ids of the turns with the status ``"running"``."""
    return frozenset(turn.id for turn in session.turns if turn.status == "running")


def with_interrupted_turns(session: Session, dead: Collection[str]) -> Session:
    """Return the session with dead turns marked as interrupted.

    Args:
        session: The session.
        dead: The ids of turns whose process ended before they did.
    """
    if not dead:
        return session
    turns = tuple(
        replace(
            turn,
            status="interrupted",
            error_code=CRASHED,
            error="its process ended",
            waiting=[],
            warnings=[*turn.warnings, *undelivered(turn.waiting)],
            requests=[*turn.requests, *_cut_off(turn)],
        )
        if turn.id in dead and turn.status == "running"
        else turn
        for turn in session.turns
    )
    session = replace(session, turns=turns)
    return _with_kept_head(session) if session.head in dead else session


def _cut_off(turn: TurnRecord) -> list[RequestRecord]:
    """Return a record of the model request that was open when the turn's process ended, if there was one.

    After a whole response, the turn was busy with the calls of the response.
    """
    last = turn.messages[-1] if turn.messages else {}
    if last.get("kind") == "response" and last.get("state") != "interrupted":
        return []
    return [RequestRecord(agent=turn.agent, model=None, usage=Usage(unmeasured_requests=1))]


def undelivered(texts: Sequence[str]) -> list[str]:
    """Return a list with one warning that quotes the undelivered messages, or an empty list when there are none."""
    return [f"not delivered to the model: {' · '.join(texts)}"] if texts else []
