"""Locks: those of the operating system, or where a file system has none, files that exist while something is locked."""

from __future__ import annotations

import errno
import tempfile
from functools import cache
from typing import TYPE_CHECKING

from filelock import FileLock, SoftFileLock

if TYPE_CHECKING:
    from pathlib import Path

    from filelock import BaseFileLock

REFUSED = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP})
"""The errors of a file system that gives no lock, for example because the lock service of its server does not run."""

_untold: list[str] = []


def lock_of(path: Path, timeout: float = 0) -> BaseFileLock:
    """Return the lock of a file. Any thread may release it.

    Its `acquire` raises `Timeout` and `OSError`. Raises `OSError` if the file system gives no locks; nothing has been
    created then.
    """
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
