"""What killed processes leave in a store: temporary files, and the locks of sessions that do not exist."""

from __future__ import annotations

import os
import re
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from sessionmagic.storage.claims import is_claimed
from sessionmagic.storage.locks import Timeout, lock_of
from sessionmagic.storage.store import SESSION_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LEFT_SECONDS = 600.0
"""How old a file must be to count as left behind. What is used for longer than seconds is locked."""
SHARED = re.compile(r"(index|names)\.json\.[0-9a-f]{8}\.tmp")
"""The temporary files in the home directory."""
OWN = re.compile(rf"({SESSION_ID.pattern})\.(json\.[0-9a-f]{{8}}\.tmp|lock|claim|holder)")
"""The temporary files and the lock files of one session. A journal may be all that is left of what a user has said."""


def sweep(home: Path, directory: Path) -> None:
    """Delete what was left behind, but nothing that is in use.

    Args:
        home: The home directory of the store.
        directory: The directory of its session files.
    """
    with suppress(OSError):
        shared = [home / name for name in names_in(home) if SHARED.fullmatch(name) and _is_old(home / name)]
        ids = _ids_with_leftovers(directory)
        if not shared and not ids:
            return
        with _locked(home / "names.lock") as locked:  # no session is created or deleted meanwhile
            if locked:
                _delete(shared)
                for session_id in ids:
                    _sweep_session(directory, session_id)


def _ids_with_leftovers(directory: Path) -> set[str]:
    names = names_in(directory)
    sessions = {name.removesuffix(".json") for name in names if name.endswith(".json")}
    matches = [match for name in names if (match := OWN.fullmatch(name))]
    left = [match for match in matches if match[1] not in sessions or match[2] not in ("lock", "claim")]
    return {match[1] for match in left if _is_old(directory / match[0])}


def _sweep_session(directory: Path, session_id: str) -> None:
    claim, lock = (directory / f"{session_id}.{suffix}" for suffix in ("claim", "lock"))
    exists = (directory / f"{session_id}.json").exists()
    if exists:
        is_claimed(claim)  # deletes the note of a holder that was killed
    with _locked(*([lock] if exists else [claim, lock])) as locked:
        if not locked:
            return
        temporary = [path for path in directory.glob(f"{session_id}.*.tmp") if OWN.fullmatch(path.name)]
        _delete(filter(_is_old, temporary))
        if not exists:
            _delete(claim.with_suffix(suffix) for suffix in (".holder", ".lock", ".claim"))


@contextmanager
def _locked(*paths: Path) -> Iterator[bool]:
    """Lock files without waiting, and tell whether all of them could be locked."""
    with ExitStack() as locks:
        try:
            for path in paths:
                locks.enter_context(lock_of(path))
        except (Timeout, OSError):
            locked = False
        else:
            locked = True
        yield locked


def names_in(directory: Path) -> list[str]:
    """Return the names of the files in a directory; none if it cannot be read."""
    try:
        with os.scandir(directory) as entries:
            return [entry.name for entry in entries]
    except OSError:
        return []


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > LEFT_SECONDS
    except OSError:
        return False


def _delete(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink(missing_ok=True)
