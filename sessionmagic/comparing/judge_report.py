"""What a judge has found: the votes that its verdicts make, and how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sessionmagic.comparing.judging import folded, turned
from sessionmagic.comparing.preferences import Preferences, Vote, preferences
from sessionmagic.comparing.table import Table, Tabular
from sessionmagic.conversation.usage import dollars
from sessionmagic.words import counted

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from sessionmagic.comparing.contestants import Contestant
    from sessionmagic.conversation.column import Outcome

TRUSTED = 0.7
"""A judge whose orders agree less often than this is reported."""


class Judgement(NamedTuple):
    """The verdicts of a judge on two answers, one for each order.

    Attributes:
        prompt: What tells the prompt from others.
        first: The label of the contestant whose answer stood first in the straight order.
        second: The label of the other.
        straight: The verdict in the straight order; None if it is invalid, or if the request failed.
        swapped: The verdict in the swapped order, where ``"first"`` means the answer of `second`.
    """

    prompt: Hashable
    first: str
    second: str
    straight: Outcome | None
    swapped: Outcome | None

    @property
    def outcome(self) -> Outcome | None:
        """What both orders say together: a tie if they disagree, None if one of them is invalid."""
        return folded(self.straight, self.swapped)

    @property
    def agrees(self) -> bool:
        """Whether both orders are valid and prefer the same answer, or neither."""
        return self.swapped is not None and self.straight == turned(self.swapped)


@dataclass(frozen=True, slots=True)
class JudgeReport(Tabular):
    """The verdicts of a judge. `str` gives tables of text.

    Attributes:
        judge: The reference of the judge.
        pairs: How many pairs of answers it was asked about, each twice.
        invalid: How many of them do not count, because a verdict is invalid or missing.
        invalid_verdicts: How many single verdicts are invalid or missing.
        consistent: How many pairs got the same verdict in both orders.
        preferences: The statistics of the pairs that count. Orders that disagree are ties.
        warnings: Why the judge is to be trusted less.
        cost: What its requests have cost in US dollars, apart from the answers; None if that is not known.
    """

    judge: str
    pairs: int
    invalid: int
    invalid_verdicts: int
    consistent: int
    preferences: Preferences
    warnings: tuple[str, ...] = ()
    cost: float | None = None

    @property
    def consistency(self) -> float | None:
        """The share of the valid pairs that got the same verdict in both orders; None if no pair is valid."""
        valid = self.pairs - self.invalid
        return self.consistent / valid if valid else None

    @property
    def ties(self) -> float | None:
        """The share of the valid pairs that are ties, with both bad; None if no pair is valid."""
        return self.preferences.ties / self.preferences.votes if self.preferences.votes else None

    @property
    def wins(self) -> dict[str, float]:
        """For each contestant, its wins; a tie counts half."""
        return {each.contestant: each.wins + each.ties / 2 for each in self.preferences.strengths}

    def tables(self) -> list[Table]:
        """Return what is shown: lines on the judge, a table of the contestants, and one of the pairs."""
        lines = [f"judge {self.judge}: {counted(self.pairs, 'pair')}, each asked in both orders"]
        if self.consistency is not None:
            valid = self.pairs - self.invalid
            lines.append(
                f"both orders agree in {self.consistent:,} of {valid:,} ({self.consistency:.0%}); others are ties"
            )
        if self.cost is not None:
            lines.append(f"its requests have cost {dollars(self.cost)}")
        if self.preferences.both_bad:
            lines.append(f"both answers bad: {counted(self.preferences.both_bad, 'pair')}")
        if self.invalid:
            verdicts = counted(self.invalid_verdicts, "verdict")
            lines.append(f"not counted: {counted(self.invalid, 'pair')} with {verdicts} invalid or missing")
        lines += [f"⚠ {warning}" for warning in self.warnings]
        return [Table((), (), tuple(lines)), *self.preferences.tables()]

    def to_frame(self) -> Any:
        """Return a pandas DataFrame with a row for each contestant."""
        return self.preferences.to_frame()


def judge_report(
    judge: str, judgements: Iterable[Judgement], contestants: Sequence[str] = (), warnings: Sequence[str] = ()
) -> JudgeReport:
    """Return what the verdicts of a judge show.

    Args:
        judge: The reference of the judge.
        judgements: Its verdicts.
        contestants: The labels in the order to show. Others follow in the order in which they occur.
        warnings: Why the judge is to be trusted less, as from `judge_warnings`.

    Raises `UsageError` if scipy or statsmodels is not installed.
    """
    judgements = list(judgements)
    valid = [(each, outcome) for each in judgements if (outcome := each.outcome) is not None]
    consistent = sum(each.agrees for each, _ in valid)
    more = list(warnings)
    if valid and consistent / len(valid) < TRUSTED:
        more.append("the judge often prefers an answer for its place; compare with your own votes")
    labels = list(dict.fromkeys([*contestants, *(label for each in judgements for label in (each.first, each.second))]))
    return JudgeReport(
        judge=judge,
        pairs=len(judgements),
        invalid=len(judgements) - len(valid),
        invalid_verdicts=sum((each.straight is None) + (each.swapped is None) for each in judgements),
        consistent=consistent,
        preferences=preferences(
            [Vote(each.first, each.second, outcome, ("prompt", each.prompt)) for each, outcome in valid], labels
        ),
        warnings=tuple(more),
    )


def judge_warnings(judge: str, contestants: Iterable[Contestant]) -> list[str]:
    """Return a warning if a judge is itself a contestant, or a model of an alloy that is one.

    Args:
        judge: The reference of the judge.
        contestants: What it judges.
    """
    models = _members(judge)
    return [
        f"the judge {shared} is also a contestant ({contestant.label}); models favour their own answers"
        for contestant in contestants
        if (shared := ", ".join(sorted(models & _members(contestant.model))))
    ]


def _members(reference: str) -> set[str]:
    members = [member for each in reference.split(",") if (member := each.strip())]
    return {member if ":" in member else member.replace("/", ":", 1) for member in members}
