"""The turns that run under one claim on a session."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from sessionmagic.exceptions import UsageError

if TYPE_CHECKING:
    from sessionmagic.storage.store import Claim


class TurnGroup:
    """A claim on a session, and the turns that run under it. The claim is released once, by its last holder.

    The creator of a group holds the claim until it calls `leave`. Each turn holds it from its start to its end.

    Args:
        session: The session's name or id, as the caller gave it.
        claim: The claim on the session.
        new: Whether the session does not exist yet; the group's first turn then creates it.
    """

    def __init__(self, session: str, claim: Claim, *, new: bool) -> None:
        self.session = session
        self.session_id = claim.session_id
        self.new = new
        self.dead: frozenset[str] | None = None
        """The ids of the turns that are stored as running although their process has ended.

        They are found when the first turn is admitted; until then, this is None. Later on, turns of this group are
        stored as running too.
        """
        self.admitting = asyncio.Lock()
        """Held while a turn is admitted, so that the group admits one turn at a time."""
        self._claim = claim
        self._lock = threading.Lock()
        self._holders = 1

    def require(self, session: str) -> None:
        """Raise `UsageError` unless the group has claimed the session."""
        if session not in (self.session, self.session_id):
            raise UsageError(
                f"the group has claimed session {self.session!r}, not {session!r}; start the turn without the group"
            )

    def join(self) -> None:
        """Add a holder of the claim."""
        with self._lock:
            self._holders += 1

    def leave(self) -> None:
        """Remove a holder of the claim; the last one releases it. May be called from any thread."""
        with self._lock:
            self._holders -= 1
            last = self._holders == 0
        if last:
            self._claim.release()
