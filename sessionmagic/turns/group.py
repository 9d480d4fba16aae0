"""The turns that run under one claim on a session."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from sessionmagic.exceptions import UsageError

if TYPE_CHECKING:
    from sessionmagic.storage.store import Claim


class TurnGroup:
    """A claim on a session, and the turns that run under it. The claim is released once: when nobody holds it any more.

    Whoever makes a group holds it until `leave`; each of its turns holds it from its start to its end.

    Args:
        session: The session's name or id, as it was asked for.
        claim: The claim on it.
        new: Whether the session is still to be created, by the group's first turn.
    """

    def __init__(self, session: str, claim: Claim, *, new: bool) -> None:
        self.session = session
        self.session_id = claim.session_id
        self.new = new
        self.dead: frozenset[str] | None = None
        """The turns that say they run although their process has ended; None until the first turn is admitted."""
        self.admitting = asyncio.Lock()
        """Held while a turn is admitted, so that a group admits one at a time."""
        self._claim = claim
        self._lock = threading.Lock()
        self._holders = 1

    def require(self, session: str) -> None:
        """Raise `UsageError` unless this group has claimed that session."""
        if session not in (self.session, self.session_id):
            raise UsageError(f"this group has claimed session {self.session!r}, not {session!r}")

    def join(self) -> None:
        """Hold the claim for one turn more."""
        with self._lock:
            self._holders += 1

    def leave(self) -> None:
        """Hold the claim no longer. Whoever leaves last releases it. From any thread."""
        with self._lock:
            self._holders -= 1
            last = self._holders == 0
        if last:
            self._claim.release()
