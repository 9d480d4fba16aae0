"""Damaged sessions: their files get other names, and are never overwritten. A listing tells of what is of no use."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from sessionmagic.exceptions import SessionUnreadableError
from sessionmagic.storage.journal import SUFFIX
from sessionmagic.storage.label import read_label
from sessionmagic.storage.leftovers import names_in
from sessionmagic.storage.refusals import JournalError, copy_of, reason_of
from sessionmagic.storage.store import is_session_id

if TYPE_CHECKING:
    from pathlib import Path

    from sessionmagic.exceptions import StoreError

ASIDE = ".unreadable-"


def set_aside(path: Path, error: Exception) -> StoreError:
    """Rename a damaged session's file, and its journal, to names with the same end, and return the error that says so.

    The session is locked. If it cannot be renamed, or is a copy of another session, its files stay as they are.
    """
    reason = _reason(path, error)
    end = f"{ASIDE}{secrets.token_hex(2)}"
    aside, journal = path.with_name(f"{path.name}{end}"), path.with_suffix(SUFFIX)
    try:
        label = read_label(path)
        if label is not None and label.id != path.stem:
            return copy_of(path, label.id)
        path.rename(aside)
    except OSError:
        return left_unchanged(path, error)
    with suppress(OSError):  # if there is none
        journal.rename(journal.with_name(f"{journal.name}{end}"))
    advice = f"; rename that to {path.name} to use it without its journal" if isinstance(error, JournalError) else ""
    return SessionUnreadableError(
        f"session file {path.name} cannot be read ({reason}); it was set aside unchanged as {aside}{advice}"
    )


def left_unchanged(path: Path, error: Exception) -> SessionUnreadableError:
    """Return the error for a damaged session's file that cannot be renamed."""
    reason = _reason(path, error)
    return SessionUnreadableError(f"session file {path} cannot be read ({reason}); it was left unchanged")


def notes_on(directory: Path) -> list[str]:
    """Return a line about each file of a damaged session, and about each journal whose session is not there."""
    names = set(names_in(directory))
    journals = {name for name in names if name.endswith(SUFFIX)}
    alone = {name for name in journals if f"{name.removesuffix(SUFFIX)}.json" not in names}
    damaged = {name for name in names if ASIDE in name}
    return [note for name in sorted(alone | damaged) if (note := _note(directory / name))]


def _note(path: Path) -> str:
    if ASIDE in path.name:
        return f"{path} is a damaged session file; delete it if you do not need it"
    snapshot = path.with_suffix(".json")
    if not is_session_id(path.stem) or snapshot.exists() or not path.exists():  # it was just created, or deleted
        return ""
    return f"{path} continues {snapshot.name}, which is missing; put that back, or delete the journal"


def _reason(path: Path, error: Exception) -> str:
    return "it is empty" if path.exists() and not path.stat().st_size else reason_of(error)
