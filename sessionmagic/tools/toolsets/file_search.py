"""A search for lines in the files below a directory, which ends in limited time."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING

from sessionmagic.exceptions import ToolError
from sessionmagic.tools.toolsets.folder import parts_of
from sessionmagic.tools.toolsets.walking import entered, walk
from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence

    from sessionmagic.tools.toolsets.directory import Directory
    from sessionmagic.tools.toolsets.folder import Folder
    from sessionmagic.tools.toolsets.ignored import Ignored

    Fits = Callable[[str], bool]

LINES = 200
"""Lines that are shown."""
SECONDS = 20.0
SIZE = 2_000_000
"""Bytes of a file that is searched. A larger one is passed over."""
LINE_LENGTH = 300
"""Characters of a line that are shown."""


def search(  # noqa: PLR0913, PLR0917
    folder: Folder, path: str, ignored: Ignored, matches: Fits, excluded: Sequence[Fits], stop: threading.Event
) -> str:
    """Return the lines that match, with their files and numbers.

    Args:
        folder: The folder.
        path: A directory or a file in it.
        ignored: What is ignored in the folder.
        matches: Whether a line matches.
        excluded: Whether a path below the directory is left out.
        stop: Set when nobody waits for the result any more.
    """
    deadline = time.monotonic() + SECONDS
    found: list[str] = []
    for place, text in _texts(folder, path, ignored, excluded):
        matching = (line for line in enumerate(text.split("\n"), 1) if matches(line[1]))
        for number, line in islice(matching, LINES - len(found)):
            found.append(f"{printable(place)}:{number}: {shortened(line.rstrip(), LINE_LENGTH)}")
        if len(found) == LINES:
            return "\n".join([*found, f"[only the first {LINES} lines are shown]"])
        if time.monotonic() > deadline or stop.is_set():
            return "\n".join([*found, f"[stopped after {SECONDS:.0f} s; search in one of the directories]"])
    return "\n".join(found) or "(no line matches)"


def _texts(folder: Folder, path: str, ignored: Ignored, excluded: Sequence[Fits]) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each file, and an empty text for what is not searched."""
    if parts_of(path):
        with folder.holder(path) as (directory, name):
            entry = directory.entry(name)
            if entry is not None and entry.kind != "directory":
                yield directory.path_of(name), directory.read(name, SIZE).decode(errors="replace")
                return

    def enters(inner: Directory) -> bool:
        return not any(fit(inner.shown[begin:]) for fit in excluded)

    with entered(folder, path, ignored) as (directory, inner_ignored):
        begin = len(directory.path_of(""))
        with walk(directory, inner_ignored, enters) as all_found:
            for found in all_found:
                leaves_out = any(fit(found.path[begin:]) for fit in excluded)
                searched = found.entry.kind == "file" and not leaves_out
                yield found.path, _text(found.directory, found.entry.name) if searched else ""


def _text(directory: Directory, name: str) -> str:
    """Return the text of a file; empty if it is none, is too large or cannot be read."""
    try:
        text = directory.read(name, SIZE).decode()
    except (ToolError, UnicodeDecodeError):
        return ""
    return "" if "\0" in text else text
