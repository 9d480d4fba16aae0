"""Stamps of files, by which a file that has changed is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from pathlib import Path

Stamp = tuple[int, ...]
"""The inode, size and modification time of a file. Every write changes at least one of them."""


def stamp_of(status: os.stat_result) -> Stamp:
    """Return the stamp of a file with that status."""
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def stamp_at(path: Path) -> Stamp | None:
    """Return the stamp of the file at `path`, or None if there is none; raises `OSError`."""
    try:
        return stamp_of(path.stat())
    except FileNotFoundError:
        return None


def size_in(stamp: Stamp | None) -> int:
    """Return the size that a stamp states; 0 if there was no file."""
    return 0 if stamp is None else stamp[1]
