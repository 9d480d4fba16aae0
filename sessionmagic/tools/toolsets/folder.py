"""The folder that an agent's tools work in: each path is one within it, and none leads out of it."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sessionmagic.exceptions import ToolError
from sessionmagic.tools.toolsets.directory import Directory, MissingError, in_words, named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONGEST = 4_000
"""Characters of a path."""
WINDOWS = os.name == "nt"
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])( *\..*)?", re.IGNORECASE)
"""Names of devices of Windows."""


class Folder:
    """The folder. Its methods raise `ToolError`.

    Args:
        root: Where it is. Links on the way to it are followed.
        closed: A directory that is not entered, also if it is in the folder: where sessions are stored.
    """

    def __init__(self, root: Path, closed: Path | None = None) -> None:
        self.root = os.path.realpath(root)
        self._closed = closed

    @contextmanager
    def directory(
        self, path: str, *, make: bool = False, on_the_way: Callable[[Directory], object] | None = None
    ) -> Iterator[Directory]:
        """Open a directory of the folder.

        Args:
            path: Its path within the folder; ``"."`` is the folder itself.
            make: Make it, and those on the way to it, if they do not exist.
            on_the_way: Called with each directory before it, the folder first.
        """
        with self._opened(parts_of(path), make=make, on_the_way=on_the_way) as directory:
            yield directory

    @contextmanager
    def holder(self, path: str, *, make: bool = False) -> Iterator[tuple[Directory, str]]:
        """Open the directory that holds a file, and return it with the file's name."""
        *before, name = parts_of(path) or [""]
        if not name:
            raise ToolError(f"{named(path)} is a directory")
        with self._opened(before, make=make) as directory:
            yield directory, name

    def read(self, path: str, limit: int) -> bytes:
        """Return the content of a file of at most `limit` bytes."""
        with self.holder(path) as (directory, name):
            return directory.read(name, limit)

    def exists(self, path: str) -> bool:
        """Return whether there is something with that path, be it a link."""
        try:
            with self.holder(path) as (directory, name):
                return directory.entry(name) is not None
        except MissingError:
            return False

    @contextmanager
    def _opened(
        self, parts: list[str], *, make: bool, on_the_way: Callable[[Directory], object] | None = None
    ) -> Iterator[Directory]:
        closed = self._closed_identity()
        with in_words(self.root):
            current = Directory(self.root, closed=closed)
        try:
            for name in parts:
                if on_the_way is not None:
                    on_the_way(current)
                inner = current.inner(name, make=make)
                current.close()
                current = inner
            yield current
        finally:
            current.close()

    def _closed_identity(self) -> tuple[int, int] | None:
        """Return what tells the closed directory from others. Raise `ToolError` if the folder is in it."""
        if self._closed is None:
            return None
        if Path(self.root).is_relative_to(os.path.realpath(self._closed)):
            raise ToolError("the working directory is where sessions are stored, which no tool enters")
        try:
            status = self._closed.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino


def parts_of(path: str) -> list[str]:
    """Return the names on the way to a path within a folder. Raises `ToolError` for a path that may lead out of it."""
    if len(path) > LONGEST:
        raise ToolError(f"the path has {len(path):,} characters; use at most {LONGEST:,}")
    if "\0" in path or any("\ud800" <= character <= "\udfff" for character in path):
        raise ToolError(f"{named(path)} is not a valid path")
    if Path(path).is_absolute() or path.startswith(("/", "\\")):
        raise ToolError(f"{named(path)} is an absolute path; give one within the working directory, such as data/a.csv")
    parts = [part for part in (path.replace("\\", "/") if WINDOWS else path).split("/") if part not in {"", "."}]
    if ".." in parts:
        raise ToolError(f"{named(path)} leads out of a directory with ..; give a path within the working directory")
    if WINDOWS:
        _check_windows("/".join(parts))
    return parts


def _check_windows(path: str) -> None:
    """Raise `ToolError` for what Windows takes for a drive, a device, a stream of a file or another name."""
    if ":" in path or any(_RESERVED.fullmatch(part) or part.endswith((" ", ".")) for part in path.split("/")):
        raise ToolError(f"{named(path)} is not a path within the working directory")
