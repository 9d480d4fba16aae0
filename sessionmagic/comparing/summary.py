"""What scores show of a comparison: the mean of each contestant, and the difference of each two, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sessionmagic.comparing.intervals import FEWEST_DRAWN
from sessionmagic.comparing.table import INTERVAL_NOTE, Interval, Table, Tabular, number, probability, tracks
from sessionmagic.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ENOUGH = 20
"""With fewer prompts, no contestant is called better."""
SIGNIFICANT = 0.05
"""A difference is called one if its p-value is below this."""
PAIRS_SHOWN = 30
"""The number of pairs that are shown. The frame has all."""

Part = Literal["means", "differences"]
Test = Literal["Student's t", "exact McNemar", "sign test", ""]


@dataclass(frozen=True, slots=True)
class ContestantMean:
    """The scores of one contestant.

    Attributes:
        contestant: Its label.
        prompts: How many prompts have a score.
        scores: How many answers have one; with repeats, more than prompts.
        missing: How many answers have none: the score or the answer failed, or it is not a number.
        mean: The mean over prompts; the repeats of a prompt are averaged first. None without scores.
        interval: Its 95 % interval. None with fewer than two prompts, and when all scores are equal numbers.
    """

    contestant: str
    prompts: int
    scores: int
    missing: int
    mean: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of two contestants at the same prompts: the score of the first minus that of the second.

    Attributes:
        first: The label of the first contestant.
        second: The label of the second.
        prompts: How many prompts have a score of both.
        left_out: How many prompts are left out because one of them has no score there, or both.
        mean: The mean of the differences. None without prompts.
        interval: Its 95 % interval by Student's t. None for one prompt, and if the difference is the same at each.
        bootstrap: Its 95 % interval by drawing prompts again and again. None as above, below five prompts, and where
            it would take long because there are many prompts and pairs.
        test: The test that gave the p-value: Student's t; the exact test of McNemar where each prompt ended in one
            yes or no for both; the sign test for numbers whose difference is the same at each prompt.
        p: The probability of a difference that is at least as large, if there is none in truth. None without a test.
        adjusted_p: The same, adjusted by Holm's method for all pairs that were tested at once.
        smallest: The smallest true difference that would be found in 4 of 5 experiments with this many prompts.
            It is for the first and strictest step of Holm's method. None if it cannot be computed, or if no difference
            that is possible is so large.
        lower_is_better: Whether the contestant with the lower score is the better one.
    """

    first: str
    second: str
    prompts: int
    left_out: int
    mean: float | None
    interval: Interval | None = None
    bootstrap: Interval | None = None
    test: Test = ""
    p: float | None = None
    adjusted_p: float | None = None
    smallest: float | None = None
    lower_is_better: bool = False

    @property
    def winner(self) -> str | None:
        """The label of the better contestant; None if the prompts are too few, or show no difference."""
        if self.prompts < ENOUGH or not self.mean or self.adjusted_p is None or self.adjusted_p >= SIGNIFICANT:
            return None
        return self.first if (self.mean > 0) != self.lower_is_better else self.second

    @property
    def verdict(self) -> str:
        """What the prompts show, in words."""
        if not self.prompts:
            return "nothing to compare: no prompt has a score of both"
        if self.prompts < ENOUGH:
            return f"too few to tell: {counted(self.prompts, 'prompt')}, at least {ENOUGH} are needed"
        if winner := self.winner:
            return f"{winner} is better than {self.second if winner == self.first else self.first}"
        return f"no difference that {counted(self.prompts, 'prompt')} could show"


@dataclass(frozen=True, slots=True)
class Summary(Tabular):
    """The statistics of one column of scores. `str` gives tables of text.

    Attributes:
        column: The name of the column.
        means: A line for each contestant, in the order given.
        differences: A line for each two of them.
        yes_no: Whether the scores are yes or no, so that the means are shares of yes.
        lower_is_better: Whether a lower score is better, as it is for times and costs.
    """

    column: str
    means: tuple[ContestantMean, ...]
    differences: tuple[Difference, ...]
    yes_no: bool = False
    lower_is_better: bool = False

    def tables(self) -> list[Table]:
        """Return what is shown: a table of the means, and one of the differences."""
        return [means_table(self), differences_table(self.differences, "prompt")]

    def to_frame(self, what: Part = "means") -> Any:
        """Return a pandas DataFrame with a row for each contestant, or for each pair with ``"differences"``."""
        if what == "means":
            return frame([(mean, {}) for mean in self.means])
        return frame([(each, {"verdict": each.verdict}) for each in self.differences])

    def plot(self, what: Part = "means", ax: Axes | None = None) -> Axes:
        """Draw the means, or the differences, as dots with their intervals. Return matplotlib's axes.

        Args:
            what: ``"means"`` or ``"differences"``.
            ax: Axes to draw into; new ones by default. ``.figure`` of the result is the figure.

        Raises `UsageError` if matplotlib is not installed.
        """
        from sessionmagic.comparing.plot import draw_intervals

        if what == "means":
            lines = [(each.contestant, each.mean, each.interval) for each in self.means]
            return draw_intervals(lines, f"mean {self.column}, 95 % interval", ax)
        lines = [(f"{each.first} − {each.second}", each.mean, each.interval) for each in self.differences]
        return draw_intervals(lines, f"difference in {self.column}, 95 % interval", ax, zero=True)


