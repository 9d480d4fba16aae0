"""Figures of this revision beside those of an older one: a ratio for each round, their spread, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Sample, aligned, sample

if TYPE_CHECKING:
    from collections.abc import Sequence

TOLERANCE = 1.05
"""A figure is worse if the ratios of all rounds are above this, and better if all are below its reciprocal.

A machine that is busy for a while spoils single rounds. It seldom favours the same side in all of them.
"""


@dataclass(frozen=True)
class Failure:
    """Why one side could not measure a part."""

    reason: str


Measured = list[Figure] | Failure


@dataclass(frozen=True)
class Line:
    """A figure of this revision with the values of all rounds, those of the older one, and a ratio for each round.

    A ratio of 2 is twice as bad: twice as long, or half as much where the figure should be high.
    """

    figure: Figure
    before: Sample = field(default_factory=Sample)
    ratios: Sample = field(default_factory=Sample)

    @property
    def verdict(self) -> str:
        if not self.ratios.values:
            return "–"
        if min(self.ratios.values) > TOLERANCE:
            return "worse"
        return "better" if max(self.ratios.values) < 1 / TOLERANCE else "same"

    @property
    def is_bad(self) -> bool:
        return self.verdict == "worse" or self.figure.verdict in {"FAILED", "MISSED"}


def lines(part: str, revision: str, rounds: Sequence[tuple[Measured, Measured]]) -> list[Line]:
    """Return a line for each figure of a part. A round has what this revision measured, and then the older one."""
    now = [side for side, _ in rounds if not isinstance(side, Failure)]
    if len(now) < len(rounds):
        reason = next(side.reason for side, _ in rounds if isinstance(side, Failure))
        return [Line(Figure.failed(part, reason))]
    return [
        _line(figure, revision, [(_sample(one, figure), _sample(two, figure)) for one, two in rounds])
        for figure in now[0]
    ]


def _sample(measured: Measured, figure: Figure) -> Sample:
    if isinstance(measured, Failure):
        return Sample(note=measured.reason)
    return next(
        (each.measured for each in measured if each.what == figure.what), Sample(note="there is no such figure")
    )


def _line(figure: Figure, revision: str, rounds: list[tuple[Sample, Sample]]) -> Line:
    if not figure.measured.values:
        return Line(figure)
    form = figure.measured.form
    now, before = (
        sample([value for side in sides for value in side.values], form) for sides in zip(*rounds, strict=True)
    )
    figure = replace(figure, measured=now)
    if missing := next((two.note for _, two in rounds if not two.values), None):
        return Line(figure, Sample(note=f"not measured in {revision}: {missing}"))
    ratios = [_ratio(one.median, two.median) for one, two in rounds if one.values]
    if figure.at_least is not None:
        ratios = [1 / ratio if ratio else inf for ratio in ratios]
    return Line(figure, before, sample(ratios, "{:.2f} ×"))


def _ratio(now: float, before: float) -> float:
    if now == before:
        return 1.0  # also of two zeros
    return now / before if before else inf


def comparison(found: Sequence[Line], revision: str) -> str:
    """Return the lines in aligned columns; a median is followed by the lowest and the highest value."""
    rows = [("figure", "now", revision, "ratio", "beside it", "target", "verdict")]
    rows += [
        (
            line.figure.what,
            str(line.figure.measured),
            str(line.before),
            str(line.ratios),
            line.verdict,
            line.figure.target,
            line.figure.verdict,
        )
        for line in found
    ]
    return aligned(rows)
