"""A snapshot that is as it was written: its turns are read when they are used.

Its checksum shows that each line is what the store has written. So only what makes the tree is taken from the lines of
the turns. Any other snapshot is read and checked as a whole.

With a turn, those that stand near it are read. So the garbage collector looks once at what dozens of turns are made of,
and no bytes stay in memory beside what was read from them.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple, get_args
from weakref import ref

from sessionmagic.conversation.events import TurnKind, TurnStatus
from sessionmagic.conversation.session import TurnRecord
from sessionmagic.exceptions import StoreError
from sessionmagic.garbage import uncollected
from sessionmagic.json_bytes import loads
from sessionmagic.storage.footer import footer_of
from sessionmagic.storage.snapshot import ONE, TURNS
from sessionmagic.storage.validation import validator

if TYPE_CHECKING:
    from pathlib import Path

    from sessionmagic.storage.journal import Place

_TEXT = rb'"([ !#-\[\]-~]*)"'
_TREE = rb'\{"id":%b,"parent":(?:%b|null),"kind":"([a-z]+)","status":"([a-z]+)",' % (_TEXT, _TEXT)
_TURN = re.compile(rb'"[0-9]+":(?=%b)' % _TREE)
"""How the line of a turn begins: its place, and in its JSON what makes the tree."""
_FIELDS = ("id", "parent", "kind", "status")
_give_id, _give_parent, _give_kind, _give_status = (TurnRecord.__dict__[name].__set__ for name in _FIELDS)
_KINDS, _STATUSES = ({name.encode(): name for name in get_args(names)} for names in (TurnKind, TurnStatus))
_COMMA = b","[0]
_BLOCK = 200_000
"""How many bytes of turns are read at once, at least: some dozens of turns, which take a millisecond."""

_Unread = tuple[bytes, list[tuple[ref[TurnRecord], int, int]]]
"""The bytes of a block, and its turns that are not read yet, each with the places at which its JSON begins and ends."""


class Written(NamedTuple):
    """What a snapshot holds."""

    session: dict[str, Any]
    """The fields of the session, except its turns."""
    turns: tuple[TurnRecord, ...]
    place: Place
    """The place after which its journal begins."""


def read_written(path: Path) -> Written | None:
    """Return what a snapshot holds; None if it is not as this version has written it, or has no turns.

    Raises `OSError`, and `ValueError`, `TypeError` or `KeyError` if it cannot be as this version has written it.
    """
    turns: list[TurnRecord] = []
    with path.open("rb") as file:
        head = file.readline()
        if not head.endswith(TURNS + b"\n"):
            return None
        checksum, content, begun = zlib.crc32(head), b"", 0
        while begun == len(content) and (content := file.read(_BLOCK) + file.readline()):
            begun = _Block(path, content).add_to(turns)
            checksum = zlib.crc32(memoryview(content)[:begun], checksum)
        rest = content[begun:] + file.read()
    footer = footer_of(rest[1:], zlib.crc32(rest[:1], checksum)) if rest.startswith(b"}") else None
    if footer is None:
        return None
    return Written(loads(head + b"}}")["session"][ONE], tuple(turns), footer.place)


class _Block:
    """Turns that stand beside each other in a snapshot.

    They hold the block, and it holds them weakly, so that all of it goes at once when nobody needs the session.

    Args:
        path: The snapshot.
        content: The lines of the turns, and perhaps more.
    """

    def __init__(self, path: Path, content: bytes) -> None:
        self._path = path
        self._unread: _Unread = content, []

    def add_to(self, turns: list[TurnRecord]) -> int:
        """Add the turns of the block to these, and return the place after their lines.

        Raises `KeyError` for a kind or a status that this version does not have.
        """
        content, places = self._unread
        begun, match, find, unread, read = 0, _TURN.match, content.find, TurnRecord.unread, self._read
        while (found := match(content, begun)) and (end := find(b"\n", begun)) >= 0:
            turn_id, parent, kind, status = found.groups()
            turn = unread(read)
            _give_id(turn, turn_id.decode())
            _give_parent(turn, None if parent is None else parent.decode())
            _give_kind(turn, _KINDS[kind])
            _give_status(turn, _STATUSES[status])
            turns.append(turn)
            places.append((ref(turn), found.end(), end - 1 if content[end - 1] == _COMMA else end))
            begun = end + 1
        return begun

    def _read(self, wanted: TurnRecord) -> None:
        """Give all turns of the block their fields.

        Raises `StoreError` if somebody has written the wanted one in place of the store.
        """
        content, places = self._unread  # another thread may do the same at the same time
        validate, problems, wrong = validator(TurnRecord).validate_python, {}, []
        with uncollected():
            for place in places:
                if (turn := place[0]()) is not None:
                    try:
                        validate(loads(memoryview(content)[place[1] : place[2]]), self_instance=turn)
                    except ValueError as error:
                        problems[turn.id] = error
                        wrong.append(place)
        self._unread = (content, wrong) if wrong else (b"", [])
        if wanted.id in problems:
            raise StoreError(
                f"turn {wanted.id} in {self._path} is not as this version writes it; restore the file from a copy"
            ) from problems[wanted.id]
