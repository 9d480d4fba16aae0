"""Sessions as they may be stored: without keys and passwords."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import UsageError
from sessionmagic.keys.cleaning import without_keys_in
from sessionmagic.keys.known import KNOWN
from sessionmagic.storage.patch import changed_places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.conversation.session import Session

_EXACT = {
    "name": "name",
    "permissions": "rules",
    "agent_model_overrides": "model",
}
"""The fields that mean something else when a part is left out, and what each is."""


def storable(session: Session, before: Session | None = None, places: Sequence[int] | None = None) -> Session:
    """Return a session without keys, as a store may write it.

    Only what has changed is looked at, because the rest was clean when it was written.

    Args:
        session: The session.
        before: The session as it is stored now, if it is.
        places: The indexes of the turns that have changed, if they are known.

    Raises:
        UsageError: A key is in the name, the rules or a model of the session, where nothing can be left out.
    """
    KNOWN.look()
    for field, what in _EXACT.items():
        value = getattr(session, field)
        if (before is None or value != getattr(before, field)) and without_keys_in(value, look=False) is not value:
            raise UsageError(f"the session's {what} would contain a key, which is never stored; leave the key out")
    if places is None:
        places = changed_places(before.turns if before else (), session.turns)
    cleaned_turns = {
        at: turn for at in places if (turn := without_keys_in(session.turns[at], look=False)) is not session.turns[at]
    }
    changes: dict[str, Any] = {
        field: cleaned
        for field in ("title", "system", "settings")
        if (cleaned := without_keys_in(value := getattr(session, field), look=False)) is not value
    }
    if cleaned_turns:
        changes["turns"] = tuple(cleaned_turns.get(at, turn) for at, turn in enumerate(session.turns))
    return replace(session, **changes) if changes else session
