"""The sessions in the files of a directory: read, validated, and kept in memory as long as their files are the same."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.session import SCHEMA, Session, TurnRecord
from sessionmagic.exceptions import StoreError
from sessionmagic.garbage import uncollected
from sessionmagic.json_bytes import loads
from sessionmagic.storage.aside import left_unchanged
from sessionmagic.storage.continued import continued
from sessionmagic.storage.footer import footer_in
from sessionmagic.storage.journal import HEAD, Lines, Place, Read, line_of
from sessionmagic.storage.journal import SUFFIX as JOURNAL
from sessionmagic.storage.journaled import JournaledStorage, Stamps
from sessionmagic.storage.migrations import migrated
from sessionmagic.storage.patch import SESSION_FIELDS, applied, merged, patch_between
from sessionmagic.storage.refusals import another_schema, copy_of
from sessionmagic.storage.snapshot import ONE
from sessionmagic.storage.stamps import size_in, stamp_of
from sessionmagic.storage.store import not_found
from sessionmagic.storage.validation import validated
from sessionmagic.storage.written import read_written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.conversation.session import SessionSummary
    from sessionmagic.storage.patch import Patch

SMALL_SESSION = 100_000
"""Bytes: a session that is smaller is one file again when a turn has ended. That costs little, and is read faster."""
SMALLEST_FOLD = 1_000_000
"""Bytes: a larger journal is folded into its snapshot when it has outgrown that."""
KEPT_SESSIONS = 4
KEPT_BYTES = 50_000_000
"""How much of the last sessions is kept, by the size of their files. The last one is kept whatever its size."""


@dataclass(frozen=True, slots=True)
class Known:
    """A session as it was read, and from what."""

    session: Session
    stamps: Stamps
    read: Read
    needs_snapshot: bool = False
    """Whether the next commit must write a snapshot, because the files have not the form of today."""

    @property
    def size(self) -> int:
        """The bytes of both files."""
        return size_in(self.stamps.snapshot) + size_in(self.stamps.journal)


class SessionFiles:
    """The files of sessions. All values are shared, so nobody may change what is in them.

    Args:
        directory: The directory of the files.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._kept: OrderedDict[str, Known] = OrderedDict()
        self._keeping = threading.Lock()

    def read(self, session_id: str, *, keep: bool = True) -> Known:
        """Return a session as it is now. Only what has changed since it was last read is read.

        Raises `SessionNotFoundError`, `SessionSchemaError`, `StoreError` for a copy of another session, `OSError`, and
        `ValueError`, `TypeError`, `AttributeError` or `KeyError` for files that do not hold a session.

        Args:
            session_id: The id of the session.
            keep: Whether it is kept in memory.
        """
        storage = self._storage(session_id)
        known = self._kept.get(session_id)
        stamps = storage.stamps()
        if known is None or known.stamps != stamps:
            has_grown = known is not None and _has_grown(known, stamps)
            known = _read_on(known, storage, stamps) if known and has_grown else _read(session_id, storage)
        if keep:
            self._keep(session_id, known)
        return known

    def stated_summary(self, session_id: str) -> SessionSummary | None:
        """Return the summary that a session's files state; None if only the whole session tells.

        Of the snapshot, which must be as it was written, only the end is parsed. A listing asks for thousands, so this
        makes no object for the path.
        """
        path = f"{self._directory}{os.sep}{session_id}"
        with suppress(OSError, ValueError, TypeError, AttributeError, KeyError):
            with open(f"{path}.json", "rb", buffering=0) as file:  # noqa: PTH123
                footer = footer_in(file)
                if footer is None or footer.summary.id != session_id:
                    return None
                journal = path + JOURNAL
                patches = list(Lines(Path(journal), Read(footer.place))) if os.path.exists(journal) else []  # noqa: PTH110
                if stamp_of(os.fstat(file.fileno())) != stamp_of(os.stat(file.name)):  # noqa: PTH116
                    return None  # the journal may be that of a newer snapshot
            return continued(footer.summary, patches) if patches else footer.summary
        return None

    def create(self, session: Session) -> None:
        """Write the files of a new session; raises `StoreError` and `OSError`."""
        storage = self._storage(session.id)
        storage.journal.unlink(missing_ok=True)  # of a session that was deleted by a process that was killed
        storage.write_session(session, Place.first())

    def commit(self, known: Known, after: Session, places: Sequence[int]) -> None:
        """Write the difference to a session that was just read, and is locked.

        Raises `StoreError`, `OSError` and `ValueError`. Nothing is changed then.

        Args:
            known: The session as it was read.
            after: The session after the change.
            places: The indexes of its turns that have changed.
        """
        patch = patch_between(known.session, after, places)
        if not patch:
            return
        line, place = line_of(patch, known.read.place)
        written = [loads(line[HEAD:])]  # as whoever reads the line will have it
        storage = self._storage(after.id)
        # What was removed must not stay in a file, and a name is looked for in the snapshot.
        must_fold = known.needs_snapshot or "count" in patch or "name" in patch.get("session", {})
        if must_fold or _is_due(known, len(line), is_over=all(after.turns[at].status != "running" for at in places)):
            try:
                session = _advanced(_on_disk(after.id, storage), written)
                folded = Known(session, storage.write_session(session, place), Read(place))
            except (OSError, StoreError):
                if must_fold:
                    raise
            else:
                self._keep(after.id, folded)
                return
        session = _advanced(known.session, written)
        stamps = storage.append(line, known.read)
        self._keep(after.id, Known(session, stamps, Read(place, known.read.end + len(line))))

    def forget(self, session_id: str) -> None:
        """Keep a session no longer in memory."""
        with self._keeping:
            self._kept.pop(session_id, None)

    def _keep(self, session_id: str, known: Known) -> None:
        with self._keeping:
            self._kept[session_id] = known
            self._kept.move_to_end(session_id)
            while len(self._kept) > 1 and (
                len(self._kept) > KEPT_SESSIONS or sum(each.size for each in self._kept.values()) > KEPT_BYTES
            ):
                self._kept.popitem(last=False)

    def _storage(self, session_id: str) -> JournaledStorage:
        return JournaledStorage(self._directory / f"{session_id}.json")


