"""Claims: the right to run turns on a session.

A claim is a lock on a file. The operating system releases it when the process of its holder ends.
"""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sessionmagic.exceptions import SessionBusyError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.storage.locks import Timeout, lock_of

if TYPE_CHECKING:
    from pathlib import Path

    from sessionmagic.storage.locks import Lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a claim, for the error of a turn that finds the session busy."""

    where: str
    """The cell or script, in words that its user knows."""
    pid: int
    host: str
    since: float

    @classmethod
    def here(cls, where: str) -> Holder:
        """Return the holder of a claim that this process takes now."""
        return cls(where=without_keys(where), pid=os.getpid(), host=socket.gethostname(), since=time.time())

    @property
    def is_here(self) -> bool:
        """Whether the holder is this process."""
        return self.pid == os.getpid()

    @property
    def lives(self) -> bool:
        """Whether the holder's process certainly exists. Another one may have its id by now."""
        if os.name == "nt" or self.host != socket.gethostname():
            return False  # it cannot be asked
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except (OSError, OverflowError):  # the process of another user
            return True
        return True

    def describe(self) -> str:
        """Return a clause that says who holds the claim and since when."""
        clock = time.strftime("%H:%M:%S", time.localtime(self.since))
        process = "" if self.is_here else f" of process {self.pid}"
        return f"{self.where or 'a turn'}{process} has held it since {clock}"


LATER = "try again when it has ended"
"""What to do when a session is busy, for what does not wait."""


def busy(name: str, holder: Holder | None, advice: str, *, waits_for_answer: bool = False) -> SessionBusyError:
    """Return the error for a session that is already claimed.

    Args:
        name: The session's name.
        holder: Who holds the claim; None when that is not known.
        advice: What to do besides stopping it.
        waits_for_answer: Whether a turn of this process on the session waits for the user's answer.
    """
    who = holder.describe() if holder else "another process holds it"
    where = "" if holder and holder.is_here else " in that process"
    advice = f"{advice}, %agent stop {name!r}{where} stops it"
    if waits_for_answer:
        who, advice = f"{who} and waits for your answer", f"%agent approve answers it, {advice}"
    return SessionBusyError(f"session {name!r} is busy: {who}; {advice}")


A_MOMENT = 0.5
"""How many seconds a lock that nobody seems to hold is tried again."""
A_GLANCE = 0.02
"""The same for a lock that seems to be held. The process that is named may be one that was killed a moment ago."""


class FileClaim:
    """A claim that is held until `release`, which is called once, from any thread."""

    def __init__(self, lock: Lock, path: Path, data: Path) -> None:
        self.session_id = path.stem
        self._lock = lock
        self._path = path
        self._data = data

    def release(self) -> None:
        """Release the claim. If what was claimed has been deleted, delete the lock files too."""
        try:
            with suppress(OSError):  # while the lock is held, so that no file of the next holder is deleted
                self._path.with_suffix(".holder").unlink(missing_ok=True)
                if not self._data.exists():
                    self._path.with_suffix(".lock").unlink(missing_ok=True)
                    self._path.unlink(missing_ok=True)
        finally:
            self._lock.release()


class HeldError(Exception):
    """The session is already claimed. `holder` is None when it cannot be read."""

    def __init__(self, session_id: str, holder: Holder | None) -> None:
        super().__init__()
        self.session_id = session_id
        self.holder = holder


def take_claim(path: Path, holder: Holder, data: Path | None = None) -> FileClaim:
    """Claim a session through the lock file at `path`, without waiting; raises `HeldError` and `OSError`.

    Args:
        path: The lock file.
        holder: Who claims.
        data: The file that is claimed; by default that of the session beside the lock file.
    """
    note = path.with_suffix(".holder")
    lock, is_new = lock_of(path), not path.exists()
    try:
        if not _acquired(lock, note):
            raise HeldError(path.stem, _read_holder(note))
    except OSError:
        if is_new:  # the file was made, but could not be locked
            path.unlink(missing_ok=True)
        raise
    try:
        note.touch(mode=0o600)
        note.write_text(json.dumps(asdict(holder)), encoding="utf-8")
    except BaseException:
        lock.release()
        raise
    return FileClaim(lock, path, data or path.with_suffix(".json"))


def is_claimed(path: Path) -> bool:
    """Return whether a living process holds the claim.

    A holder's note may be left over from a process that was killed. Only the lock can tell: it is taken for a moment,
    and if that works, the note is removed. Without a note the lock is not touched.
    """
    note = path.with_suffix(".holder")
    if not note.exists():
        return False
    try:
        lock = lock_of(path)
        if not _acquired(lock, note):
            return note.exists()
    except OSError:
        return True
    try:
        with suppress(OSError):
            note.unlink(missing_ok=True)
    finally:
        lock.release()
    return False


def _acquired(lock: Lock, note: Path) -> bool:
    """Take the lock of a claim, and return whether that worked; raises `OSError`.

    A process that only checks a claim has its lock for a moment, while the note is that of a process that was killed.
    One that releases a claim has it for a moment without a note. So the lock is tried again for as long as the note
    does not show that a living process holds the claim.
    """
    began = time.monotonic()
    while True:
        try:
            lock.acquire()
        except Timeout:
            if time.monotonic() - began >= _doubt(note):
                return False
            time.sleep(0.002)
        else:
            return True


def _doubt(note: Path) -> float:
    """Return for how many seconds to doubt that a claim whose lock is taken is held."""
    holder = _read_holder(note)
    if holder is None:
        return A_GLANCE if note.exists() else A_MOMENT
    if holder.is_here:
        return 0.0
    return A_GLANCE if holder.lives else A_MOMENT


def _read_holder(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
