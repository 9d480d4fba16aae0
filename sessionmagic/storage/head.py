"""The id and the name in a session's file, read without the turns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from pydantic_core import from_json

if TYPE_CHECKING:
    from pathlib import Path

HEAD_BYTES = 16_384
"""How much of a file is read first. The store writes the id and the name before everything else."""


@dataclass(frozen=True, slots=True)
class Head:
    """The id and the name that a session's file states. The id may differ from the name of the file."""

    id: str
    name: str


def read_head(path: Path) -> Head | None:
    """Return the head of a session's file, or None when the file does not hold one; raises `OSError`.

    A file of any schema has one. Only a file whose first bytes do not have it is read as a whole.
    """
    with path.open("rb") as file:
        beginning = file.read(HEAD_BYTES)
        head = _head(beginning, partial=True)
        return head if head is not None else _head(beginning + file.read(), partial=False)


def _head(content: bytes, *, partial: bool) -> Head | None:
    try:
        # A string that is cut off is left out, so a name that is found is whole.
        database: Any = from_json(content, allow_partial=True) if partial else orjson.loads(content)
        session = database["session"]["1"]
        session_id, name = session["id"], session["name"]
    except (ValueError, TypeError, KeyError):
        return None
    return Head(session_id, name) if isinstance(session_id, str) and isinstance(name, str) else None
