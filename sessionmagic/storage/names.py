"""The names of sessions in one file, so that a lookup reads one session at most."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from sessionmagic.exceptions import StoreError
from sessionmagic.json_bytes import loads
from sessionmagic.storage.atomic import dumps, replace_file
from sessionmagic.storage.label import read_label
from sessionmagic.storage.stamps import stamp_of
from sessionmagic.storage.store import is_session_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sessionmagic.storage.stamps import Stamp

SUFFIX = ".json"


class Known(NamedTuple):
    """What the map knows of a session's file."""

    name: str | None
    """The name; None if the file does not state one."""
    stamp: Stamp | None = None
    """The stamp of the file when the name was read; None if it may have been another file."""


NOTHING = Known(None)


class Names:
    """A map from session ids to names, in a file that can be rebuilt from the sessions at any time.

    The names themselves are in the sessions. A name that the map has is checked there. That no session has a name is
    believed only while the map is in step: while it knows exactly the session files that exist. It is always either in
    step or visibly not. A new session is in its directory before it is in the map, a deleted one is in the map longer,
    and one that is renamed is taken out of the map first. So a process that is killed in between leaves other ids in
    the map than in the directory, just as a map that is missing or that belongs to another store. Then the sessions
    that the map does not know are read.

    A map or a session from a backup may be in step and have old names. So before a name is given away, each file's
    stamp is compared with that in the map, and the files that have changed are read. Turns change files without
    touching the map, so these are few, and mostly say what the map says.

    Args:
        path: The file of the map.
        directory: The directory of the session files.
        lock: Locks the names; held while a name changes.
    """

    def __init__(self, path: Path, directory: Path, lock: Callable[[], AbstractContextManager[None]]) -> None:
        self._path = path
        self._directory = directory
        self._lock = lock
        self._loaded: tuple[Stamp | None, dict[str, Known], dict[str, str]] = (None, {}, {})
        """The map as it was last read, with the stamp of its file, and the ids by name."""

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

    def find_for_change(self, name: str) -> str | None:
        """Return what `find` does, after reading the names in all files that have changed. The caller has locked them.

        Raises `OSError`.
        """
        known, ids = self._load()
        stamps = self._stamps(known)
        changed = {key for key, stamp in stamps.items() if known.get(key, NOTHING).stamp != stamp}
        if not changed and stamps.keys() == known.keys():
            return ids.get(name)
        current = self._reread(known, changed)
        ids = _by_name(current)
        if ids != _by_name(known) or current.keys() != known.keys():
            with suppress(OSError):
                self._save(current)
        else:  # only the stamps differ; they are written with the next name
            self._loaded = (self._loaded[0], current, ids)
        return ids.get(name)

    def known(self) -> list[str]:
        """Return the names in the map; raises `OSError`."""
        return [each.name for _, each in sorted(self._load()[0].items()) if each.name is not None]

    def put(self, session_id: str, name: str) -> None:
        """Note the name of a session. The caller has locked the names. Does nothing when that fails.

        The map is then not in step, and the session is read at the next lookup.
        """
        with suppress(OSError):
            stamp = stamp_of((self._directory / f"{session_id}{SUFFIX}").stat())
            self._save({**self._load()[0], session_id: Known(name, stamp)})

    def forget(self, session_id: str) -> None:
        """Take a session out of the map. The caller has locked the names. Raises `OSError`."""
        known = self._load()[0]
        if session_id in known:
            self._save({key: each for key, each in known.items() if key != session_id})

    def compare(self, names: Mapping[str, str]) -> None:
        """Correct the map where these names differ from it. They were just read from the sessions with these ids."""
        known = self._load()[0]
        differing = [session_id for session_id, name in names.items() if known.get(session_id, NOTHING).name != name]
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

    def _is_in_step(self, known: Mapping[str, Known]) -> bool:
        return known.keys() == self._ids(known) and all(each.name is not None for each in known.values())

    def _ids(self, known: Mapping[str, Known]) -> set[str]:
        """Return the ids of all session files."""
        try:
            names = os.listdir(self._directory)  # noqa: PTH208  objects for 10,000 files would take twice as long
        except FileNotFoundError:
            return set()
        stems = {name[: -len(SUFFIX)] for name in names if name.endswith(SUFFIX)}
        return {stem for stem in stems if stem in known or is_session_id(stem)}

    def _stamps(self, known: Mapping[str, Known]) -> dict[str, Stamp]:
        """Return the stamps of all session files by id."""
        found = {}
        with suppress(FileNotFoundError), os.scandir(self._directory) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX):
                    try:
                        found[entry.name[: -len(SUFFIX)]] = stamp_of(entry.stat())
                    except FileNotFoundError:  # deleted meanwhile
                        continue
        return {stem: stamp for stem, stamp in found.items() if stem in known or is_session_id(stem)}

    def _reread_and_save(self, wrong: Collection[str] | None) -> dict[str, Known]:
        known = self._load()[0]
        current = self._reread(known, wrong)
        if current != known:
            with suppress(OSError):
                self._save(current)
        return current

    def _reread(self, known: Mapping[str, Known], wrong: Collection[str] | None) -> dict[str, Known]:
        """Return the map with the names that it lacks, and without the sessions that no longer exist.

        Args:
            known: The map.
            wrong: The ids whose names are read again, too; None for all of them.
        """
        ids = self._ids(known)
        again = ids if wrong is None else {key for key in ids if known.get(key, NOTHING).name is None or key in wrong}
        # If two files state one name, it stays with the session that the map knew first.
        ordered = [*(key for key in known if key in ids), *sorted(ids - known.keys())]
        return {key: self._read(key, known.get(key, NOTHING)) if key in again else known[key] for key in ordered}

    def _read(self, session_id: str, known: Known) -> Known:
        path = self._directory / f"{session_id}{SUFFIX}"
        try:
            stamp = stamp_of(path.stat())  # before the label: a file that is replaced in between is read again
            label = read_label(path)
        except OSError:
            label = None
        if label is None:
            return Known(known.name)
        return Known(label.name if label.id == session_id else None, stamp)  # a copy of another session has no name

    def _load(self) -> tuple[dict[str, Known], dict[str, str]]:
        try:
            stamp = stamp_of(self._path.stat())
        except FileNotFoundError:
            return {}, {}
        before, known, ids = self._loaded
        # A map that only looks unchanged does no harm: what it says is checked.
        if before != stamp:
            known = self._parsed()
            ids = _by_name(known)
            self._loaded = (stamp, known, ids)
        return known, ids

    def _parsed(self) -> dict[str, Known]:
        try:
            stored = loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        if not isinstance(stored, dict):
            return {}
        return {
            key: known for key, value in stored.items() if is_session_id(key) and (known := _known(value)) is not None
        }

    def _save(self, known: dict[str, Known]) -> None:
        replace_file(self._path, dumps({key: [name, *(stamp or ())] for key, (name, stamp) in known.items()}))
        self._loaded = (stamp_of(self._path.stat()), known, _by_name(known))


def _known(stored: object) -> Known | None:
    """Return an entry of the map as it is stored, or None for anything else."""
    match stored:
        case [None | str() as name]:
            return Known(name)
        case [None | str() as name, int(inode), int(size), int(time)]:
            return Known(name, (inode, size, time))
        case _:
            return None


def _by_name(known: dict[str, Known]) -> dict[str, str]:
    return {name: session_id for session_id, (name, _) in reversed(known.items()) if name is not None}
