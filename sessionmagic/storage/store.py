"""What a store of sessions promises, and the ids of its sessions."""

from __future__ import annotations

import re
import secrets
import time
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from sessionmagic.exceptions import SessionExistsError, SessionNotFoundError
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sessionmagic.conversation.said import TurnKey
    from sessionmagic.conversation.session import Session, SessionSummary
    from sessionmagic.storage.claims import Holder

OWN = ("agent_model_overrides", "custom_models_used", "permissions", "settings")
"""The fields of which whoever loads a session gets a copy of their own. Ended turns are shared, as they may be many."""
SESSION_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")


class Claim(Protocol):
    """The right to run turns on a session, held until `release`."""

    session_id: str

    def release(self) -> None:
        """Release the claim."""


class Store(Protocol):
    """The interface of a store. Every change is atomic, and an update never creates a session.

    No session has a text that is not a session id, as `is_session_id` tells, so such a text is never part of a path.
    """

    def create(self, session: Session) -> None:
        """Store a new session; raises `SessionExistsError` when its name or id is taken, and `StoreError`."""

    def load(self, session_id: str) -> Session:
        """Return the session; raises `SessionNotFoundError` and `StoreError`.

        Its ended turns may be shared with others who load it. Copy one before you change the lists in it.
        """

    def update(self, session_id: str, change: Callable[[Session], Session]) -> Session:
        """Apply a change to the session as it is stored now, and return the result; raises what `load` raises.

        A change that gives the session another id or name raises `ValueError`; see `rename`.
        """

    def rename(self, session_id: str, name: str) -> None:
        """Give the session another name; raises `SessionExistsError`, and what `load` raises."""

    def delete(self, session_id: str) -> None:
        """Delete the session; raises what `load` raises."""

    def find(self, name: str) -> str | None:
        """Return the id of the session with that name or id, or None."""

    def names(self) -> list[str]:
        """Return the names of sessions, oldest first, without reading any session; some may be missing or outdated."""

    def summaries(self) -> tuple[list[SessionSummary], list[str]]:
        """Return the summaries of all sessions, and a line about each file that cannot be read."""

    def turns_with(self, words: Sequence[str], limit: int, among: Collection[str] | None = None) -> list[TurnKey]:
        """Return the newest turns in which all these words were said, as `conversation.said` compares them.

        Args:
            words: The folded words.
            limit: How many turns at most.
            among: The ids of the sessions to search; None for all.
        """

    def is_claimed(self, session_id: str) -> bool:
        """Return whether a living process has claimed the session."""

    def secret(self) -> bytes:
        """Return the secret that stamps permissions, and make it if there is none; raises `StoreError`."""

    def known_secret(self) -> bytes | None:
        """Return the secret that stamps permissions, or None if there is none; raises `StoreError`."""

    def claim(self, session_id: str, holder: Holder) -> Claim:
        """Claim the session; raises `HeldError`, without waiting, when it is already claimed."""


def is_session_id(text: str) -> bool:
    """Return whether a text is the id of a session, as `new_session_id` makes them."""
    return SESSION_ID.fullmatch(text) is not None


def not_found(session_id: str) -> SessionNotFoundError:
    """Return the error for an id that no session has."""
    return SessionNotFoundError(f"no session has the id {shortened(session_id)!r}; it may have been deleted")


def name_taken(name: str) -> SessionExistsError:
    """Return the error for a name that another session has."""
    return SessionExistsError(f"a session named {name!r} already exists; choose another name")


def id_taken(session_id: str) -> SessionExistsError:
    """Return the error for a new session whose id another one has."""
    return SessionExistsError(f"a session with the id {session_id} already exists; create one with another id")


def identical(before: Session, after: Session) -> Session:
    """Return a session after a change; raises `ValueError` if the change has given it another id or name."""
    if (after.id, after.name) != (before.id, before.name):
        raise ValueError("an update must not change the id or the name of a session; rename changes the name")
    return after


def new_session_id() -> str:
    """Return a new id: the local time, for people who look at the files, and a random part."""
    return time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(4)


def own_copy(session: Session) -> Session:
    """Return a copy of a stored session for whoever loads it, which shares only the ended turns."""
    own = {name: deepcopy(getattr(session, name)) for name in OWN}
    if any(turn.status == "running" for turn in session.turns):
        # A commit writes how many messages of a running turn it keeps, so that list must be as it is on disk.
        own["turns"] = tuple(deepcopy(turn) if turn.status == "running" else turn for turn in session.turns)
    return replace(session, **own)