def _is_due(known: Known, added: int, *, is_over: bool) -> bool:
    """Return whether to write a snapshot in place of so many bytes more of the journal.

    The end of a turn is waited for if that is not too far away. The summary of a snapshot with a running turn tells a
    listing nothing about later commits.

    Args:
        known: The session as it was read.
        added: The bytes that the commit would add.
        is_over: Whether no turn of the commit is running any more.
    """
    snapshot, journal = size_in(known.stamps.snapshot), known.read.end + added
    most = max(snapshot, SMALLEST_FOLD)
    return journal > (most if is_over else 2 * most) or (is_over and snapshot + journal < SMALL_SESSION)


def _has_grown(known: Known, stamps: Stamps) -> bool:
    """Return whether nothing but commits at the end of the journal can be new."""
    before, now = known.stamps.journal, stamps.journal
    if stamps.snapshot != known.stamps.snapshot or now is None:
        return False
    return before is None or (now[0] == before[0] and size_in(now) > max(size_in(before), known.read.end))


def _read_on(known: Known, storage: JournaledStorage, stamps: Stamps) -> Known:
    """Return a session with the commits that have been added since it was read."""
    try:
        continued_ = _continued(known, storage, stamps)
    except (ValueError, TypeError, AttributeError, KeyError):  # a commit that was read was taken back: it failed
        continued_ = None
    return continued_ or _read(known.session.id, storage)


def _continued(known: Known, storage: JournaledStorage, stamps: Stamps) -> Known | None:
    """Return a session with the commits in its journal; None if the journal may be that of a newer snapshot.

    Raises `ValueError`, `TypeError`, `AttributeError` or `KeyError` if they do not fit.
    """
    lines = Lines(storage.journal, known.read)
    session = _advanced(known.session, list(lines))
    if storage.stamps().snapshot != stamps.snapshot:
        return None
    return Known(session, stamps, lines.read, known.needs_snapshot)


def _read(session_id: str, storage: JournaledStorage) -> Known:
    with uncollected():
        return _read_as_written(session_id, storage) or _read_whole(session_id, storage)


def _read_as_written(session_id: str, storage: JournaledStorage) -> Known | None:
    """Return a session whose turns are read when they are used; None if its files must be read as a whole."""
    try:
        stamps = storage.stamps()
        written = read_written(storage.path)
        if written is None or written.session["id"] != session_id:
            return None
        session = replace(validated(Session, {**written.session, "turns": ()}), turns=written.turns)
        known = _continued(Known(session, stamps, Read(written.place)), storage, stamps)
        if known is not None:
            known.session.require_whole()
    except (FileNotFoundError, ValueError, TypeError, AttributeError, KeyError):
        return None  # whoever reads it as a whole finds out why
    return known


def _read_whole(session_id: str, storage: JournaledStorage) -> Known:
    contents = storage.contents()
    if contents is None:
        raise not_found(session_id)
    stated: Any = contents.database["session"][ONE]
    if isinstance(stated["id"], str) and stated["id"] != session_id:
        raise copy_of(storage.path, stated["id"])
    is_todays = stated["schema"] == SCHEMA
    database = migrated(contents.database)
    document = database["session"][ONE]
    if isinstance(schema := document["schema"], int) and schema != SCHEMA:
        raise another_schema(storage.path, schema)
    turns = list(database.get("turns", {}).values())
    session = validated(Session, {**document, "turns": turns}).whole()
    return Known(session, contents.stamps, contents.read, not is_todays or not contents.is_numbered)


def _on_disk(session_id: str, storage: JournaledStorage) -> Session:
    """Return what the files hold, as somebody may have changed a list in what they have loaded; raises `StoreError`."""
    try:
        return _read(session_id, storage).session
    except (ValueError, TypeError, AttributeError, KeyError) as error:  # damaged since it was read
        raise left_unchanged(storage.path, error) from error


def _advanced(session: Session, patches: list[Patch]) -> Session:
    """Return a session with the changes of some commits. Only what they change is validated."""
    own = {name: getattr(session, name) for name in SESSION_FIELDS}
    own, changed, length = applied(own, session.turns, patches)
    records = {at: validated(TurnRecord, turn) for at, turn in changed.items()}
    turns = session.turns[: min(changed, default=length)] + tuple(merged(session.turns, records, length))
    if any("session" in patch for patch in patches):
        session = validated(Session, {**own, "turns": ()})
    return replace(session, turns=turns)
