"""Statistics of a comparison as HTML that reads without styles too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sessionmagic.keys.cleaning import without_keys
from sessionmagic.notebook.page.alignment import sides
from sessionmagic.notebook.page.answer import NO_MATH
from sessionmagic.notebook.page.listing import SHORT, cell_html, heading_html, styled_cell
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
    at = sides(table.rows, len(table.headings))
    head = "".join(map(heading_html, table.headings, at))
    rows = "".join(f"<tr>{_cells(table.headings, row, at)}</tr>" for row in table.rows)
    return scrolling_table(f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>", NO_MATH) + notes


def _cells(headings: Sequence[str], row: Sequence[str], at: Sequence[str]) -> str:
    texts = map(without_keys, row)
    return "".join(
        cell_html(text, side) if heading or not text else styled_cell(f"<code>{escape(text)}</code>", side, SHORT)
        for heading, text, side in zip(headings, texts, at, strict=True)
    )
