"""Votes on answers, and the strengths of the contestants that explain them (the model of Bradley and Terry)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sessionmagic.comparing.intervals import check_installed
from sessionmagic.comparing.statistics import Compared, adjusted, difference_of
from sessionmagic.comparing.strengths import strengths_of, unconnected
from sessionmagic.comparing.summary import Difference, Test, differences_table, frame
from sessionmagic.comparing.table import INTERVAL_NOTE, Interval, Table, Tabular, number, tracks
from sessionmagic.exceptions import UsageError
from sessionmagic.words import counted, shortened, suggestion

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from matplotlib.axes import Axes

    from sessionmagic.conversation.column import Outcome

POINTS: dict[Outcome, float] = {"first": 1, "second": 0, "tie": 0.5, "both bad": 0.5}
"""What each outcome counts for the first contestant, in wins."""
MEAN_NOTE = "mean: the share of votes for the first minus that for the second"


class Vote(NamedTuple):
    """Which of two answers to a prompt is preferred.

    Attributes:
        first: The label of the first contestant.
        second: The label of the second.
        outcome: ``"first"``, ``"second"``, ``"tie"``, or ``"both bad"``, which counts as a tie and is counted apart.
        prompt: What tells the prompt from others. Votes on one prompt are averaged. None is a prompt of its own.
    """

    first: str
    second: str
    outcome: Outcome
    prompt: Hashable = None


@dataclass(frozen=True, slots=True)
class Strength:
    """What the votes say of one contestant.

    Attributes:
        contestant: Its label.
        votes: How many votes are on it and another one.
        wins: How many of them prefer it.
        losses: How many prefer the other one.
        ties: How many prefer none, with those that call both bad.
        strength: The probability that it is preferred to an average contestant; 0.5 is average. None if the votes do
            not determine it.
        interval: The 95 % interval of the strength. None without one, and if all votes are on one prompt or are ties.
    """

    contestant: str
    votes: int
    wins: int
    losses: int
    ties: int
    strength: float | None = None
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Preferences(Tabular):
    """The statistics of votes. `str` gives tables of text.

    Attributes:
        votes: How many votes were counted.
        ties: How many prefer none of the two, with those that call both bad.
        both_bad: How many call both bad.
        strengths: A line for each contestant, in the order given.
        differences: A line for each two with votes: the share of votes for the first minus that for the second.
        unconnected: Why there are no strengths, in words; empty if there are.
    """

    votes: int
    ties: int
    both_bad: int
    strengths: tuple[Strength, ...]
    differences: tuple[Difference, ...]
    unconnected: tuple[str, ...] = ()

    def tables(self) -> list[Table]:
        """Return what is shown: a table of the contestants, and one of the pairs."""
        lines = tracks([(each.strength, each.interval) for each in self.strengths])
        rows = tuple(
            (
                each.contestant,
                *map(str, (each.wins, each.losses, each.ties)),
                number(each.strength),
                str(each.interval or "–"),
                line,
            )
            for each, line in zip(self.strengths, lines, strict=True)
        )
        notes = [
            f"{counted(self.votes, 'vote')}, {counted(self.ties, 'tie')} among them, {self.both_bad:,} both bad"
            if self.votes
            else "no votes"
        ]
        if self.unconnected and self.votes:
            notes.append(f"the votes do not determine strengths: {'; '.join(self.unconnected)}")
        elif self.votes:
            notes.append(
                "strength: how likely it is preferred to an average contestant (Bradley-Terry); a tie counts half"
            )
        if any(each.interval for each in self.strengths):
            notes.append(INTERVAL_NOTE)
        elif any(each.strength is not None for each in self.strengths):
            notes.append("no interval: all votes are ties, or on one prompt")
        headings = ("contestant", "won", "lost", "tied", "strength", "95 % interval", "")
        pairs = differences_table(self.differences, "prompt")
        if pairs.rows:
            pairs = replace(pairs, notes=(MEAN_NOTE, *pairs.notes))
        return [Table(headings, rows, tuple(notes)), pairs]

    def to_frame(self, what: Literal["strengths", "differences"] = "strengths") -> Any:
        """Return a pandas DataFrame with a row for each contestant, or for each pair with ``"differences"``."""
        if what == "strengths":
            return frame([(each, {}) for each in self.strengths])
        return frame([(each, {"verdict": each.verdict}) for each in self.differences])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the strengths as dots with their intervals. Return matplotlib's axes.

        Args:
            ax: Axes to draw into; new ones by default.

        Raises `UsageError` if matplotlib is not installed.
        """
        from sessionmagic.comparing.plot import draw_intervals

        lines = [(each.contestant, each.strength, each.interval) for each in self.strengths]
        return draw_intervals(lines, "preferred to an average contestant, 95 % interval", ax)


