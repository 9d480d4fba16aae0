"""Statistics of a comparison as HTML that reads without styles too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sessionmagic.keys.cleaning import without_keys
from sessionmagic.notebook.page.answer import NO_MATH
from sessionmagic.notebook.page.listing import HEADING, SHORT, cell_html
from sessionmagic.notebook.page.wide import scrolling_table
from sessionmagic.notebook.visible import escape

if TYPE_CHECKING:
    from collections.abc import Sequence


class Table(Protocol):
    """Rows of text under headings, with lines below."""

    @property
    def headings(self) -> tuple[str, ...]:
        """The heading of each column."""

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """For each row, its cells."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines below the table."""


def tables_html(tables: Sequence[Table]) -> str:
    """Return tables as HTML. A column without a heading is a drawing made of characters of one width."""
    return "".join(_table(table) for table in tables)


def _table(table: Table) -> str:
    notes = "".join(f"<p {NO_MATH}>{escape(without_keys(note))}</p>" for note in table.notes)
    if not table.rows:
        return notes
    head = "".join(f"<th {HEADING}>{escape(heading)}</th>" for heading in table.headings)
    rows = "".join(f"<tr>{_cells(table.headings, row)}</tr>" for row in table.rows)
    return scrolling_table(f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>", NO_MATH) + notes


def _cells(headings: Sequence[str], row: Sequence[str]) -> str:
    texts = map(without_keys, row)
    return "".join(
        cell_html(text) if heading or not text else f"<td {SHORT}><code>{escape(text)}</code></td>"
        for heading, text in zip(headings, texts, strict=True)
    )