def means_table(summary: Summary) -> Table:
    """Return a table of the means of a summary."""
    lines = tracks([(each.mean, each.interval) for each in summary.means])
    rows = tuple(
        (each.contestant, str(each.prompts), number(each.mean), str(each.interval or "–"), line)
        for each, line in zip(summary.means, lines, strict=True)
    )
    better = " (lower is better)" if summary.lower_is_better else ""
    missing = ", ".join(
        f"{counted(each.missing, 'answer')} of {each.contestant}" for each in summary.means if each.missing
    )
    notes = [
        f"without a score, and not counted: {missing}" if missing else "",
        "" if summary.means else f"{summary.column}: no scores",
        INTERVAL_NOTE if any(each.interval for each in summary.means) else "",
        "no interval: all scores are equal, or there is only one"
        if any(each.mean is not None and each.interval is None for each in summary.means)
        else "",
    ]
    mean = f"share of yes in {summary.column}" if summary.yes_no else f"mean {summary.column}"
    return Table(("contestant", "prompts", mean + better, "95 % interval", ""), rows, tuple(filter(None, notes)))


def differences_table(differences: tuple[Difference, ...], unit: str) -> Table:
    """Return a table of differences.

    Args:
        differences: The differences, of which the first 30 are shown.
        unit: What is counted: ``"prompt"`` or ``"vote"``.
    """
    rows = tuple(
        (
            f"{each.first} − {each.second}",
            str(each.prompts),
            number(each.mean),
            str(each.interval or "–"),
            str(each.bootstrap or "–"),
            probability(each.adjusted_p),
            number(each.smallest),
            each.verdict,
        )
        for each in differences[:PAIRS_SHOWN]
    )
    headings = ("difference", f"{unit}s", "mean", "95 % interval", "by bootstrap", "p", "could show", "verdict")
    return Table(headings, rows, tuple(_explanations(differences, unit)))


def _explanations(differences: tuple[Difference, ...], unit: str) -> list[str]:
    notes = []
    if len(differences) > PAIRS_SHOWN:
        notes.append(
            f'not shown: {counted(len(differences) - PAIRS_SHOWN, "more pair")}; .to_frame("differences") has all'
        )
    if left_out := max((each.left_out for each in differences), default=0):
        notes.append(f"up to {counted(left_out, unit)} left out of a pair, because a score of one or both is missing")
    if any(each.prompts > 1 and each.interval is None for each in differences):
        notes.append(f"no interval: the difference is the same at each {unit}")
    if any(each.bootstrap for each in differences):
        notes.append(f"by bootstrap: the same interval, found by drawing {unit}s again and again")
    if any(0 < each.prompts < FEWEST_DRAWN or (each.interval and each.smallest is None) for each in differences):
        notes.append(f"–: not known, because there are too few {unit}s")
    if any(each.prompts >= ENOUGH and each.interval and each.bootstrap is None for each in differences):
        notes.append(f"no bootstrap: it would take long with so many {unit}s and pairs, and hardly differ")
    if any(each.p is not None for each in differences):
        several = f", adjusted for {len(differences):,} pairs (Holm)" if len(differences) > 1 else ""
        tests = " or ".join(dict.fromkeys(each.test for each in differences if each.test))
        notes.append(
            f"p: how likely so large a difference would be by chance alone ({tests}{several}); counts below 0.05"
        )
    if any(each.smallest is not None for each in differences):
        notes.append(f"could show: the smallest true difference that this many {unit}s find in 4 of 5 experiments")
    return notes


def frame(rows: list[tuple[Any, dict[str, object]]]) -> Any:
    """Return dataclasses, each with more cells, as a DataFrame in which an interval has two columns."""
    from dataclasses import fields

    import pandas as pd

    cells: list[dict[str, object]] = []
    for row, more in rows:
        cells.append({})
        for each in fields(row):
            value = getattr(row, each.name)
            if "interval" in each.name or each.name == "bootstrap":
                stem = "" if each.name == "interval" else f"{each.name}_"
                cells[-1] |= {f"{stem}low": value and value.low, f"{stem}high": value and value.high}
            else:
                cells[-1][each.name] = value
        cells[-1] |= more
    return pd.DataFrame(cells)
