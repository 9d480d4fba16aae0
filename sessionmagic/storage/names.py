"""The names of sessions in one file, so that a lookup reads one session at most."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import orjson

from sessionmagic.exceptions import StoreError
from sessionmagic.storage.atomic import dumps, replace_file
from sessionmagic.storage.label import read_label
from sessionmagic.storage.store import is_session_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    Known = dict[str, str | None]
    """The names by session id; None for a file that does not state one."""

SUFFIX = ".json"


class Names:
    """A map from session ids to names, in a file that can be rebuilt from the sessions at any time.

    The names themselves are in the sessions. A name that the map has is checked there. That no session has a name is
    believed only while the map is in step: while it knows exactly the session files that exist. It is always either in
    step or visibly not. A new session is in its directory before it is in the map, a deleted one is in the map longer,
    and one that is renamed is taken out of the map first. So a process that is killed in between leaves other ids in
    the map than in the directory, just as a map that is missing or that belongs to another store. Then the sessions
    that the map does not know are read.

    Args:
        path: The file of the map.
        directory: The directory of the session files.
        lock: Locks the names; held while a name changes.
    """

    def __init__(self, path: Path, directory: Path, lock: Callable[[], AbstractContextManager[None]]) -> None:
        self._path = path
        self._directory = directory
        self._lock = lock
        self._loaded: tuple[os.stat_result | None, Known, dict[str, str]] = (None, {}, {})
        """The map as it was last read, with the status of its file, and the ids by name."""

    def find(self, name: str, *, locked: bool = False) -> str | None:
        """Return the id of the session with the name, or None; raises `OSError`.

        Args:
            name: The name.
            locked: Whether the caller has locked the names.
        """
        known, ids = self._load()
        found = ids.get(name)
        if found is not None and self._has_name(found, name):
            return found
        if found is None and self._is_in_step(known):
            return None
        # If a name is wrong, something else than this store has changed it, so others may be wrong, too.
        wrong = () if found is None else None
        if locked:
            return _by_name(self._reread_and_save(wrong)).get(name)
        try:
            with self._lock():  # another process may be changing the name now
                return self.find(name, locked=True)
        except StoreError:  # the names cannot be locked, for example on a read-only disk
            return _by_name(self._reread(known, wrong)).get(name)

    def find_anew(self, name: str) -> str | None:
        """Return what `find` does, after reading the names in all sessions again.

        A map from a backup may know the right sessions by names that they had before. The caller has locked the names.
        """
        return _by_name(self._reread_and_save(None)).get(name)

    def put(self, session_id: str, name: str) -> None:
        """Note the name of a session. The caller has locked the names. Does nothing when that fails.

        The map is then not in step, and the session is read at the next lookup.
        """
        with suppress(OSError):
            self._save({**self._load()[0], session_id: name})

    def forget(self, session_id: str) -> None:
        """Take a session out of the map. The caller has locked the names. Raises `OSError`."""
        known = self._load()[0]
        if session_id in known:
            self._save({key: name for key, name in known.items() if key != session_id})

    def compare(self, names: Mapping[str, str]) -> None:
        """Correct the map where these names differ from it. They were just read from the sessions with these ids."""
        known = self._load()[0]
        differing = [session_id for session_id, name in names.items() if known.get(session_id) != name]
        if differing:
            with suppress(StoreError, OSError), self._lock():
                self._reread_and_save(differing)

    def _has_name(self, session_id: str, name: str) -> bool:
        """Return whether the session has the name. One that cannot be read has it, so that nobody takes it over."""
        try:
            label = read_label(self._directory / f"{session_id}.json")
        except FileNotFoundError:
            return False
        return label is None or label.name == name

    def _is_in_step(self, known: Known) -> bool:
        return known.keys() == self._ids(known) and None not in known.values()

    def _ids(self, known: Known) -> set[str]:
        """Return the ids of all session files."""
        try:
            names = os.listdir(self._directory)  # noqa: PTH208  objects for 10,000 files would take twice as long
        except FileNotFoundError:
            return set()
        stems = {name[: -len(SUFFIX)] for name in names if name.endswith(SUFFIX)}
        return {stem for stem in stems if stem in known or is_session_id(stem)}

    def _reread_and_save(self, wrong: Collection[str] | None) -> Known:
        known = self._load()[0]
        current = self._reread(known, wrong)
        if current != known:
            with suppress(OSError):
                self._save(current)
        return current

    def _reread(self, known: Known, wrong: Collection[str] | None) -> Known:
        """Return the map with the names that it lacks, and without the sessions that no longer exist.

        Args:
            known: The map.
            wrong: The ids whose names are read again, too; None for all of them.
        """
        ids = self._ids(known)
        again = ids if wrong is None else {key for key in ids if known.get(key) is None or key in wrong}
        # If two files state one name, it stays with the session that the map knew first.
        ordered = [*(key for key in known if key in ids), *sorted(ids - known.keys())]
        return {key: self._read(key, known.get(key)) if key in again else known[key] for key in ordered}

    def _read(self, session_id: str, known: str | None) -> str | None:
        try:
            label = read_label(self._directory / f"{session_id}.json")
        except OSError:
            label = None
        if label is None:
            return known
        return label.name if label.id == session_id else None  # a copy of another session has no name

    def _load(self) -> tuple[Known, dict[str, str]]:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return {}, {}
        before, known, ids = self._loaded
        # A map that only looks unchanged does no harm: what it says is checked.
        if before is None or _stamp(before) != _stamp(status):
            known = self._parsed()
            ids = _by_name(known)
            self._loaded = (status, known, ids)
        return known, ids

    def _parsed(self) -> Known:
        try:
            stored = orjson.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        if not isinstance(stored, dict):
            return {}
        return {
            key: name for key, name in stored.items() if is_session_id(key) and (name is None or isinstance(name, str))
        }

    def _save(self, known: Known) -> None:
        replace_file(self._path, dumps(known))
        self._loaded = (self._path.stat(), known, _by_name(known))


def _by_name(known: Known) -> dict[str, str]:
    return {name: session_id for session_id, name in reversed(known.items()) if name is not None}


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return (status.st_ino, status.st_size, status.st_mtime_ns)
