"""Claim sessions: at once, or when they are no longer busy."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

from sessionmagic.exceptions import SessionExistsError, SessionNotFoundError
from sessionmagic.loop import in_thread, is_cancelled, settled_in_thread
from sessionmagic.storage.claims import LATER, HeldError, Holder, busy
from sessionmagic.storage.store import is_session_id, new_session_id
from sessionmagic.turns.group import TurnGroup
from sessionmagic.turns.turn import current_turn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sessionmagic.exceptions import SessionBusyError
    from sessionmagic.sessions.running import RunningTurns
    from sessionmagic.storage.store import Claim, Store

    C = TypeVar("C", Claim, Claim | None)

POLL_SECONDS = 0.05
"""The time between two attempts to claim a busy session."""
STOP_SECONDS = 5.0
"""How long to wait for the end of a turn that was asked to stop."""


class Patience:
    """How long a caller waits for busy sessions, counted from now.

    Args:
        seconds: The time.
        on_wait: Called whenever a session is found busy, and is waited for.
    """

    def __init__(self, seconds: float, on_wait: Callable[[], object] | None = None) -> None:
        self.on_wait = on_wait or (lambda: None)
        self.advice = "wait longer with --wait" if seconds > 0 else "--wait waits for its end"
        self._end = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._end


class Claiming:
    """Claims the sessions of a store for the turns of this process.

    Args:
        store: The store of the sessions.
        turns: The turns that run in this process.
    """

    def __init__(self, store: Store, turns: RunningTurns) -> None:
        self._store = store
        self._turns = turns

    async def group(self, session: str, where: str, patience: Patience, *, new: bool = False) -> TurnGroup:
        """Claim a session for a group of turns; the session may not exist yet.

        Args:
            session: Name or id.
            where: The cell or script that claims the session, for the errors that others get.
            patience: How long to wait for a busy session.
            new: Raise `SessionExistsError` if the session exists.

        Raises `SessionBusyError`, `StoreError`, and `SessionNotFoundError` for an id that no session has.
        """
        fresh = new_session_id()

        def attempt() -> Claim | None:
            session_id = self._store.find(session)
            if session_id is not None and new:
                raise already_exists(session)
            if session_id is None and is_session_id(session):
                raise SessionNotFoundError(f"no session has the id {session!r}; it may have been deleted")
            claim = self._store.claim(session_id or fresh, Holder.here(where))
            try:
                found_again = self._store.find(session)
            except BaseException:
                claim.release()
                raise
            if found_again == session_id:
                return claim
            claim.release()  # created, renamed or deleted before it was claimed
            return None

        while (claim := await self._when_free(attempt, patience, patience.advice)) is None:
            pass
        return TurnGroup(session, claim, new=claim.session_id == fresh, where=where)

    async def for_deletion(self, session_id: str, seconds: float) -> Claim:
        """Stop the session's turns and claim it; wait for other processes for `seconds`."""

        def attempt() -> Claim:
            return self._store.claim(session_id, Holder.here("a deletion"))

        async def stop_turns() -> None:  # again and again, as a prompt that waits may claim the session first
            turns = self._turns.of_id(session_id)
            self._turns.stop_id(session_id)
            for turn in turns:
                await turn.ended(STOP_SECONDS)

        return await self._when_free(attempt, Patience(seconds), LATER, stop_turns)

    async def _when_free(
        self,
        attempt: Callable[[], C],
        patience: Patience,
        advice: str,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> C:
        """Repeat an attempt to claim a session while it is busy; raises `SessionBusyError` with the advice."""
        while True:
            if before is not None:
                await before()
            try:
                claim, cancelled = await settled_in_thread(attempt)
            except HeldError as error:
                if is_cancelled():
                    raise asyncio.CancelledError from None
                if patience.is_over or _is_called_by_turn_of(error.session_id):
                    raise await self._busy(error.session_id, error.holder, advice) from None
                patience.on_wait()
                await asyncio.sleep(POLL_SECONDS)
            else:
                if cancelled:
                    if claim is not None:
                        claim.release()
                    raise asyncio.CancelledError
                return claim

    async def _busy(self, session_id: str, holder: Holder | None, advice: str) -> SessionBusyError:
        name = (await in_thread(self._store.load, session_id)).name
        waits = any(turn.transcript.waits_for_an_answer for turn in self._turns.of_id(session_id))
        return busy(name, holder, advice, waits_for_answer=waits)


def already_exists(session: str) -> SessionExistsError:
    """Return the error for a new session whose name is taken."""
    return SessionExistsError(f"a session named {session!r} already exists; drop --new to continue it")


def _is_called_by_turn_of(session_id: str) -> bool:
    """Return whether the caller runs in a turn of the session, or in one that such a turn has started.

    If it waited for the session, the turn would wait for its own end.
    """
    turn = current_turn.get(None)
    while turn is not None and turn.session_id != session_id:
        turn = turn.within
    return turn is not None
