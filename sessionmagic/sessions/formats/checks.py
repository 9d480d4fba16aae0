"""Checks of a session that comes from a file: what passes can be stored, shown and continued."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.budget import checked_budget
from sessionmagic.conversation.tree import is_kept, running_turns, with_interrupted_turns
from sessionmagic.conversation.usage import Usage
from sessionmagic.exceptions import StoreError
from sessionmagic.models.settings import checked
from sessionmagic.storage.atomic import dumps
from sessionmagic.tools.permissions import SAFETIES, VERDICTS
from sessionmagic.turns.arrivals import MOST
from sessionmagic.turns.foreign import problem_with
from sessionmagic.turns.request import check_system
from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sessionmagic.conversation.column import Column, Vote
    from sessionmagic.conversation.session import Session, TurnRecord

LATEST = 253_402_300_799.0
"""The end of the year 9999 in seconds since the epoch: Python has no later dates."""
MOST_MILLISECONDS = 10**9
MOST_TOKENS = 2**53
MOST_DOLLARS = 1e9
MOST_TURNS = 10**9
TITLE_LIMIT = 200
LEVELS = 8
"""How many levels of sub-agents a session may have."""
TOO_DEEP = f"it has more than {LEVELS} levels of sub-agents"
_TURN_ID = re.compile(r"[1-9][0-9]{0,8}")


def checked_session(session: Session) -> Session:
    """Return a session from a file in the form in which our own code would have stored it.

    Raises `ValueError` or `SessionMagicError` with the reason when it cannot be stored, shown or continued.
    """
    _check_tree(session)
    _check_times(session.created_at, session.updated_at)
    _check_rules(session)
    check_system(session.system)
    _check(0 <= session.turns_started <= MOST_TURNS, "a number of turns", session.turns_started)
    ids = {turn.id for turn in session.turns}
    turns = tuple(_checked_turn(turn, ids) for turn in session.turns)
    if session.head is not None and not is_kept(next(turn for turn in turns if turn.id == session.head)):
        raise ValueError(f"turn {session.head}, which the next one would continue, has no answer")
    session = replace(
        session,
        title=_title(session.title),
        working_dir="",  # a place on the other machine
        notebook="",  # otherwise, a notebook here with the same path would go on with this session
        settings=checked(session.settings),
        budget=None if session.budget is None else checked_budget(session.budget),
        removed_usage=Usage(),  # others have paid for it
        turns=turns,
    )
    return with_interrupted_turns(session, running_turns(session))


def _title(title: str) -> str:
    return shortened(printable(" ".join(title.split())), TITLE_LIMIT)


def _check_tree(session: Session) -> None:
    ids = [turn.id for turn in session.turns]
    for turn_id in ids:
        if not _TURN_ID.fullmatch(turn_id):
            raise ValueError(f"{shortened(turn_id)!r} is not the id of a turn")
    if len(set(ids)) < len(ids):
        raise ValueError("two of its turns have the same id")
    session.require_whole()
    check_circles(session)


def check_circles(session: Session) -> None:
    """Raise `ValueError` if turns follow each other, or sub-agents work for each other, in a circle or too deep."""
    callers = {turn.id: turn.caller and turn.caller.partition(":")[0] for turn in session.turns}
    before = {turn.id: callers[turn.id] or turn.parent for turn in session.turns}
    if not set(filter(None, callers.values())) <= set(before):
        raise ValueError("a sub-agent works for a turn that is missing")
    for links in ({turn.id: turn.parent for turn in session.turns}, before):
        level: dict[str | None, int] = {None: 0}
        for start in links:
            chain: dict[str, None] = {}
            at: str | None = start
            while at is not None and at not in level:
                if at in chain:
                    what = "parents" if links is not before else "sub-agents"
                    raise ValueError(f"the {what} of turn {at} form a circle")
                chain[at] = None
                at = links[at]
            for turn in reversed(chain):
                level[turn] = level[links[turn]] + (callers[turn] is not None)
    if max(level.values()) > LEVELS:
        raise ValueError(TOO_DEEP)


def check_levels(document: Any, inner: Callable[[dict[str, Any]], list[Any]]) -> None:
    """Raise `ValueError` if the sub-agents in a JSON document are nested too deep to be read.

    Args:
        document: The document.
        inner: Returns the documents of sub-agents within one.
    """
    level = [document]
    for _ in range(LEVELS + 1):
        level = [each for outer in level if isinstance(outer, dict) for each in inner(outer) if each]
    if level:
        raise ValueError(TOO_DEEP)


def with_whole_messages(turn: TurnRecord) -> TurnRecord:
    """Return a turn whose messages have all their fields; raises `ValueError` when they cannot be read."""
    from pydantic_ai.messages import ModelMessagesTypeAdapter

    from sessionmagic.turns.messages import to_json

    if problem := problem_with(turn.messages):
        raise ValueError(f"turn {turn.id} cannot be read ({problem})")
    messages = to_json(ModelMessagesTypeAdapter.validate_python(turn.messages))
    try:
        dumps([messages, turn.value.json if turn.value is not None else None])
    except StoreError:
        raise ValueError(f"turn {turn.id} has a number that is too large, or values nested too deep") from None
    for part in (part for message in messages for part in message["parts"] if part["part_kind"] == "tool-return"):
        if not _is_timing(part["metadata"]):
            raise ValueError(f"turn {turn.id} cannot be read (the metadata of a result are not those of a call)")
    return replace(turn, messages=messages)


def _is_timing(metadata: Any) -> bool:
    """Return whether the metadata of a tool's result are in the form in which our own code stores them."""
    if metadata is None:
        return True
    if not isinstance(metadata, dict):
        return False
    seconds = metadata.get("seconds")  # None for a call that did not run
    return seconds is None or (isinstance(seconds, int | float) and 0 <= seconds <= LATEST)


