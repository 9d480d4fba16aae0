"""Where sessions live: one TinyDB file each, changed under a lock, replaced atomically."""

from __future__ import annotations

import re
import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from filelock import FileLock, Timeout
from tinydb import TinyDB
from tinydb.middlewares import CachingMiddleware
from tinydb.table import Document

from sessionmagic.conversation.session import SCHEMA, Session, SessionSummary, summarize
from sessionmagic.exceptions import (
    SessionExistsError,
    SessionMagicError,
    SessionNotFoundError,
    SessionSchemaError,
    SessionUnreadableError,
    StoreError,
)
from sessionmagic.home import default_home
from sessionmagic.storage.atomic import AtomicStorage, make_private_directory
from sessionmagic.storage.claims import Holder, is_claimed, take_claim
from sessionmagic.storage.index import Index
from sessionmagic.storage.names import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import TypeAdapter

SESSION_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
ASIDE = ".unreadable-"
LOCK_SECONDS = 10.0
"""How long a change waits for another process that is changing the same session."""


class Claim(Protocol):
    """A held right to run a turn on a session."""

    session_id: str

    def release(self) -> None:
        """Let the next turn have the session."""


class Store(Protocol):
    """What the manager needs of a store. Every change is atomic; an update never creates a session."""

    def create(self, session: Session) -> None:
        """Store a new session; raises `SessionExistsError` when its name is taken."""

    def load(self, session_id: str) -> Session:
        """Return the session; raises `SessionNotFoundError` or a `StoreError`."""

    def update(self, session_id: str, change: Callable[[Session], Session]) -> Session:
        """Apply a change to what is stored now, and return the result; raises as `load` does."""

    def rename(self, session_id: str, name: str) -> None:
        """Give the session another name; raises `SessionExistsError`."""

    def delete(self, session_id: str) -> None:
        """Remove the session; raises `SessionNotFoundError`."""

    def find(self, name: str) -> str | None:
        """Return the id of the session of that name or id, or None."""

    def summaries(self) -> tuple[list[SessionSummary], list[str]]:
        """Return a summary of every session and a line about each that cannot be read."""

    def is_claimed(self, session_id: str) -> bool:
        """Whether a living process holds the session."""

    def claim(self, session_id: str, holder: Holder) -> Claim:
        """Claim the session; raises `HeldError` at once when another holds it."""


def new_session_id() -> str:
    """Return a fresh id: the local time, for people who look at the files, and a random part."""
    return time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(4)


