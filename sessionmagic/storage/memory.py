"""A store in memory, for tests and for sessions that need not be kept."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.conversation.session import Session, SessionSummary, summarize
from sessionmagic.storage.claims import HeldError, Holder
from sessionmagic.storage.scan import scanned
from sessionmagic.storage.secret import new_secret
from sessionmagic.storage.store import id_taken, identical, is_session_id, name_taken, not_found, own_copy
from sessionmagic.storage.without_keys import storable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sessionmagic.conversation.said import TurnKey


class MemoryStore:
    """Sessions that last as long as the process, with the same guarantees as `TinyStore`."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._claims: dict[str, Holder] = {}
        self._lock = threading.RLock()
        self._secret = new_secret()

    def create(self, session: Session) -> None:
        with self._lock:
            if not is_session_id(session.id):
                raise not_found(session.id)
            if any(other.name == session.name for other in self._sessions.values()):
                raise name_taken(session.name)
            if session.id in self._sessions:
                raise id_taken(session.id)
            self._sessions[session.id] = own_copy(storable(session))

    def load(self, session_id: str) -> Session:
        with self._lock:
            if session_id not in self._sessions:
                raise not_found(session_id)
            return own_copy(self._sessions[session_id])

    def update(self, session_id: str, change: Callable[[Session], Session]) -> Session:
        with self._lock:
            before = self.load(session_id)
            after = storable(identical(before, change(before)), before)
            self._sessions[session_id] = own_copy(after)
            return after

    def rename(self, session_id: str, name: str) -> None:
        with self._lock:
            if self.find(name) not in (None, session_id):
                raise name_taken(name)
            before = self.load(session_id)
            self._sessions[session_id] = storable(replace(before, name=name), before)

    def delete(self, session_id: str) -> None:
        with self._lock:
            self.load(session_id)
            del self._sessions[session_id]

    def find(self, name: str) -> str | None:
        with self._lock:
            if name in self._sessions:
                return name
            return next((key for key, session in self._sessions.items() if session.name == name), None)

    def names(self) -> list[str]:
        with self._lock:
            return [session.name for session in self._sessions.values()]

    def summaries(self) -> tuple[list[SessionSummary], list[str]]:
        with self._lock:
            return [summarize(session) for session in self._sessions.values()], []

    def turns_with(self, words: Sequence[str], limit: int, among: Collection[str] | None = None) -> list[TurnKey]:
        ids = [session_id for session_id in list(self._sessions) if among is None or session_id in among]
        return scanned(ids, self.load, words, limit)

    def is_claimed(self, session_id: str) -> bool:
        return session_id in self._claims

    def secret(self) -> bytes:
        return self._secret

    def known_secret(self) -> bytes | None:
        return self._secret

    def claim(self, session_id: str, holder: Holder) -> _MemoryClaim:
        with self._lock:
            if not is_session_id(session_id):
                raise not_found(session_id)
            if session_id in self._claims:
                raise HeldError(session_id, self._claims[session_id])
            self._claims[session_id] = holder
            return _MemoryClaim(self._claims, session_id)


class _MemoryClaim:
    def __init__(self, claims: dict[str, Holder], session_id: str) -> None:
        self._claims = claims
        self.session_id = session_id

    def release(self) -> None:
        self._claims.pop(self.session_id, None)
