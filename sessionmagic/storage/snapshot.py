"""The snapshot of a session: a TinyDB database as one JSON document, with a line for each turn.

A session of hundreds of megabytes is written and read turn by turn, so that it is not in memory two or three times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionmagic.json_bytes import loads
from sessionmagic.storage.atomic import dumps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

    Database = dict[str, dict[str, Any]]
    """For each TinyDB table, its documents by their ids."""

ONE = "1"
"""The id of the only document in the tables ``session`` and ``journal``."""
TURNS = b'"turns":{'
"""How the line before those of the turns ends."""
_AT_ONCE = 1_000_000
"""How many bytes of turns are parsed at once, at least."""


def read_snapshot(path: Path) -> Database:
    """Return the database in a snapshot.

    Raises `OSError`, and `ValueError` if it is not JSON, or another error if it is not an object of objects.
    """
    with path.open("rb") as file:
        try:
            return _read_lines(file)
        except (ValueError, TypeError, KeyError, AttributeError):  # not in lines as below, so written by somebody else
            file.seek(0)
            database: Database = loads(file.read())
            return database


def _read_lines(file: BinaryIO) -> Database:
    head = file.readline()
    if not head.endswith(TURNS + b"\n"):
        raise ValueError("there is no line for each turn")
    database: Database = loads(head + b"}}")
    turns = database["turns"]
    while lines := file.readlines(_AT_ONCE):
        end = lines.pop() if lines[-1].startswith(b"}") else b""
        turns |= loads(b"{" + b"".join(lines).removesuffix(b"\n").removesuffix(b",") + b"}")
        if end:
            return {**loads(b"{" + TURNS + end + file.read()), **database}
    raise ValueError("the end is missing")


def snapshot_parts(database: Mapping[str, Mapping[str, Any]]) -> Iterator[bytes]:
    """Yield the JSON of a database document by document, without its last brace.

    The table of the session comes first; see `label`.
    """
    yield b"{"
    for place, name in enumerate(sorted(database, key=lambda name: name != "session")):
        yield (b"," if place else b"") + dumps(name) + b":{"
        line = b"\n" if name == "turns" else b""
        for number, (key, document) in enumerate(database[name].items()):
            yield (b"," if number else b"") + line + dumps(key) + b":" + dumps(document)
        yield line + b"}"
