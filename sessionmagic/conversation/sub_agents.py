"""The turns of sub-agents: each is stored apart from the turn for whose tool call it works, and names that call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.conversation.tree import with_changed_turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.conversation.usage import RequestRecord


TRANSFER = "transfer_task"
"""The tool with which an agent gives a task to a sub-agent."""
HAND_OVER = "handoff"
"""The tool with which an agent hands the conversation over to another one."""
MOST_DIGITS = 10
"""Of an id that may be a place. A file of somebody else may have one of any length."""


def caller_of(turn_id: str, call_id: str) -> str:
    """Return how the turn of a sub-agent names the call that it works for."""
    return f"{turn_id}:{call_id}"


def workers_of(turn: TurnRecord, turns: Iterable[TurnRecord]) -> dict[str, list[TurnRecord]]:
    """Return the turns of the sub-agents that have worked for a turn itself, by the ids of its calls."""
    found: dict[str, list[TurnRecord]] = {}
    for each in turns:
        caller, _, call_id = (each.caller or "").partition(":")
        if each.caller is not None and caller == turn.id:
            found.setdefault(call_id, []).append(each)
    return found


def all_workers_of(turn: TurnRecord, turns: Sequence[TurnRecord]) -> list[TurnRecord]:
    """Return the turns of all sub-agents that have worked for a turn, and those of their own sub-agents."""
    known, found = {turn.id}, []
    for each in _from(turn, turns):  # each comes after the turn that it works for
        if each.caller is not None and each.caller.partition(":")[0] in known:
            known.add(each.id)
            found.append(each)
    return found


def _from(turn: TurnRecord, turns: Sequence[TurnRecord]) -> Sequence[TurnRecord]:
    """Return the turns after one, or all if its id is not its place, as it is in most sessions."""
    place = int(turn.id) if turn.id.isdecimal() and len(turn.id) < MOST_DIGITS else 0
    return turns[place:] if 0 < place <= len(turns) and turns[place - 1].id == turn.id else turns


def requests_of(turn: TurnRecord, turns: Sequence[TurnRecord]) -> list[RequestRecord]:
    """Return the model requests of a turn and of all sub-agents that have worked for it, without that for a title."""
    each = [turn, *all_workers_of(turn, turns)]
    return [request for one in each for request in one.requests if request.purpose == "answer"]


def with_ended_workers(session: Session, turn_id: str, *, at: float) -> Session:
    """Return the session after the end of a turn: what its sub-agents were still doing then counts as interrupted."""
    try:
        turn = session.turn(turn_id)
    except KeyError:
        return session
    ended = {each.id for each in all_workers_of(turn, session.turns) if each.status == "running"}
    if not ended:
        return session
    turns = (
        replace(each, status="interrupted", error_code="cancelled", finished_at=max(at, each.started_at))
        if each.id in ended
        else each
        for each in session.turns
    )
    return replace(session, turns=tuple(turns))


def with_hand_over(session: Session, turn_id: str, *, agent: str, model: str, moves_head: bool) -> Session:
    """Return the session with a turn that another agent has taken over, which then is the session's.

    Args:
        session: The session.
        turn_id: The turn.
        agent: The other agent.
        model: The reference of its model.
        moves_head: Whether the turn changes who answers later ones.
    """
    session = with_changed_turn(session, turn_id, lambda turn: replace(turn, agent=agent, model=model))
    return replace(session, current_agent=agent) if moves_head else session
