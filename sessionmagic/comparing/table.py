"""Tables of text that show results in a terminal and on a page, and marks of a mean and its interval in a line."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sessionmagic.displayed import tables_html
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.words import printable

TRACK_WIDTH = 24
"""The number of characters of a line with a mean and its interval."""
UNKNOWN = "–"
"""What is shown for a figure that does not exist."""
LARGE = 999.5
"""Numbers from here on are shown without decimals."""
INTERVAL_NOTE = "95 % interval: the range that holds the true value in 95 of 100 experiments like this one"


@dataclass(frozen=True, slots=True)
class Interval:
    """The range that holds the true value in 95 of 100 experiments like this one.

    Attributes:
        low: The lower end, in the unit of the value.
        high: The upper end.
    """

    low: float
    high: float

    def __str__(self) -> str:
        return f"{number(self.low)} to {number(self.high)}"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under headings, with lines below. `str` aligns the columns.

    Attributes:
        headings: The heading of each column.
        rows: For each row, its cells.
        notes: Lines below the table.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = [[printable(without_keys(cell)) for cell in row] for row in (self.headings, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown
        ]
        return "\n".join([*(lines if self.rows else ()), *(printable(without_keys(note)) for note in self.notes)])


class Tabular:
    """What is shown as tables: as text by `str`, and in a notebook as HTML."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n\n".join(text for table in self.tables() if (text := str(table)))

    def _repr_html_(self) -> str:
        return tables_html(self.tables())

    def tables(self) -> list[Table]:
        """Return the tables."""
        raise NotImplementedError


def number(value: float | None) -> str:
    """Return a number with three digits that count, or a dash for None. Only extreme ones have an exponent."""
    if value is None:
        return UNKNOWN
    size = abs(value)
    if LARGE <= size < 1e15:  # noqa: PLR2004
        return f"{value:,.0f}"
    if 1e-7 <= size < 1e-4:  # noqa: PLR2004  such as the cost of an answer
        return f"{value:.{2 - math.floor(math.log10(size))}f}".rstrip("0")
    return f"{value:.3g}"


def probability(value: float | None) -> str:
    """Return a p-value in three decimals, or a dash for None. One that counts is never rounded to one that does not."""
    if value is None:
        return UNKNOWN
    if value < 0.001:  # noqa: PLR2004
        return "< 0.001"
    return "< 0.05" if 0.0495 <= value < 0.05 else f"{value:.3f}"  # noqa: PLR2004


def tracks(means: list[tuple[float | None, Interval | None]]) -> list[str]:
    """Return a line of characters for each mean: a dot with its interval, all on the same scale."""
    ends = [end for mean, interval in means if mean is not None for end in _ends(mean, interval)]
    if not ends or min(ends) == max(ends):
        return ["" for _ in means]
    low, step = min(ends), (max(ends) - min(ends)) / (TRACK_WIDTH - 1)

    def line(mean: float | None, interval: Interval | None) -> str:
        if mean is None:
            return ""
        left, right = (round((end - low) / step) for end in _ends(mean, interval))
        marks = ["─" if left <= place <= right else "·" for place in range(TRACK_WIDTH)]
        marks[round((mean - low) / step)] = "●"
        return "".join(marks)

    return [line(mean, interval) for mean, interval in means]


def _ends(mean: float, interval: Interval | None) -> tuple[float, float]:
    return (min(mean, interval.low), max(mean, interval.high)) if interval else (mean, mean)
