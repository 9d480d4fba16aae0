"""A structured answer as plain JSON, and as a table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Collection

VALUE = "value"
"""The column of what is not a record."""
SHOWN_ROWS = 100
SHOWN_COLUMNS = 30
CELL_LENGTH = 300
"""Characters of a cell of a table."""


@dataclass(frozen=True, slots=True)
class StoredValue:
    """A structured answer of a model, as it is stored."""

    json: Any
    """The value as plain JSON. A number that JSON does not have, such as NaN, is null."""
    type: str
    """The name of the type that was asked for."""
    schema: str
    """A hash of the JSON schema of that type."""


@dataclass(frozen=True, slots=True)
class ValueTable:
    """A value as rows of text under headings, with lines below."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def opens_json(text: str) -> bool:
    """Return whether a text begins like JSON, or like JSON in a block of code."""
    return text.lstrip().startswith(("{", "[", "`"))


def as_text(value: Any) -> str:
    """Return a value as indented JSON."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def fields_of(value: Any) -> dict[str, Any]:
    """Return the fields of a record; any other value is the only field, named ``"value"``."""
    return value if isinstance(value, dict) else {VALUE: value}


def without_clashes(fields: dict[str, Any], taken: Collection[str]) -> dict[str, Any]:
    """Return fields under names that are not taken: a field ``cost`` becomes ``value_cost``."""
    renamed: dict[str, Any] = {}
    for name, value in fields.items():
        free = name
        while free in taken or free in renamed or (free != name and free in fields):
            free = f"{VALUE}_{free}"
        renamed[free] = value
    return renamed


def rows_of(value: Any) -> list[dict[str, Any]]:
    """Return a value as rows: one for each item of a list, and one for anything else.

    A record that only wraps a list of records counts as that list, because many servers take no list as an answer.
    """
    value = _wrapped(value)
    return [fields_of(each) for each in (value if isinstance(value, list) else [value])]


def _wrapped(value: Any) -> Any:
    """Return the list of records that is all that a record holds; any other value as it is."""
    match list(value.values()) if isinstance(value, dict) else []:
        case [[dict(), *_] as records] if all(isinstance(each, dict) for each in records):
            return records
    return value


def cell_text(value: Any) -> str:
    """Return a value as it stands in a cell of a table."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shortened(text, CELL_LENGTH)


def value_text(value: Any) -> str:
    """Return a value as lines of text: an aligned table, or a single text or number."""
    table = table_of(value)
    if table is None:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = [[_on_one_line(cell) for cell in row] for row in (table.headings, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
    return "\n".join([*(lines if table.rows else ()), *table.notes])


def _on_one_line(cell: str) -> str:
    return shortened(printable(" ".join(cell.split())))


def so_far(text: str) -> Any:
    """Return the value in JSON that is still being written, as far as it can be read; None if it cannot."""
    from pydantic_core import from_json

    begins = min((at for at in map(text.find, "{[") if at >= 0), default=0)  # after the fence of a block of code
    try:
        value = from_json(text[begins:], allow_partial="trailing-strings")
    except ValueError:
        return None
    return value[VALUE] if isinstance(value, dict) and list(value) == [VALUE] else value


def table_of(value: Any) -> ValueTable | None:
    """Return a value as a table; None for a single text, number or the like.

    A record has a row for each field, and a list of records a row for each and a column for each field, also if a
    record wraps it. Long tables are cut, and say so.
    """
    value = _wrapped(value)
    if isinstance(value, dict):
        fields = tuple((name, cell_text(each)) for name, each in list(value.items())[:SHOWN_ROWS])
        return ValueTable(("field", VALUE), fields, _left_out(len(value), SHOWN_ROWS, "field"))
    if not isinstance(value, list):
        return None
    records = rows_of(value[:SHOWN_ROWS])
    names = list(dict.fromkeys(name for record in records for name in record)) or [VALUE]
    shown = names[:SHOWN_COLUMNS]
    rows = tuple(tuple(cell_text(record.get(name)) for name in shown) for record in records)
    notes = (*_left_out(len(value), SHOWN_ROWS, "row"), *_left_out(len(names), SHOWN_COLUMNS, "column"))
    return ValueTable(tuple(shown), rows, notes if value else ("the list is empty",))


def _left_out(total: int, limit: int, noun: str) -> tuple[str, ...]:
    return (f"{limit:,} of {total:,} {noun}s are shown; the value has all of them",) if total > limit else ()
