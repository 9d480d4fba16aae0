"""The tools of the type ``filesystem`` that write. An approval shows the difference that a call makes.

The docstrings and the parameters are what a model is told. The names are docker-agent's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.exceptions import ToolError
from sessionmagic.loop import in_thread
from sessionmagic.tools.toolsets.changes import Edit, difference, edited
from sessionmagic.tools.toolsets.directory import named
from sessionmagic.tools.toolsets.file_reading import TEXT_LIMIT, text_of
from sessionmagic.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.tools.toolsets.folder import Folder
    from sessionmagic.tools.toolsets.post_edit import PostEdits

DIRECTORIES = 100
"""Directories that are made or removed in one call."""


class FileWriting:
    """The tools. A call raises `ToolError` for what cannot be written.

    Args:
        folder: The folder.
        afterwards: The commands that run when a file has been written.
    """

    def __init__(self, folder: Folder, afterwards: PostEdits) -> None:
        self._folder = folder
        self._afterwards = afterwards

    async def write_file(self, path: str, content: str) -> str:
        """Create a text file in the working directory, or replace all of it."""
        await in_thread(self._write, path, content)
        return "\n".join([f"wrote {counted(len(content), 'character')}", *await self._afterwards.run(path)])

    async def edit_file(self, path: str, edits: list[Edit]) -> str:
        """Replace exact texts in a file, each of which is in it once."""
        await in_thread(lambda: self._write(path, edited(self._text(path), edits)))
        return "\n".join([f"made {counted(len(edits), 'edit')}", *await self._afterwards.run(path)])

    async def create_directory(self, paths: list[str]) -> str:
        """Create directories, and those on the way to them."""
        await in_thread(self._make, paths)
        return f"created {', '.join(map(named, paths))}"

    async def remove_directory(self, paths: list[str]) -> str:
        """Remove empty directories."""
        await in_thread(self._remove, paths)
        return f"removed {', '.join(map(named, paths))}"

    async def write_preview(self, path: str, content: str) -> str:
        """Return the difference that `write_file` would make."""
        return await in_thread(self._write_preview, path, content)

    async def edit_preview(self, path: str, edits: list[Edit]) -> str:
        """Return the difference that `edit_file` would make."""
        return await in_thread(self._edit_preview, path, edits)

    def _write_preview(self, path: str, content: str) -> str:
        _encoded(path, content)
        if not self._folder.exists(path):
            return self._preview(f"creates {named(path)}", difference("", content), path)
        before = self._folder.read(path, TEXT_LIMIT)
        try:
            changes = difference(text_of(path, before), content)
        except ToolError:
            changes = f"(replaces {counted(len(before), 'byte')} that are no text)"
        return self._preview(f"replaces {named(path)}", changes, path)

    def _edit_preview(self, path: str, edits: list[Edit]) -> str:
        before = self._text(path)
        return self._preview(f"changes {named(path)}", difference(before, edited(before, edits)), path)

    def _preview(self, what: str, changes: str, path: str) -> str:
        return "\n".join([what, changes or "(changes nothing)", *self._afterwards.shown(path)])

    def _text(self, path: str) -> str:
        return text_of(path, self._folder.read(path, TEXT_LIMIT))

    def _write(self, path: str, text: str) -> None:
        with self._folder.holder(path, make=True) as (directory, name):
            directory.write(name, _encoded(path, text))

    def _make(self, paths: Sequence[str]) -> None:
        for path in _few(paths):
            with self._folder.directory(path, make=True):
                pass

    def _remove(self, paths: Sequence[str]) -> None:
        for path in _few(paths):
            with self._folder.holder(path) as (directory, name):
                directory.remove_directory(name)


def _encoded(path: str, text: str) -> bytes:
    """Return a text as it is written. Raises `ToolError` if it cannot be written, or not be read again."""
    try:
        content = text.encode()
    except UnicodeEncodeError as error:
        raise ToolError(f"the text for {named(path)} has characters that no file can hold; leave them out") from error
    if len(content) > TEXT_LIMIT:
        raise ToolError(f"the text for {named(path)} has more than {TEXT_LIMIT:,} bytes; write it with code")
    return content


def _few(paths: Sequence[str]) -> Sequence[str]:
    if len(paths) > DIRECTORIES:
        raise ToolError(f"{len(paths):,} directories are too many for one call; name at most {DIRECTORIES}")
    return paths
