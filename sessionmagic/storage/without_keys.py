"""Sessions as they may be stored: without keys and passwords."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import UsageError
from sessionmagic.keys.cleaning import without_keys_in
from sessionmagic.keys.known import KNOWN

if TYPE_CHECKING:
    from sessionmagic.conversation.session import Session

_EXACT = {
    "name": "name",
    "permissions": "rules",
    "agent_model_overrides": "model",
}
"""The fields that mean something else when a part is left out, and what each is."""


def storable(session: Session, before: Session | None = None) -> Session:
    """Return a session without keys, as a store may write it.

    Only what has changed is looked at, because the rest was clean when it was written.

    Args:
        session: The session.
        before: The session as it is stored now, if it is.

    Raises:
        UsageError: A key is in the name, the rules or a model of the session, where nothing can be left out.
    """
    KNOWN.look()
    for field, what in _EXACT.items():
        value = getattr(session, field)
        if (before is None or value != getattr(before, field)) and without_keys_in(value, look=False) is not value:
            raise UsageError(f"the session's {what} would contain a key, which is never stored; leave the key out")
    known = {id(turn) for turn in before.turns} if before else set()
    turns = tuple(turn if id(turn) in known else without_keys_in(turn, look=False) for turn in session.turns)
    changes: dict[str, Any] = {
        field: cleaned
        for field in ("title", "system", "settings")
        if (cleaned := without_keys_in(value := getattr(session, field), look=False)) is not value
    }
    if any(new is not old for new, old in zip(turns, session.turns, strict=True)):
        changes["turns"] = turns
    return replace(session, **changes) if changes else session
