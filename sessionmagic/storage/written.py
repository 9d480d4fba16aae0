"""A snapshot that is as it was written: its turns are read when they are used.

Its checksum shows that each line is what the store has written. So only what makes the tree is taken from the lines of
the turns. Any other snapshot is read and checked as a whole.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from sessionmagic.conversation.events import TurnKind, TurnStatus
from sessionmagic.conversation.session import TurnRecord
from sessionmagic.exceptions import StoreError
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
"""How many bytes of turns are read at once, at least. They stay in memory until all turns in them have been used."""


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
        checksum, block, begun = zlib.crc32(head), b"", 0
        while begun == len(block) and (block := file.read(_BLOCK) + file.readline()):
            begun = _add_turns(turns, block)
            checksum = zlib.crc32(memoryview(block)[:begun], checksum)
        rest = block[begun:] + file.read()
    footer = footer_of(rest[1:], zlib.crc32(rest[:1], checksum)) if rest.startswith(b"}") else None
    if footer is None:
        return None
    return Written(loads(head + b"}}")["session"][ONE], tuple(turns), footer.place)


def _add_turns(turns: list[TurnRecord], block: bytes) -> int:
    """Add the turns at the beginning of a block, and return the place after their lines.

    Raises `KeyError` for a kind or a status that this version does not have.
    """
    begun, match, find, unread = 0, _TURN.match, block.find, TurnRecord.unread
    while (found := match(block, begun)) and (end := find(b"\n", begun)) >= 0:
        turn_id, parent, kind, status = found.groups()
        turn = unread(_read, block, found.end(), end - 1 if block[end - 1] == _COMMA else end)
        _give_id(turn, turn_id.decode())
        _give_parent(turn, None if parent is None else parent.decode())
        _give_kind(turn, _KINDS[kind])
        _give_status(turn, _STATUSES[status])
        turns.append(turn)
        begun = end + 1
    return begun


def _read(turn: TurnRecord, block: bytes, begun: int, end: int) -> None:
    """Give a turn all of its fields. Raises `StoreError` if somebody has written the snapshot in place of the store."""
    try:
        validator(TurnRecord).validate_python(loads(memoryview(block)[begun:end]), self_instance=turn)
    except ValueError as error:
        raise StoreError(f"turn {turn.id} is not as this version writes it; restore its session from a copy") from error
