"""The journal of a session: a file to which each commit appends one line.

A line is a checksum, a space, and JSON that names the commit before it. So a line is checked by itself and by its
place: a damaged, missing or foreign one is found. What a process that was killed has left at the end is no line: it has
no newline, or zeros.
"""

from __future__ import annotations

import os
import re
import secrets
import zlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.session import SCHEMA
from sessionmagic.json_bytes import loads
from sessionmagic.storage.atomic import PRIVATE_FILE, dumps, sync_directory
from sessionmagic.storage.refusals import JournalError, another_schema
from sessionmagic.storage.stamps import Stamp, stamp_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from sessionmagic.storage.patch import Patch

SUFFIX = ".journal"
_HEAD = re.compile(rb"[0-9a-f]{8} \{")
"""How a line begins. Only what begins so is read as a line, however long the file is."""
HEAD = 9
"""The bytes of a line before its JSON."""
_BLOCK = 1_048_576


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the history of a session: the number and the checksum of its latest commit."""

    commit: int
    checksum: int

    @classmethod
    def first(cls) -> Place:
        """Return the place of a new session. Its checksum is random, so that no other journal continues it."""
        return cls(0, secrets.randbits(32))


@dataclass(frozen=True, slots=True)
class Read:
    """How far a journal was read: the place, and the number of bytes up to the end of its last whole line."""

    place: Place
    end: int = 0


def line_of(patch: Patch, place: Place) -> tuple[bytes, Place]:
    """Return the line of a commit after a place, and the place after it; raises `StoreError`."""
    content = dumps({"schema": SCHEMA, "commit": place.commit + 1, "after": place.checksum, **patch})
    checksum = zlib.crc32(content)
    return b"%08x %b\n" % (checksum, content), Place(place.commit + 1, checksum)


def content_of(line: bytes) -> dict[str, Any] | None:
    """Return the JSON in a line; None if it is not whole."""
    if not line.endswith(b"\n") or not _HEAD.match(line) or int(line[:8], 16) != zlib.crc32(line[HEAD:-1]):
        return None
    content: dict[str, Any] = loads(line[HEAD:-1])
    return content


class Lines:
    """The patches of the commits in a journal after a place. Can be iterated once.

    Lines that the snapshot or an earlier line already has are passed over. So is what is torn at the end, because it
    was never acknowledged. Iterating raises `JournalError` for a journal that is damaged, `SessionSchemaError` for
    one of a newer version, and `OSError`.

    Args:
        path: The journal.
        begun: How far it was read before.
    """

    def __init__(self, path: Path, begun: Read) -> None:
        self.read = begun
        """How far the journal is read."""
        self._path = path

    def __iter__(self) -> Iterator[Patch]:
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self.read.end)
            while head := file.read(HEAD + 1):
                line = head + file.readline() if _HEAD.match(head) else head
                content = content_of(line)
                if content is None:
                    if not _is_torn(file, line):
                        raise JournalError(f"the journal is damaged after commit {self.read.place.commit}")
                    return
                yield from self._checked(content, line)

    def _checked(self, content: dict[str, Any], line: bytes) -> Iterator[Patch]:
        place, end = self.read.place, self.read.end + len(line)
        if content["schema"] > SCHEMA:
            raise another_schema(self._path, content["schema"])
        if content["commit"] <= place.commit:
            self.read = Read(place, end)
        elif content["commit"] != place.commit + 1 or content["after"] != place.checksum:
            raise JournalError(f"the journal does not go on with commit {place.commit + 1}")
        else:
            self.read = Read(Place(content["commit"], int(line[:8], 16)), end)
            yield content


def _is_torn(file: BinaryIO, line: bytes) -> bool:
    """Return whether the end of a file was never written as a whole, or else is damaged.

    Writing a line ends with its newline. If the machine stops, zeros may stand where something was not written.

    Args:
        file: The file.
        line: The bytes of the end that stand before the place of the file.
    """
    block, has_zeros = line, False
    while block:
        before, newline, after = block.partition(b"\n")
        has_zeros = has_zeros or b"\0" in before
        if newline:
            return has_zeros and not after and not file.read(1)
        block = file.read(_BLOCK)
    return True


def append_line(path: Path, line: bytes, end: int) -> Stamp:
    """Append a line to a journal, synced to disk, and return the stamp of the file.

    Args:
        path: The journal; it is created if it does not exist.
        line: The line.
        end: The end of the last whole line. What is after it was never acknowledged and is cut off.

    Raises `OSError` and leaves the lines that the journal has when that fails.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags, PRIVATE_FILE)
    try:
        try:
            if os.fstat(handle).st_size > end:
                os.ftruncate(handle, end)
            _write(handle, line)
            os.fsync(handle)
        except BaseException:
            with suppress(OSError):
                os.ftruncate(handle, end) if end else path.unlink()
            raise
        stamp = stamp_of(os.fstat(handle))
    finally:
        os.close(handle)
    if not end:
        sync_directory(path.parent)
    return stamp


def _write(handle: int, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(handle, rest) :]
