"""The id and the name in a session's file, read without the turns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from sessionmagic.json_bytes import loads

if TYPE_CHECKING:
    from pathlib import Path

LABEL_BYTES = 16_384
"""How much of a file is read first. The store writes the id and the name before everything else."""


@dataclass(frozen=True, slots=True)
class Label:
    """The id and the name that a session's file states. The id may differ from the name of the file."""

    id: str
    name: str


def read_label(path: Path) -> Label | None:
    """Return the label of a session's file, or None when the file does not hold one; raises `OSError`.

    A file of any schema has one. Only a file whose first bytes do not have it is read as a whole.
    """
    with path.open("rb") as file:
        beginning = file.read(LABEL_BYTES)
        label = _label(beginning, partial=True)
        return label if label is not None else _label(beginning + file.read(), partial=False)


def _label(content: bytes, *, partial: bool) -> Label | None:
    try:
        # A string that is cut off is left out, so a name that is found is whole.
        database: Any = from_json(content, allow_partial=True) if partial else loads(content)
        session = database["session"]["1"]
        session_id, name = session["id"], session["name"]
    except (ValueError, TypeError, KeyError):
        return None
    return Label(session_id, name) if isinstance(session_id, str) and isinstance(name, str) else None
