"""Go through what is below a directory of a folder, without what version control ignores and without links."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionmagic.exceptions import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from sessionmagic.tools.toolsets.directory import Directory, Entry
    from sessionmagic.tools.toolsets.folder import Folder
    from sessionmagic.tools.toolsets.ignored import Ignored

DEPTH = 30
"""Directories within each other that are entered."""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry below a directory. The directory that it is in is open until the next one is found."""

    directory: Directory
    entry: Entry
    depth: int
    """0 for what is in the directory itself."""

    @property
    def path(self) -> str:
        """Its path within the folder."""
        return self.directory.path_of(self.entry.name)


@contextmanager
def entered(folder: Folder, path: str, ignored: Ignored) -> Iterator[tuple[Directory, Ignored]]:
    """Open a directory, and return it with what is ignored in it."""

    def pass_by(directory: Directory) -> None:
        nonlocal ignored
        ignored = ignored.within(directory)

    with folder.directory(path, on_the_way=pass_by) as directory:
        yield directory, ignored.within(directory)


def shown_entries(directory: Directory, ignored: Ignored) -> list[Entry]:
    """Return the entries of a directory that are not ignored."""
    return [
        each
        for each in directory.entries()
        if not ignored.hides(directory.path_of(each.name), is_directory=each.kind == "directory")
    ]


@contextmanager
def walk(
    directory: Directory, ignored: Ignored, enters: Callable[[Directory], bool] = lambda _: True
) -> Iterator[Iterator[Found]]:
    """Return what is below a directory, each directory before what is in it.

    Args:
        directory: The directory.
        ignored: What is ignored in it.
        enters: Whether what is in a directory is wanted.
    """
    found = _walk(directory, ignored, enters, 0)
    try:
        yield found
    finally:
        found.close()  # all directories that are open


def _walk(
    directory: Directory, ignored: Ignored, enters: Callable[[Directory], bool], depth: int
) -> Generator[Found, None, None]:
    for entry in shown_entries(directory, ignored):
        yield Found(directory, entry, depth)
        if entry.kind != "directory" or depth >= DEPTH:
            continue
        with suppress(ToolError), directory.inner(entry.name) as inner:  # it may be gone, or closed to us
            if enters(inner):
                yield from _walk(inner, ignored.within(inner), enters, depth + 1)