def _checked_turn(turn: TurnRecord, ids: Collection[str]) -> TurnRecord:
    _check_times(turn.started_at, *([] if turn.finished_at is None else [turn.finished_at]))
    for request in turn.requests:
        _check_numbers(request.usage)
        for seconds in (request.seconds, request.first_token_seconds or 0.0):
            _check(0 <= seconds <= LATEST, "seconds", seconds)
        _check_arrivals(request.arrivals)
    check_system(turn.system)
    return replace(
        with_whole_messages(turn),
        settings=checked(turn.settings),
        previous_head=turn.previous_head if turn.previous_head in ids else None,
        covers=turn.covers if turn.covers in ids else None,
        verdicts=turn.verdicts if all({each.first, each.second} <= set(ids) for each in turn.verdicts) else [],
        column=None if turn.column is None else _checked_column(turn.column),
        vote=None if turn.vote is None else _checked_vote(turn.vote),
        waiting=[],
        origin="import",
    )


def _checked_column(column: Column) -> Column:
    _check(1 <= column.number <= MOST_TURNS, "a column", column.number)
    _check(1 <= column.repeat <= MOST_TURNS, "a repeat", column.repeat)
    return replace(column, label=_title(column.label), settings=checked(column.settings))


def _checked_vote(vote: Vote) -> Vote:
    _check_times(vote.at)
    return vote


def _check_times(*times: float) -> None:
    for at in times:
        _check(0 <= at <= LATEST, "a time", at)


def _check_numbers(usage: Any) -> None:
    for name in type(usage).__dataclass_fields__:
        value = getattr(usage, name)
        if name == "cost":
            _check(value is None or 0 <= value <= MOST_DOLLARS, "a cost", value)
        else:
            _check(0 <= value <= MOST_TOKENS, name, value)


def _check(holds: bool, what: str, value: float) -> None:  # noqa: FBT001
    if not holds or not math.isfinite(value or 0):
        raise ValueError(f"{what} of {value:g} is not possible")


def _check_arrivals(arrivals: Sequence[tuple[int, ...]]) -> None:
    """Raise `ValueError` unless each moment has a time and a length, which both only grow."""
    if len(arrivals) > MOST or any(len(each) != 2 for each in arrivals):  # noqa: PLR2004  milliseconds, characters
        raise ValueError("the times of its answers are not in the form in which they are stored")
    for before, after in pairwise([(0, 0), *arrivals]):
        _check(before[0] <= after[0] <= MOST_MILLISECONDS and before[1] <= after[1], "a time of an answer", after[0])


def _check_rules(session: Session) -> None:
    if session.safety not in SAFETIES:
        raise ValueError(f"{shortened(session.safety)!r} is not a safety mode")
    for verdict, patterns in session.permissions.items():
        if verdict not in VERDICTS:
            raise ValueError(f"{shortened(verdict)!r} is not the verdict of a rule")
        for pattern in patterns:
            if not pattern.partition(":")[0].strip():
                raise ValueError(f"the rule {shortened(pattern)!r} does not name a tool")
