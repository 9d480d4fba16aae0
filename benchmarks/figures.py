"""Measured figures with their targets, and a table of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = ("figure", "measured", "target", "verdict", "chatlas", "print")


@dataclass(frozen=True)
class Sample:
    """The values of several runs, or a note that says why there are none."""

    values: tuple[float, ...] = ()
    form: str = "{:.1f}"
    note: str = ""

    @property
    def median(self) -> float:
        return median(self.values)

    def __str__(self) -> str:
        if not self.values:
            return self.note or "–"
        middle, low, high = (self.form.format(value) for value in (self.median, min(self.values), max(self.values)))
        spread = f" ({low} to {high})" if low != high else ""
        return f"{middle}{spread}{f' {self.note}' if self.note else ''}"


def sample(values: Sequence[float], form: str = "{:.1f}", note: str = "") -> Sample:
    return Sample(tuple(values), form, note)


def not_measured(reason: object) -> Sample:
    return Sample(note=f"not measured: {reason}")


@dataclass(frozen=True)
class Figure:
    """One line of the table. The median is compared with `at_most` or `at_least`, if there is a target."""

    what: str
    measured: Sample
    at_most: float | None = None
    at_least: float | None = None
    chatlas: Sample = field(default_factory=Sample)
    print: Sample = field(default_factory=Sample)

    @classmethod
    def failed(cls, what: str, reason: str) -> Figure:
        return cls(f"{what}: FAILED", not_measured(reason.replace("\n", " ")[:200]))

    @property
    def target(self) -> str:
        if self.at_most is not None:
            return f"≤ {self.measured.form.format(self.at_most)}"
        return f"≥ {self.measured.form.format(self.at_least)}" if self.at_least is not None else "–"

    @property
    def verdict(self) -> str:
        has_target = self.at_most is not None or self.at_least is not None
        is_missing = has_target and not self.measured.values and not self.measured.note
        if self.what.endswith(": FAILED") or is_missing:
            return "FAILED"
        if not self.measured.values or not has_target:
            return "–"
        too_much = self.at_most is not None and self.measured.median > self.at_most
        too_little = self.at_least is not None and self.measured.median < self.at_least
        return "MISSED" if too_much or too_little else "ok"


def table(figures: list[Figure]) -> str:
    """Return the figures in aligned columns; a median is followed by the lowest and the highest value."""
    rows = [COLUMNS]
    rows += [
        (figure.what, str(figure.measured), figure.target, figure.verdict, str(figure.chatlas), str(figure.print))
        for figure in figures
    ]
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as a text with aligned columns, and a rule below the first row."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "─" * len(lines[0]), *lines[1:]])
