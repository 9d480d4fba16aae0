"""Lists that are displayed as tables, on a page and in a terminal, and can become a DataFrame."""

from __future__ import annotations

import re
import time
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeVar

from sessionmagic.keys.cleaning import without_keys
from sessionmagic.notebook.html_block import html_block
from sessionmagic.notebook.page.alignment import sides
from sessionmagic.notebook.page.answer import NO_MATH
from sessionmagic.notebook.page.wide import framed, scrolling_table
from sessionmagic.notebook.visible import escape, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")

SHORT_LINE = 10
"""Characters of a line of a cell that is never broken, not even on a narrow page."""
PROSE = 60
"""Characters of a line of a cell that is read as prose, and needs a wider column."""
LONGEST_WORD = 20
"""Characters of a word that is not broken, unless it has joints."""
SHORT = "white-space:pre"
LONG = "white-space:pre-wrap;min-width:5em"
LONGEST = "white-space:pre-wrap;min-width:9em"
"""Keep front ends from joining the lines of cells, and from squeezing the long ones to a word each."""
DRAWN = frozenset("│├└")
"""Characters of the drawing of a tree, which is never broken."""
BREAKS = re.compile(r"(?<=[-_/:.,@])(?=\w)")
"""Where a long word, such as the name of a model, may be broken."""
PARTS = re.compile(".{1,8}", re.DOTALL)
"""The parts of a long word without such places."""


class Listing(list[T]):
    """A list that is displayed as a table without keys, or only by its notes if it is empty and has any.

    Args:
        items: The items, one for each row.
        columns: For each heading, a function that returns an item's cell.
        notes: Lines below the table.
        shown: How many items are displayed at most; None for all. A note says how many are not.
    """

    def __init__(
        self,
        items: Sequence[T],
        columns: dict[str, Callable[[T], object]],
        notes: Sequence[str] = (),
        shown: int | None = None,
    ) -> None:
        super().__init__(items)
        self._columns = columns
        self._shown = shown
        more = [f"not shown: {len(items) - shown:,} more"] if shown is not None and len(items) > shown else []
        self._notes = list(map(without_keys, [*more, *notes]))

    @property
    def _only_notes(self) -> bool:
        return not self and bool(self._notes)

    def _cells(self) -> list[list[str]]:
        rows = [[str(cell(item)) for cell in self._columns.values()] for item in self[: self._shown]]
        text = "\n".join(cell for row in rows for cell in row)
        # Thousands of cells are looked at faster together.
        return rows if without_keys(text) == text else [list(map(without_keys, row)) for row in rows]

    def __repr__(self) -> str:
        if self._only_notes:
            return "\n".join(map(visible, self._notes))
        rows = [[visible(cell) for cell in row] for row in (list(self._columns), *self._cells())]
        widths = [
            max(len(line) for row in rows for line in row[column].split("\n")) for column in range(len(self._columns))
        ]
        lines = [
            "  ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True))
            for row in rows
            for parts in zip_longest(*(cell.split("\n") for cell in row), fillvalue="")
        ]
        return "\n".join(line.rstrip() for line in [*lines, *map(visible, self._notes)])

    def _repr_html_(self) -> str:
        rows = self._cells()
        at = sides(rows, len(self._columns))
        head = "".join(map(heading_html, self._columns, at))
        body = "".join("<tr>" + "".join(map(cell_html, row, at)) + "</tr>" for row in rows)
        notes = "".join(f"<p {NO_MATH}>{escape(note)}</p>" for note in self._notes)
        table = scrolling_table(f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>", NO_MATH)
        return html_block(framed(notes if self._only_notes else table + notes))

    def to_frame(self) -> Any:
        """Return the items, which are dataclasses, as a pandas DataFrame with a column for each field.

        Fields whose names end in ``_at`` become timestamps in UTC. Tokens that are not known are missing, not zero.
        """
        from dataclasses import asdict

        import pandas as pd

        frame = pd.DataFrame([asdict(item) for item in self])  # type: ignore[call-overload]
        for column in [name for name in frame.columns if name.endswith("_at")]:
            frame[column] = pd.to_datetime(frame[column], unit="s", utc=True, errors="coerce")
        if "unmeasured_requests" in frame:
            counts = [name for name in frame.columns if name.endswith("_tokens")]
            unknown = (frame["unmeasured_requests"] > 0) & (frame[counts] == 0).all(axis=1)
            frame[counts] = frame[counts].astype("Int64").mask(unknown)
        return frame


def heading_html(text: str, side: str) -> str:
    """Return a heading, which may be broken, so that it does not make a column of short cells wide."""
    return f'<th style="text-align:{side};padding:0.3em">{escape(text).replace("_", "_<wbr>")}</th>'


def cell_html(text: str, side: str) -> str:
    """Return a cell whose short lines are not broken, and whose long ones are, also within long words."""
    longest = max(text.split("\n"), key=len)
    if len(longest) <= SHORT_LINE or not DRAWN.isdisjoint(text):
        return styled_cell(escape(text), side, SHORT)
    broken = "".join("<wbr>".join(map(escape, _pieces(word))) for word in re.split(r"(\s+)", text))
    return styled_cell(broken, side, LONGEST if len(longest) > PROSE and " " in longest else LONG)


def styled_cell(html: str, side: str, style: str) -> str:
    """Return a cell of HTML. It says its side, because JupyterLab aligns cells to the right."""
    return f'<td style="text-align:{side};padding:0.3em;{style}">{html}</td>'


def _pieces(word: str) -> Iterator[str]:
    """Yield the pieces of a word between which it may be broken: at its joints, or anywhere if it has none."""
    for piece in BREAKS.split(word) if len(word) > SHORT_LINE else [word]:
        yield from PARTS.findall(piece) if len(piece) > LONGEST_WORD else [piece]


def ago(at: float) -> str:
    """Return how long ago a time was, in words. `at` is in seconds since the epoch."""
    seconds = max(0.0, time.time() - at)
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit} ago"
    return "just now"
