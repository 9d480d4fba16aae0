"""The right to run a turn on a session: a lock file whose lock the operating system drops when the holder dies."""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from sessionmagic.exceptions import SessionBusyError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a claim, for the message that the next one gets."""

    where: str
    """The cell or script, as its user knows it."""
    pid: int
    host: str
    since: float

    @classmethod
    def here(cls, where: str) -> Holder:
        """Describe this process, now."""
        return cls(where=where, pid=os.getpid(), host=socket.gethostname(), since=time.time())

    def describe(self) -> str:
        """Say in words who holds the claim and since when."""
        clock = time.strftime("%H:%M:%S", time.localtime(self.since))
        process = "" if self.pid == os.getpid() else f" of process {self.pid}"
        return f"{self.where or 'a turn'}{process} has held it since {clock}"


def busy(name: str, holder: Holder | None) -> SessionBusyError:
    """Return the error for a session that someone else holds."""
    who = holder.describe() if holder else "another process holds it"
    return SessionBusyError(
        f"session {name!r} is busy: {who}; --wait waits for its end, %agent stop {name!r} stops it there"
    )


class FileClaim:
    """A held claim. Release it once, from any thread."""

    def __init__(self, lock: FileLock, path: Path) -> None:
        self.session_id = path.stem
        self._lock = lock
        self._path = path

    def release(self) -> None:
        """Let the next turn have the session. Of a session that is no more, nothing is left behind."""
        try:
            with suppress(OSError):
                self._path.with_suffix(".holder").unlink(missing_ok=True)
                if not self._path.with_suffix(".json").exists():
                    self._path.with_suffix(".lock").unlink(missing_ok=True)
                    self._path.unlink(missing_ok=True)
        finally:
            self._lock.release()


class HeldError(Exception):
    """Someone else has the claim; `holder` says who, where that is known."""

    def __init__(self, holder: Holder | None) -> None:
        super().__init__()
        self.holder = holder


def take_claim(path: Path, holder: Holder) -> FileClaim:
    """Claim a session through the lock file at `path`; raises `HeldError`, never waits."""
    holder_path = path.with_suffix(".holder")
    lock = FileLock(path, timeout=0, thread_local=False, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        raise HeldError(_read_holder(holder_path)) from None
    try:
        holder_path.touch(mode=0o600)
        holder_path.write_text(json.dumps(asdict(holder)), encoding="utf-8")
    except OSError:
        lock.release()
        raise
    return FileClaim(lock, path)


def is_claimed(path: Path) -> bool:
    """Whether a living process holds the claim. Takes the lock only to clear away what a dead holder has left."""
    holder_path = path.with_suffix(".holder")
    if not holder_path.exists():
        return False
    lock = FileLock(path, timeout=0, thread_local=False, mode=0o600)
    try:
        lock.acquire()
    except (Timeout, OSError):
        return True
    try:
        with suppress(OSError):
            holder_path.unlink(missing_ok=True)
    finally:
        lock.release()
    return False


def _read_holder(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