def votes_among(
    contestants: Sequence[str], winner: str | None = None, *, all_bad: bool = False, prompt: Hashable = None
) -> list[Vote]:
    """Return the votes that one choice among several answers makes.

    The winner is preferred to each other one. Nothing is said of the others among themselves. A choice of none is a tie
    of each two.

    Args:
        contestants: The labels of all that answered.
        winner: The label of the preferred one; None for a tie.
        all_bad: Whether all answers are bad.
        prompt: What tells the prompt from others.

    Raises `UsageError` for an unknown winner, and for a winner where all are bad.
    """
    if winner is None:
        return [Vote(*pair, "both bad" if all_bad else "tie", prompt) for pair in combinations(contestants, 2)]
    if winner not in contestants:
        raise UsageError(f"{shortened(winner)!r} did not answer{suggestion(winner, contestants)}")
    if all_bad:
        raise UsageError("a vote for an answer cannot call all of them bad; vote for one, or for none")
    return [Vote(winner, other, "first", prompt) for other in contestants if other != winner]


def preferences(votes: Iterable[Vote], contestants: Sequence[str] = ()) -> Preferences:
    """Return the statistics of votes.

    Args:
        votes: The votes.
        contestants: The labels in the order to show. Others follow in the order in which they occur.

    Raises `UsageError` if scipy or statsmodels is not installed, and for a vote on a contestant and itself.
    """
    check_installed()
    votes = [vote if vote.prompt is not None else vote._replace(prompt=("vote", at)) for at, vote in enumerate(votes)]
    if twice := [vote.first for vote in votes if vote.first == vote.second]:
        raise UsageError(f"a vote compares {shortened(twice[0])} with itself; name two contestants")
    labels = list(dict.fromkeys([*contestants, *(label for vote in votes for label in vote[:2])]))
    points = [(vote.first, vote.second, POINTS[vote.outcome], vote.prompt) for vote in votes]
    reasons = unconnected(points, labels)
    fitted = {} if reasons else strengths_of(points, labels)
    return Preferences(
        votes=len(votes),
        ties=sum(POINTS[vote.outcome] == POINTS["tie"] for vote in votes),
        both_bad=sum(vote.outcome == "both bad" for vote in votes),
        strengths=tuple(_strength(votes, label, *fitted.get(label, (None, None))) for label in labels),
        differences=_differences(votes, labels),
        unconnected=tuple(reasons),
    )


def _strength(votes: list[Vote], label: str, strength: float | None, interval: Interval | None) -> Strength:
    counts = Counter(
        POINTS[vote.outcome] if vote.first == label else 1 - POINTS[vote.outcome] for vote in votes if label in vote[:2]
    )
    return Strength(label, counts.total(), counts[1], counts[0], counts[0.5], strength, interval)


def _differences(votes: list[Vote], labels: list[str]) -> tuple[Difference, ...]:
    """Return the difference of each two with votes. For each prompt, it is the mean of 1 (first) and -1 (second)."""
    found: dict[tuple[str, str], dict[Hashable, list[float]]] = {}
    for vote in votes:
        value = 2 * POINTS[vote.outcome] - 1
        swapped = labels.index(vote.first) > labels.index(vote.second)
        pair = (vote.second, vote.first) if swapped else (vote.first, vote.second)
        found.setdefault(pair, {}).setdefault(vote.prompt, []).append(-value if swapped else value)
    pairs = [pair for pair in combinations(labels, 2) if pair in found]
    return adjusted([_difference(*pair, found[pair], len(pairs)) for pair in pairs])


def _difference(first: str, second: str, found: dict[Hashable, list[float]], pairs: int) -> Difference:
    values = [sum(each) / len(each) for each in found.values()]
    exact: Test = "sign test" if all(value in {-1.0, 0.0, 1.0} for value in values) else ""
    return difference_of(Compared(first, second, values, limit=1, exact=exact), pairs)
