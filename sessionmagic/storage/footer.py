"""The end of a snapshot: the summary of its session, for listings, and a checksum of all that stands before.

A listing reads thousands of files. If the checksum is right, the file is as it was written, so it need not be parsed.
The end also says at which commit the journal goes on.
"""

from __future__ import annotations

import os
import re
import zlib
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TYPE_CHECKING

from sessionmagic.conversation.session import SCHEMA, SessionSummary
from sessionmagic.json_bytes import loads
from sessionmagic.storage.atomic import dumps
from sessionmagic.storage.journal import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

TABLES = ("summary", "checksum")
"""The names of the tables. They are no part of the database for those who read or write it by TinyDB."""
_SUMMARY = b',"summary":{"1":'
_CHECKSUM = re.compile(rb'\},"checksum":\{"1":\{"crc32":([0-9]{1,10})\}\}\}')
_MOST_BYTES = 65_536
_BLOCK = 1_048_576


@dataclass(frozen=True, slots=True)
class Footer:
    """What the end of a snapshot says."""

    summary: SessionSummary
    """The summary of the session in the snapshot."""
    place: Place
    """The place of the snapshot, after which its journal begins."""


def with_footer(parts: Iterable[bytes], footer: Footer) -> Iterator[bytes]:
    """Yield the parts of a snapshot that lacks its last brace, then the footer and the brace."""
    checksum = 0
    stated = {"schema": SCHEMA, "place": asdict(footer.place), **asdict(footer.summary)}
    for part in chain(parts, [_SUMMARY + dumps(stated)]):
        checksum = zlib.crc32(part, checksum)
        yield part
    yield b'},"checksum":{"1":{"crc32":%d}}}' % checksum


def footer_in(file: BinaryIO) -> Footer | None:
    """Return the footer of a snapshot; None if it has none, or was changed since it was written; raises `OSError`."""
    size = file.seek(0, os.SEEK_END)
    before = size - _MOST_BYTES if size > _BLOCK else 0  # a file of usual size is read at once
    file.seek(before)
    content = file.read(size - before)
    start = content.rfind(_SUMMARY)
    if start < 0:
        return None
    view = memoryview(content)
    return footer_of(view[start:], zlib.crc32(view[:start], _checksum(file, before)))


def footer_of(end: bytes | memoryview, checksum: int) -> Footer | None:
    """Return the footer in the end of a snapshot; None if it is none of this version, or the snapshot was changed.

    Args:
        end: All that follows the tables of the database.
        checksum: That of all that stands before.
    """
    content = bytes(end)
    length = content.rfind(b'},"checksum":')
    stated = _CHECKSUM.fullmatch(content, length) if length >= 0 and content.startswith(_SUMMARY) else None
    if stated is None or int(stated[1]) != zlib.crc32(memoryview(content)[:length], checksum):
        return None
    try:
        stored = loads(memoryview(content)[len(_SUMMARY) : length])
        if stored.pop("schema") != SCHEMA:
            return None
        place = Place(**stored.pop("place"))
        lists = {name: tuple(stored[name]) for name in ("notebooks", "models")}
        return Footer(SessionSummary(**{**stored, **lists}), place)
    except (ValueError, TypeError, KeyError, AttributeError):  # of another version
        return None


def _checksum(file: BinaryIO, size: int) -> int:
    """Return the checksum of the first bytes of a file, of which few are in memory at once."""
    file.seek(0)
    checksum = 0
    for at in range(0, size, _BLOCK):
        checksum = zlib.crc32(file.read(min(_BLOCK, size - at)), checksum)
    return checksum
