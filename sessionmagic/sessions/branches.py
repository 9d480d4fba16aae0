"""Changes of a session's tree of turns: take turns off the path, go to another turn, copy the tree, empty it."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from sessionmagic.conversation.names import check_name
from sessionmagic.conversation.tree import (
    forked,
    running_turns,
    with_head,
    with_interrupted_turns,
    without_latest_turns,
    without_turns,
)
from sessionmagic.exceptions import SessionExistsError
from sessionmagic.storage.claims import LATER, HeldError, Holder, busy
from sessionmagic.storage.store import new_session_id
from sessionmagic.tools.trust import with_permissions

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.conversation.session import Session
    from sessionmagic.sessions.stored import Sessions
    from sessionmagic.storage.store import Store


class Branches:
    """The trees of the stored sessions. `SessionNotFoundError` and `StoreError` are raised as by `Sessions`.

    Args:
        store: The store.
        sessions: Its sessions.
    """

    def __init__(self, store: Store, sessions: Sessions) -> None:
        self._store = store
        self._sessions = sessions

    def drop(self, session: str, count: int = 1) -> Session:
        """Take the session's latest turns off its path, so that the next turn continues the one before them.

        They stay stored, and `Request.after` can continue them. Returns the session after the change.

        Args:
            session: Name or id.
            count: The number of turns.

        Raises:
            SessionBusyError: A turn has claimed the session.
            UsageError: The path has fewer turns.
        """
        return self.change_alone(session, "%agent drop", partial(without_latest_turns, count=count, at=time.time()))

    def move_head(self, session: str, turn: str) -> Session:
        """Make a turn the head of the session, so that the next turn continues it. All turns stay stored.

        Returns the session after the change.

        Args:
            session: Name or id.
            turn: The id of the turn, or `ROOT` to begin a new path.

        Raises:
            SessionBusyError: A turn has claimed the session.
            UsageError: The session has no such turn, or it failed before the model said anything.
        """
        return self.change_alone(session, "%agent use", partial(with_head, turn_id=turn, at=time.time()))

    def reset(self, session: str) -> Session:
        """Remove all turns of the session permanently, and return it as it was before.

        Its name, star, settings, override, permissions and budget stay, and so does what its budget counts. Raises
        `SessionBusyError` when a turn has claimed it.
        """
        before = self._sessions.load(session)
        self.change_alone(before.id, "%agent reset", partial(without_turns, at=time.time()))
        return before

    def fork(self, session: str, name: str = "", *, at: str | None = None) -> Session:
        """Copy the session with all its turns, settings and permissions, and return the copy.

        The session may be running; turns that run are not copied.

        Args:
            session: Name or id.
            name: The name of the copy; by default that of the session with a number after it.
            at: The id of the turn that the copy continues, or `ROOT`; by default the session's head.

        Raises:
            SessionExistsError: The name is taken.
            UsageError: The session has no such turn, or it is still running, or the name is not valid.
        """
        original = self._sessions.load(session)
        if name:
            check_name(name)
        number = 1
        while True:
            number += 1
            copy = forked(original, new_session_id(), name or f"{original.name}-{number}", at=at, now=time.time())
            permissions, untrusted = self._sessions.trusted(original)
            if original.stamp or untrusted:
                copy = with_permissions(copy, permissions, self._store.secret())
            try:
                self._store.create(copy)
            except SessionExistsError:
                if name:
                    raise
            else:
                return copy

    def change_alone(self, session: str, where: str, change: Callable[[Session], Session]) -> Session:
        """Change a session while no turn runs; raises `SessionBusyError` if one does.

        Args:
            session: Name or id.
            where: The command that changes it, for the errors that others get meanwhile.
            change: Returns the changed session.
        """
        session_id = self._sessions.id_of(session)
        try:
            claim = self._store.claim(session_id, Holder.here(where))
        except HeldError as error:
            raise busy(self._store.load(session_id).name, error.holder, LATER) from None

        def changed(stored: Session) -> Session:
            return change(with_interrupted_turns(stored, running_turns(stored)))

        try:
            return self._store.update(session_id, changed)
        finally:
            claim.release()
