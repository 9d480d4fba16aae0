"""The turns that run under one claim on a session."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sessionmagic.exceptions import UsageError
from sessionmagic.only_thread import running_loop
from sessionmagic.tools.permissions import Permissions
from sessionmagic.turns.account import Account

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.storage.store import Claim


class Hold:
    """One hold on a group's claim: of the group's creator, or of one of its turns."""

    def __init__(self, group: TurnGroup) -> None:
        self.group = group
        self.loop = running_loop()
        """The event loop on which the turn runs; None if it was claimed without one."""
        self.released = False
        self.recheck: Callable[[], None] | None = None
        """Approves the waiting calls of the turn that the session's rules now allow."""
        self.tell_permissions: Callable[[], None] | None = None
        """Lets the turn say whether its calls run unasked."""

    def release(self) -> None:
        """Give up the hold; doing so again has no effect. May be called from any thread."""
        self.group.release(self)
        self.recheck = self.tell_permissions = None  # they hold all that the turn has made


class TurnGroup:
    """A claim on a session, and the turns that run under it. The claim is released once, with its last hold.

    The creator of a group holds the claim until it calls `leave`. Each turn holds it from its admission to its end.

    Args:
        session: The session's name or id, as the caller gave it.
        claim: The claim on the session.
        new: Whether the session does not exist yet; the group's first turn then creates it.
        where: The cell or script that has claimed the session, in words.
    """

    def __init__(self, session: str, claim: Claim, *, new: bool, where: str = "") -> None:
        self.session = session
        self.where = where
        self.session_id = claim.session_id
        self.new = new
        self.dead: frozenset[str] | None = None
        """The ids of the turns that are stored as running although nothing runs them any more.

        They are found when the first turn is admitted; until then, this is None. Later on, turns of this group are
        stored as running too.
        """
        self.admitting = threading.Lock()
        """Held while a turn is admitted, so that the group admits one turn at a time."""
        self._claim = claim
        self._lock = threading.Lock()
        self._holds: list[Hold] = []
        self._ended = False
        self.permissions = Permissions({}, "strict")
        """What the session permits to the group's turns. It is read when the first one is admitted.

        It is kept here and not read from the file again: only the user may change it while turns run. What the file
        denies later holds, too.
        """
        self.account = Account("", "")
        """What the session's model requests cost. It is read from the session when the first turn is admitted."""
        self.agent_accounts: dict[str, Account] = {}
        """The accounts of the budgets that agents bring, by their owners."""
        self.resolved: dict[str, ResolvedModel] = {}
        """The models of a comparison by reference. They are resolved once, as each takes 50 ms to make its client."""
        self.on_stop: Callable[[], object] | None = None
        """Called on any thread when the user stops the session: ends what the group does beside its running turns."""
        self.permission_changes = 0
        """How many times the user has changed the permissions of the group's turns."""
        _open[self.session_id] = self
        self._own_hold: Hold | None = self.hold()

    def require(self, session: str) -> None:
        """Raise `UsageError` unless the group has claimed the session."""
        if session not in (self.session, self.session_id):
            raise UsageError(
                f"the group has claimed session {self.session!r}, not {session!r}; start the turn without the group"
            )

    def hold(self) -> Hold:
        """Hold the claim once more. Raises `UsageError` when it was released already."""
        with self._lock:
            if self._ended:
                raise UsageError(f"the group of session {self.session!r} has ended; claim the session again")
            hold = Hold(self)
            self._holds.append(hold)
        return hold

    def release(self, hold: Hold) -> None:
        """Give up a hold, unless that has happened before. The last one releases the claim."""
        with self._lock:
            if hold.released:
                return
            hold.released = True
            self._holds.remove(hold)
            self._ended = not self._holds
        if self._ended:
            if _open.get(self.session_id) is self:
                del _open[self.session_id]
            self._claim.release()

    def change_permissions(self, change: Callable[[Permissions], Permissions], *, only_at: int | None = None) -> None:
        """Change what the session permits to the group's turns.

        Args:
            change: The change.
            only_at: Do nothing unless the user has made so many changes; None counts the change as another one.
        """
        if only_at is None:
            with self.admitting, self._lock:  # a turn that is being admitted may have read the session before
                self.permissions = change(self.permissions)
                self.permission_changes += 1
            return
        with self._lock:
            if self.permission_changes == only_at:
                self.permissions = change(self.permissions)

    def recheck(self) -> None:
        """Approve the waiting calls of all turns that the session's rules now allow."""
        for hold in list(self._holds):
            if (recheck := hold.recheck) is not None:  # another thread may release the hold meanwhile
                recheck()

    def tell_permissions(self) -> None:
        """Let all turns say whether their calls run unasked."""
        for hold in list(self._holds):
            if (tell := hold.tell_permissions) is not None:
                tell()

    def leave(self) -> None:
        """Give up the creator's hold. Calling it again has no effect."""
        own, self._own_hold = self._own_hold, None
        if own is not None:
            own.release()

    def bury(self, turn_id: str) -> None:
        """Note that a turn of this group will never run, although it is stored as running."""
        self.dead = (self.dead or frozenset()) | {turn_id}


_open: dict[str, TurnGroup] = {}
"""The groups of this process that have not ended, by the id of their session."""


def open_group(session_id: str) -> TurnGroup | None:
    """Return the group of this process that has claimed the session, or None."""
    return _open.get(session_id)
