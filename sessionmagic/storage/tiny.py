"""The store of sessions: one TinyDB file per session, changed under a lock and replaced atomically."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sessionmagic.conversation.session import summarize
from sessionmagic.exceptions import SessionMagicError, StoreError
from sessionmagic.home import default_home
from sessionmagic.storage.aside import ASIDE, left_unchanged, notes_on, set_aside
from sessionmagic.storage.atomic import make_private_directory
from sessionmagic.storage.claims import Holder, is_claimed, take_claim
from sessionmagic.storage.index import Index
from sessionmagic.storage.journal import SUFFIX as JOURNAL
from sessionmagic.storage.label import read_label
from sessionmagic.storage.leftovers import LEFT_SECONDS, sweep
from sessionmagic.storage.locks import REFUSED, Timeout, lock_of
from sessionmagic.storage.names import Names
from sessionmagic.storage.patch import changed_places
from sessionmagic.storage.refusals import copy_of, in_the_way, no_locks, no_session
from sessionmagic.storage.search_index import SearchIndex
from sessionmagic.storage.secret import read_secret, write_secret
from sessionmagic.storage.session_files import SessionFiles
from sessionmagic.storage.store import id_taken, identical, is_session_id, name_taken, not_found, own_copy
from sessionmagic.storage.without_keys import storable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from contextlib import AbstractContextManager

    from sessionmagic.conversation.said import TurnKey
    from sessionmagic.conversation.session import Session, SessionSummary
    from sessionmagic.storage.session_files import Known
    from sessionmagic.storage.store import Claim

T = TypeVar("T")

LOCK_SECONDS = 10.0
"""How long a change waits for another process that changes the same session."""


class TinyStore:
    """Sessions in a home directory with mode 0700, each in a TinyDB file with mode 0600.

    Args:
        home: The home directory; by default the user's own.
    """

    def __init__(self, home: Path | str | None = None) -> None:
        self.home = Path(home) if home is not None else default_home()
        self._directory = self.home / "sessions"
        self._files = SessionFiles(self._directory)
        self._names = Names(self.home / "names.json", self._directory, self._lock_names)
        self._secret_path = self.home / "secret"
        self._index = Index(self._directory, self.home / "index.json", self._summary)
        self._search = SearchIndex(self.home / "search.db", self._index.files, self._once)
        self._sweep_due = 0.0

    def create(self, session: Session) -> None:
        path, session = self._path(session.id), storable(session)
        with self._lock_names():
            self._require_free(session.name)
            if path.exists():
                raise id_taken(session.id)
            with self._reporting("write", path):
                self._files.create(session)
            self._names.put(session.id, session.name)

    def load(self, session_id: str) -> Session:
        return own_copy(self._read(session_id).session)

    def _once(self, session_id: str) -> Session:
        """Return a session that nobody needs soon."""
        return self._read(session_id, keep=False).session

    def update(self, session_id: str, change: Callable[[Session], Session]) -> Session:
        return self._change(session_id, lambda before: identical(before, change(before)))

    def _change(self, session_id: str, change: Callable[[Session], Session]) -> Session:
        path = self._path(session_id)
        if not path.exists():
            raise not_found(session_id)
        with self._lock(path.with_suffix(".lock")):
            known = self._healthy(session_id, self._files.read, locked=True)
            after = change(known.session)
            places = changed_places(known.session.turns, after.turns)
            after = storable(after, known.session, places)
            with self._reporting("write", path):
                self._files.commit(known, after, places)
            return after

    def rename(self, session_id: str, name: str) -> None:
        if not self._path(session_id).exists():
            raise not_found(session_id)
        with self._lock_names():
            self._require_free(name, session_id)
            with self._reporting("rename a session in", self.home):
                self._names.forget(session_id)
            # When this fails, the session is read again at the next lookup of one of its names.
            self._change(session_id, lambda session: replace(session, name=name))
            self._names.put(session_id, name)

    def delete(self, session_id: str) -> None:
        path = self._path(session_id)
        if not path.exists():
            raise not_found(session_id)
        with self._lock_names(), self._lock(path.with_suffix(".lock")):
            self._healthy(session_id, self._files.read, locked=True)  # the file of another session is left alone
            with self._reporting("delete", path):
                path.unlink(missing_ok=True)
                path.with_suffix(JOURNAL).unlink(missing_ok=True)
            self._files.forget(session_id)
            with suppress(OSError):
                self._names.forget(session_id)
            for leftovers in (
                f"{path.name}.????????.tmp",
                f"{path.stem}.j*{ASIDE}????",
            ):  # but no copies that somebody made
                for leftover in self._directory.glob(leftovers):
                    with suppress(OSError):
                        leftover.unlink(missing_ok=True)
        self._search.forget(session_id)

    def find(self, name: str) -> str | None:
        with self._reporting("look for a session in", self.home):
            return name if self._is_id(name) else self._names.find(name)

    def names(self) -> list[str]:
        with self._reporting("look for sessions in", self.home):
            return self._names.known()

    def _is_id(self, name: str) -> bool:
        return is_session_id(name) and self._path(name).exists()

    def summaries(self) -> tuple[list[SessionSummary], list[str]]:
        notes = notes_on(self._directory)
        summaries, problems = self._index.summaries()
        self._names.compare({summary.id: summary.name for summary in summaries})
        self._sweep()
        return summaries, [*problems, *notes]

    def _sweep(self) -> None:
        """Delete what killed processes have left behind: with a listing, which no cell waits for, and now and then."""
        if time.monotonic() >= self._sweep_due:
            self._sweep_due = time.monotonic() + LEFT_SECONDS
            sweep(self.home, self._directory)

    def turns_with(self, words: Sequence[str], limit: int, among: Collection[str] | None = None) -> list[TurnKey]:
        return self._search.turns_with(words, limit, among)

    def is_claimed(self, session_id: str) -> bool:
        return is_session_id(session_id) and is_claimed(self._path(session_id).with_suffix(".claim"))

    def secret(self) -> bytes:
        if (known := self.known_secret()) is not None:
            return known
        with self._reporting("write to", self.home):
            make_private_directory(self.home)
            with self._lock(self._secret_path.with_suffix(".lock")):  # another process may be making it
                return read_secret(self._secret_path) or write_secret(self._secret_path)

    def known_secret(self) -> bytes | None:
        try:
            return read_secret(self._secret_path)
        except OSError:  # without it, no power in a file counts, which the next turn tells
            return None

    def claim(self, session_id: str, holder: Holder) -> Claim:
        path = self._path(session_id).with_suffix(".claim")
        with self._reporting("claim a session in", self._directory):
            make_private_directory(self._directory)
            return take_claim(path, holder)

    def _path(self, session_id: str) -> Path:
        """Return the path of a session's file. Raises `SessionNotFoundError` for a text that is not an id."""
        if not is_session_id(session_id):
            raise not_found(session_id)
        return self._directory / f"{session_id}.json"

    def _summary(self, stem: str) -> SessionSummary:
        """Return the summary of the session in the file with that stem, which may be any file of the directory."""
        if is_session_id(stem):
            return self._files.stated_summary(stem) or summarize(self._once(stem))
        path = self._directory / f"{stem}.json"
        try:
            with self._reporting("read", path):
                label = read_label(path)
        except StoreError:
            if path.exists():
                raise
            raise not_found(stem) from None
        raise copy_of(path, label.id) if label is not None else no_session(path)

    def _lock_names(self) -> AbstractContextManager[None]:
        with self._reporting("create", self._directory):
            make_private_directory(self._directory)
        return self._lock(self.home / "names.lock")

    def _require_free(self, name: str, session_id: str | None = None) -> None:
        """Raise `SessionExistsError` if another session than the given one has the name; the names are locked."""
        with self._reporting("look for a session in", self.home):
            found = name if self._is_id(name) else self._names.find_for_change(name)
        if found not in (None, session_id):
            raise name_taken(name)

    @contextmanager
    def _lock(self, path: Path) -> Iterator[None]:
        with self._reporting("lock", path):
            lock = lock_of(path, LOCK_SECONDS)
            try:
                lock.acquire()
            except Timeout:
                raise StoreError(
                    f"another process has locked {path} for more than {LOCK_SECONDS:g} seconds; try again"
                ) from None
        try:
            yield
        finally:
            lock.release()

    def _read(self, session_id: str, *, keep: bool = True) -> Known:
        """Return what is known of a session; raises the errors of the store."""
        return self._healthy(session_id, partial(self._files.read, keep=keep))

    def _healthy(self, session_id: str, read: Callable[[str], T], *, locked: bool = False) -> T:
        """Return what `read` reads of a session, and set the session aside if it is damaged.

        If it is not locked, it is read again under its lock before, as another process may have been changing it.
        """
        path = self._path(session_id)
        try:
            with self._reporting("read", path):
                return read(session_id)
        except SessionMagicError:
            raise
        except (ValueError, TypeError, AttributeError, KeyError) as problem:
            error = problem
        if locked:
            raise set_aside(path, error) from error
        with ExitStack() as stack:
            try:
                stack.enter_context(self._lock(path.with_suffix(".lock")))
            except StoreError:
                raise left_unchanged(path, error) from error
            return self._healthy(session_id, read, locked=True)

    @contextmanager
    def _reporting(self, action: str, path: Path) -> Iterator[None]:
        """Turn an `OSError` into a `StoreError` that says which action failed."""
        try:
            yield
        except IsADirectoryError as error:
            raise in_the_way(error.filename2 or error.filename or path) from error
        except OSError as error:
            if error.errno in REFUSED:
                raise no_locks(path, error) from error
            raise StoreError(f"cannot {action} {path}: {error.strerror or error}; nothing was changed") from error
