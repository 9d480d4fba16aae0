"""The difference between two states of a session, as JSON: what a commit writes."""

from __future__ import annotations

from dataclasses import fields
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.session import Session, TurnRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Patch = dict[str, Any]
"""What a commit changes. All parts may be missing.

- ``session``: the changed fields of the session, except its turns.
- ``count``: how many turns are left, if turns were removed.
- ``turns``: by the place of each changed or new turn, counted from 1, its changed fields. Instead of the messages, it
  has how many of them are ``kept``, and the messages ``then``.
"""

SESSION_FIELDS = tuple(field.name for field in fields(Session) if field.name != "turns")
TURN_FIELDS = tuple(field.name for field in fields(TurnRecord) if field.name != "messages")
CHUNK = 512
_session_values = attrgetter(*SESSION_FIELDS)
_turn_values = attrgetter(*TURN_FIELDS)


def patch_between(before: Session, after: Session, places: Iterable[int]) -> Patch:
    """Return what changes one state of a session into another; empty if they are equal.

    Args:
        before: The first state.
        after: The second one.
        places: The `changed_places` of their turns.
    """
    patch: Patch = {}
    if changed := _changed_fields(SESSION_FIELDS, _session_values(before), _session_values(after)):
        patch["session"] = changed
    if len(after.turns) < len(before.turns):
        patch["count"] = len(after.turns)
    turns = {
        str(at + 1): change
        for at in places
        if (change := _turn_patch(before.turns[at] if at < len(before.turns) else None, after.turns[at]))
    }
    if turns:
        patch["turns"] = turns
    return patch


def changed_places(before: Sequence[TurnRecord], after: Sequence[TurnRecord]) -> list[int]:
    """Return the indexes of the turns in `after` that are new or differ from the turn at the same place.

    Turns that are the same objects cost next to nothing, so a session of any length is compared in a moment.
    """
    both = min(len(before), len(after))
    differing = [
        at
        for start in range(0, both, CHUNK)
        if before[start : start + CHUNK] != after[start : start + CHUNK]
        for at in range(start, min(start + CHUNK, both))
        if before[at] is not after[at] and before[at] != after[at]
    ]
    return [*differing, *range(both, len(after))]


def applied(
    session: dict[str, Any], turns: Sequence[Any], patches: Iterable[Patch]
) -> tuple[dict[str, Any], dict[int, dict[str, Any]], int]:
    """Apply patches to a session.

    Args:
        session: The fields of the session, except its turns.
        turns: Its turns: the fields of each one, or a `TurnRecord`.
        patches: The patches, in order.

    Returns the fields of the session, those of each turn that is changed or new by its index, and the number of turns.
    Raises `KeyError`, `TypeError`, `AttributeError` or `ValueError` for a patch that does not fit.
    """
    session, length, old = dict(session), len(turns), len(turns)
    changed: dict[int, dict[str, Any]] = {}
    for patch in patches:
        session |= patch.get("session", {})
        if "count" in patch:
            length = _checked(patch["count"], range(length + 1))
            old = min(old, length)
            changed = {at: fields for at, fields in changed.items() if at < length}
        for key, change in patch.get("turns", {}).items():
            at = _checked(int(key) - 1, range(length + 1))
            known = changed.get(at) or (_fields_of(turns[at]) if at < old else {"messages": []})
            changed[at] = _changed_turn(known, change)
            length = max(length, at + 1)
    return session, changed, length


def merged(turns: Sequence[Any], changed: dict[int, Any], length: int) -> list[Any]:
    """Return the turns with the changed ones in their places, from the first that was changed on."""
    first = min(changed, default=length)
    return [changed[at] if at in changed else turns[at] for at in range(first, length)]


def _turn_patch(before: TurnRecord | None, after: TurnRecord) -> dict[str, Any]:
    if before is None:
        values = dict(zip(TURN_FIELDS, _turn_values(after), strict=True))
        return {**values, "kept": 0, "then": after.messages}
    change = _changed_fields(TURN_FIELDS, _turn_values(before), _turn_values(after))
    pairs = zip(count(), before.messages, after.messages)
    kept = next((at for at, old, new in pairs if old is not new and old != new), None)
    kept = min(len(before.messages), len(after.messages)) if kept is None else kept
    if kept < max(len(before.messages), len(after.messages)):
        change |= {"kept": kept, "then": after.messages[kept:]}
    return change


def _changed_fields(names: Iterable[str], before: Iterable[Any], after: Iterable[Any]) -> dict[str, Any]:
    return {name: new for name, old, new in zip(names, before, after, strict=True) if old is not new and old != new}


def _changed_turn(turn: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    messages = turn["messages"]
    if "kept" in change:
        messages = [*messages[: _checked(change["kept"], range(len(messages) + 1))], *change["then"]]
    changes = {name: value for name, value in change.items() if name not in ("kept", "then")}
    return {**turn, **changes, "messages": messages}


def _fields_of(turn: Any) -> dict[str, Any]:
    if isinstance(turn, TurnRecord):
        return {**dict(zip(TURN_FIELDS, _turn_values(turn), strict=True)), "messages": turn.messages}
    fields_: dict[str, Any] = turn
    return fields_


def _checked(number: Any, allowed: range) -> int:
    if not isinstance(number, int) or number not in allowed:
        raise ValueError(f"a commit changes a place that does not exist ({number})")
    return number
