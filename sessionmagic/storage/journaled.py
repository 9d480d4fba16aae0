"""A TinyDB storage in two files: a snapshot of the database, and a journal of the commits since.

`TinyDB(path, storage=JournaledStorage)` reads a session as it is, whatever of it stands in the journal.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tinydb.storages import Storage

from sessionmagic.conversation.session import summarize
from sessionmagic.storage.atomic import replace_in_parts
from sessionmagic.storage.footer import TABLES, Footer, with_footer
from sessionmagic.storage.journal import SUFFIX, Lines, Place, Read, append_line
from sessionmagic.storage.patch import SESSION_FIELDS, applied, merged
from sessionmagic.storage.snapshot import ONE, read_snapshot, snapshot_parts
from sessionmagic.storage.stamps import Stamp, stamp_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sessionmagic.conversation.session import Session
    from sessionmagic.storage.snapshot import Database


class Stamps(NamedTuple):
    """The stamps of a session's two files; None for one that does not exist."""

    snapshot: Stamp | None
    journal: Stamp | None


class Contents(NamedTuple):
    """What a session's files hold."""

    database: Database
    stamps: Stamps
    """Those of the files before they were read. So what is written meanwhile is read again."""
    read: Read
    is_numbered: bool
    """Whether the ids of the turns are their places, as a journal needs it. A user may have removed some by hand."""


class JournaledStorage(Storage):
    """A session's database in a snapshot and a journal, both with mode 0600.

    A commit is appended to the journal, so it costs what has changed. TinyDB itself writes a whole database: a new
    snapshot, which replaces the old one atomically.

    Args:
        path: The snapshot. The journal stands beside it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.journal = self.path.with_suffix(SUFFIX)

    def stamps(self) -> Stamps:
        """Return the stamps of the files; raises `OSError`."""
        return Stamps(stamp_at(self.path), stamp_at(self.journal))

    def read(self) -> Database | None:
        """Return the database, or None when there is no file.

        Raises `OSError`, and `ValueError`, `KeyError`, `TypeError` or `AttributeError` when there is no session in it.
        """
        contents = self.contents()
        return None if contents is None else contents.database

    def contents(self) -> Contents | None:
        """Return what the files hold, or None when there is no snapshot; raises what `read` raises."""
        while True:
            stamps = self.stamps()
            try:
                database = read_snapshot(self.path)
            except FileNotFoundError:
                return None
            contents = self._continued(database, stamps)
            if stamp_at(self.path) == stamps.snapshot:  # otherwise, the journal belongs to a newer snapshot
                return contents

    def _continued(self, database: Database, stamps: Stamps) -> Contents:
        """Return the contents with the commits in the journal."""
        stored = database.get("turns", {})
        is_numbered = all(map(int.__eq__, map(int, stored), range(1, len(stored) + 1)))
        turns = list(stored.values())
        lines = Lines(self.journal, Read(_place_in(database)))
        if self.journal.exists():
            session, changed, length = applied(database["session"][ONE], turns, lines)
            if changed and not is_numbered:
                raise ValueError("turns were removed from the snapshot, but not from its journal")
            first = min(changed, default=length)
            turns[first:] = merged(turns, changed, length)
            database["session"] = {ONE: session}
            database["turns"] = {str(number): turn for number, turn in enumerate(turns, 1)}
        database["journal"] = {ONE: asdict(lines.read.place)}
        for name in TABLES:
            database.pop(name, None)
        return Contents(database, stamps, lines.read, is_numbered)

    def append(self, line: bytes, read: Read) -> Stamps:
        """Append the line of a commit, and return the new stamps; raises `OSError` and changes nothing then."""
        snapshot = stamp_at(self.path)
        return Stamps(snapshot, append_line(self.journal, line, read.end))

    def write(self, data: Mapping[str, Mapping[str, Any]]) -> None:
        """Write a new snapshot, and remove the journal; raises `OSError` and leaves both unchanged when that fails."""
        place = _place_in(data) if "journal" in data else Place.first()
        database = {**data, "journal": {ONE: asdict(replace(place, commit=place.commit + 1))}}
        self._replace((*snapshot_parts(database), b"}"))

    def write_session(self, session: Session, place: Place) -> Stamps:
        """Write a new snapshot of a session, as `write` does, and return its stamps."""
        own = {name: getattr(session, name) for name in SESSION_FIELDS}
        turns = {"turns": {str(number): turn for number, turn in enumerate(session.turns, 1)}} if session.turns else {}
        parts = snapshot_parts({"session": {ONE: own}, "journal": {ONE: asdict(place)}, **turns})
        self._replace(with_footer(parts, Footer(summarize(session), place)))
        return Stamps(stamp_at(self.path), None)

    def _replace(self, parts: Iterable[bytes]) -> None:
        replace_in_parts(self.path, parts)
        # What a process that is killed here leaves is older than the snapshot and passed over.
        self.journal.unlink(missing_ok=True)


def _place_in(database: Mapping[str, Mapping[str, Any]]) -> Place:
    """Return the place of a snapshot; that of an older schema has none."""
    if "journal" not in database:
        return Place(0, 0)
    place = Place(**database["journal"][ONE])
    if not isinstance(place.commit, int) or not isinstance(place.checksum, int):
        raise TypeError("the place of the snapshot is not a number")
    return place