class TinyStore:
    """Sessions under a home directory (mode 0700), one TinyDB database file each (mode 0600)."""

    def __init__(self, home: Path | str | None = None) -> None:
        self.home = Path(home) if home is not None else default_home()
        self._directory = self.home / "sessions"
        self._names = Names(self.home / "names")
        self._index = Index(self._directory, self.home / "index.json", lambda key: summarize(self.load(key)))

    def create(self, session: Session) -> None:
        with self._naming():
            self._require_free(session.name)
            # The name first: one that leads to no session is free, but a session without its name is lost.
            with self._reporting("write", self.home):
                self._names.put(session.name, session.id)
            try:
                self._write(self._database(session.id), session, None)
            except BaseException:
                with suppress(OSError):
                    self._names.drop(session.name, session.id)
                raise

    def load(self, session_id: str) -> Session:
        return self._read(session_id, self._database(session_id))

    def update(self, session_id: str, change: Callable[[Session], Session]) -> Session:
        path = self._path(session_id)
        if not path.exists():
            raise _not_found(session_id)
        with self._lock(path.with_suffix(".lock")):
            database = self._database(session_id)
            before = self._read(session_id, database)
            after = change(before)
            if after != before:
                self._write(database, after, before)
            return after

    def rename(self, session_id: str, name: str) -> None:
        with self._naming(), self._reporting("rename a session in", self.home):
            if self.find(name) != session_id:
                self._require_free(name)
            before = self.load(session_id).name
            self._names.put(name, session_id)
            try:
                self.update(session_id, lambda session: replace(session, name=name))
            except BaseException:
                if before != name:
                    with suppress(OSError):
                        self._names.drop(name, session_id)
                raise
            if before != name:
                self._names.drop(before, session_id)

    def delete(self, session_id: str) -> None:
        path = self._path(session_id)
        name = self.load(session_id).name
        with self._lock(path.with_suffix(".lock")), self._reporting("delete", path):
            for left in self._directory.glob(f"{path.name}.*"):  # by a killed writer, or set aside
                left.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            self._names.drop(name, session_id)

    def find(self, name: str) -> str | None:
        if SESSION_ID.fullmatch(name) and self._path(name).exists():
            return name
        with self._reporting("look for a session in", self.home):
            found = self._names.find(name)
            return found if found and self._path(found).exists() else None

    def summaries(self) -> tuple[list[SessionSummary], list[str]]:
        notes = [f"{path} could not be read once and was set aside" for path in self._set_aside_before()]
        summaries, problems = self._index.summaries()
        return summaries, [*problems, *notes]

    def is_claimed(self, session_id: str) -> bool:
        return is_claimed(self._path(session_id).with_suffix(".claim"))

    def _set_aside_before(self) -> list[Path]:
        return sorted(self._directory.glob(f"*.json{ASIDE}*"))

    def claim(self, session_id: str, holder: Holder) -> Claim:
        path = self._path(session_id).with_suffix(".claim")
        with self._reporting("claim a session in", self._directory):
            make_private_directory(self._directory)
            return take_claim(path, holder)

    def _path(self, session_id: str) -> Path:
        return self._directory / f"{session_id}.json"

    def _naming(self) -> Any:
        with self._reporting("create", self._directory):
            make_private_directory(self._directory)
        return self._lock(self.home / "names.lock")

    def _require_free(self, name: str) -> None:
        if self.find(name) is not None:
            raise SessionExistsError(f"a session named {name!r} is there already")

    @contextmanager
    def _lock(self, path: Path) -> Iterator[None]:
        with self._reporting("lock", path):
            lock = FileLock(path, timeout=LOCK_SECONDS, thread_local=False, mode=0o600)
            try:
                lock.acquire()
            except Timeout:
                raise StoreError(f"{path} has been locked by another process for {LOCK_SECONDS:g} s") from None
        try:
            yield
        finally:
            lock.release()

    def _database(self, session_id: str) -> TinyDB:
        """Open a session's database: it reads the file at most once and writes only when it is flushed."""
        return TinyDB(self._path(session_id), storage=_buffered())

    def _read(self, session_id: str, database: TinyDB) -> Session:
        path = self._path(session_id)
        try:
            with self._reporting("read", path):
                if not database.tables() and not path.exists():
                    raise _not_found(session_id)
                document: Any = database.table("session").get(doc_id=1)
                self._require_known_schema(path, document)
                session = _session_adapter().validate_python({**document, "turns": database.table("turns").all()})
                session.require_whole()
                return session
        except SessionMagicError:
            raise
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise self._set_aside(path, error) from error

    def _require_known_schema(self, path: Path, document: Any) -> None:
        schema = document["schema"]
        if not isinstance(schema, int) or schema == SCHEMA:
            return
        newer = schema > SCHEMA
        whose = "a newer sessionmagic" if newer else "a sessionmagic from before the first release"
        what_to_do = "pip install --upgrade sessionmagic" if newer else "use another session name, or delete the file"
        raise SessionSchemaError(
            f"{path} was written by {whose} (schema {schema}, this one reads {SCHEMA}) and was left as it is; "
            f"{what_to_do}"
        )

    def _set_aside(self, path: Path, error: Exception) -> SessionUnreadableError:
        reason = "it is empty" if path.exists() and not path.stat().st_size else _first_line(error)
        aside = path.with_name(f"{path.name}{ASIDE}{secrets.token_hex(2)}")
        try:
            path.rename(aside)
        except OSError:
            return SessionUnreadableError(f"session file {path} cannot be read ({reason}); it was left as it is")
        return SessionUnreadableError(
            f"session file {path.name} cannot be read ({reason}); it was set aside as {aside}, nothing is lost"
        )

    def _write(self, database: TinyDB, after: Session, before: Session | None) -> None:
        """Write what differs between two states of a session, all in one replacement of its file."""
        with self._reporting("write", self._path(after.id)):
            database.table("session").upsert(Document(_session_fields(after), doc_id=1))
            turns = database.table("turns")
            old = before.turns if before else ()
            for number, turn in enumerate(after.turns, start=1):
                if number > len(old) or old[number - 1] != turn:
                    turns.upsert(Document(asdict(turn), doc_id=number))
            database.storage.flush()  # type: ignore[attr-defined]

    @contextmanager
    def _reporting(self, doing: str, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(f"cannot {doing} {path}: {reason}; nothing was changed") from error


def _buffered() -> CachingMiddleware:
    middleware = CachingMiddleware(AtomicStorage)
    middleware.WRITE_CACHE_SIZE = 2**62  # a change is one write, at the flush
    return middleware


@cache
def _session_adapter() -> TypeAdapter[Session]:
    from pydantic import TypeAdapter

    return TypeAdapter(Session)


def _session_fields(session: Session) -> dict[str, Any]:
    return {item.name: getattr(session, item.name) for item in fields(session) if item.name != "turns"}


def _not_found(session_id: str) -> SessionNotFoundError:
    return SessionNotFoundError(f"no session {session_id!r}")


def _first_line(error: Exception) -> str:
    kind = "not JSON" if isinstance(error, orjson.JSONDecodeError) else "not a session"
    return f"{kind}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
