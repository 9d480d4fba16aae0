"""The tools of the type ``filesystem`` that read: files, directories, and texts in many files.

The docstrings and the parameters are what a model is told. The names are docker-agent's.
"""

from __future__ import annotations

import json as json_library
import threading
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.attachment import IMAGE_STARTS
from sessionmagic.exceptions import ToolError
from sessionmagic.loop import in_own_thread, in_thread
from sessionmagic.tools.patterns import searcher
from sessionmagic.tools.results import IMAGE_LIMIT
from sessionmagic.tools.toolsets.directory import named
from sessionmagic.tools.toolsets.file_search import search
from sessionmagic.tools.toolsets.globs import fits
from sessionmagic.tools.toolsets.ignored import Ignored
from sessionmagic.tools.toolsets.walking import entered, shown_entries, walk
from sessionmagic.words import counted, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.tools.toolsets.directory import Directory, Entry
    from sessionmagic.tools.toolsets.folder import Folder

TEXT_LIMIT = 10_000_000
"""Bytes of a text file that is read."""
LISTED = 500
"""Entries that a listing or a tree shows."""
FILES = 100
"""Files that are read in one call."""
_IMAGES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}


class FileReading:
    """The tools. A call raises `ToolError` for what cannot be read.

    Args:
        folder: The folder.
        ignores_vcs: Whether listings and searches leave out what version control ignores.
    """

    def __init__(self, folder: Folder, *, ignores_vcs: bool = True) -> None:
        self._folder = folder
        self._ignored = Ignored(active=ignores_vcs)

    async def read_file(self, path: str) -> Any:
        """Read a text file or an image in the working directory."""
        return await in_thread(self._content, path)

    async def read_multiple_files(self, paths: list[str], json: bool = False) -> str:  # noqa: FBT001, FBT002
        """Read several text files."""
        if len(paths) > FILES:
            raise ToolError(f"{len(paths):,} files cannot be read at once; name at most {FILES}")
        found = await in_thread(lambda: [{"path": path, "content": self._text_or_problem(path)} for path in paths])
        if json:
            return json_library.dumps(found, ensure_ascii=False)
        return "\n\n".join(f"=== {named(each['path'])} ===\n{each['content']}" for each in found)

    async def list_directory(self, path: str = ".") -> str:
        """List a directory."""
        return await in_thread(self._listing, path)

    async def directory_tree(self, path: str = ".") -> str:
        """Show all files below a directory."""
        return await _stoppable(self._tree, path)

    async def search_files_content(
        self,
        query: str,
        path: str = ".",
        is_regex: bool = False,  # noqa: FBT001, FBT002
        excludePatterns: list[str] = [],  # noqa: B006, N803
    ) -> str:
        """Find lines with a text, or a regular expression, in the files below a directory."""
        matches = searcher(query) if is_regex else lambda line: query in line
        return await _stoppable(search, self._folder, path, self._ignored, matches, [*map(fits, excludePatterns)])

    def _content(self, path: str) -> Any:
        content = self._folder.read(path, TEXT_LIMIT)
        kind = _IMAGES.get(PurePath(path).suffix.lower(), "")
        if not kind or not content.startswith(IMAGE_STARTS[kind]):
            return text_of(path, content)
        if len(content) > IMAGE_LIMIT:
            raise ToolError(f"{named(path)} is an image of more than {IMAGE_LIMIT:,} bytes; make it smaller first")
        from pydantic_ai.messages import BinaryContent

        return BinaryContent(content, media_type=kind)

    def _text_or_problem(self, path: str) -> str:
        try:
            return text_of(path, self._folder.read(path, TEXT_LIMIT))
        except ToolError as error:
            return f"[{error}]"

    def _listing(self, path: str) -> str:
        with entered(self._folder, path, self._ignored) as (directory, ignored):
            entries = shown_entries(directory, ignored)
            lines = [_line(directory, each) for each in entries[:LISTED]]
        if len(entries) > LISTED:
            lines.append(f"[{len(entries) - LISTED:,} more]")
        return "\n".join(lines) or "(empty)"

    def _tree(self, path: str, stop: threading.Event) -> str:
        lines: list[str] = []
        with entered(self._folder, path, self._ignored) as (directory, ignored), walk(directory, ignored) as found:
            for each in found:
                if len(lines) == LISTED or stop.is_set():
                    lines.append("[more was left out; look at one of the directories]")
                    break
                mark = "/" if each.entry.kind == "directory" else ""
                lines.append(f"{'  ' * each.depth}{printable(each.entry.name)}{mark}")
        return "\n".join(lines) or "(empty)"


async def _stoppable(look: Callable[..., str], *args: Any) -> str:
    """Call a function in a thread, and tell it to stop when the call of the tool is cancelled."""
    stop = threading.Event()
    try:
        return await in_own_thread(look, *args, stop)
    finally:
        stop.set()


def text_of(path: str, content: bytes) -> str:
    """Return the content of a file as text. Raises `ToolError` if it is none."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ToolError(f"{named(path)} is not a text in UTF-8 ({counted(len(content), 'byte')})")
    return text


def _line(directory: Directory, entry: Entry) -> str:
    name = printable(entry.name)
    match entry.kind:
        case "directory":
            return f"DIR  {name}"
        case "link":
            return f"LINK {name} -> {printable(directory.target(entry.name))}"
        case "file":
            return f"FILE {name} ({counted(entry.size, 'byte')})"
        case _:
            return f"     {name} (a device, a pipe or the like)"
