"""Locks: those of the operating system, or where a file system has none, files that exist while something is locked.

Where there is only one process, as in Pyodide, whose `flock` refuses nobody, they are kept in its memory.
"""

from __future__ import annotations

import errno
import sys
import tempfile
import warnings
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Protocol, Self

with warnings.catch_warnings():
    warnings.simplefilter("ignore", UserWarning)  # JupyterLite has no fcntl
    from filelock import FileLock, SoftFileLock, Timeout

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["REFUSED", "Lock", "Timeout", "lock_of", "untold"]

ONE_PROCESS = sys.platform == "emscripten"
REFUSED = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP})
"""The errors of a file system that gives no lock, for example because the lock service of its server does not run."""

_untold: list[str] = []


class Lock(AbstractContextManager[object, None], Protocol):
    """The lock of a file. Any thread may release it. In a ``with`` block, it is held."""

    def acquire(self) -> object:
        """Take the lock; raises `Timeout` and `OSError`."""

    def release(self) -> None:
        """Release the lock."""


class OwnLock(AbstractContextManager[object, None]):
    """A lock among the code of this process, which has no other thread that could release it meanwhile."""

    _held: set[Path] = set()  # noqa: RUF012  of all locks

    def __init__(self, path: Path) -> None:
        self._path = path

    def acquire(self) -> None:
        """Take the lock; raises `Timeout` and `OSError`."""
        self._path.touch(mode=0o600)
        if self._path in self._held:
            raise Timeout(str(self._path))
        self._held.add(self._path)

    def release(self) -> None:
        """Release the lock."""
        self._held.discard(self._path)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *raised: object) -> None:
        self.release()


def lock_of(path: Path, timeout: float = 0) -> Lock:
    """Return the lock of a file.

    Raises `OSError` if the file system gives no locks; nothing has been created then.
    """
    if ONE_PROCESS:
        return OwnLock(path)
    kind = FileLock if _has_locks(path.parent) else SoftFileLock
    return kind(path, timeout=timeout, thread_local=False, mode=0o600)


def untold() -> list[str]:
    """Return what the user should know of locks, one line each, and has not been told in this process."""
    lines = _untold.copy()
    del _untold[: len(lines)]
    return lines


@cache
def _has_locks(directory: Path) -> bool:
    """Return whether the operating system can lock files in a directory."""
    try:
        import fcntl

        file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115  closed below
    except (ImportError, OSError):  # Windows has other locks; and a lock file may exist where none can be made
        return True
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
            _say_once()
            return False
    return True


@cache
def _say_once() -> None:
    _untold.append(
        "the file system of the sessions has no locks, so that a session may stay busy when its kernel was killed; "
        "SESSIONMAGIC_HOME names another directory"
    )
