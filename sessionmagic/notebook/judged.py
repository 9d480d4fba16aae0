"""A stored comparison as it is shown, and what a judge has said about it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.comparing.contestants import Contestant
from sessionmagic.comparing.judge_report import judge_warnings
from sessionmagic.comparing.judging import folded, turned
from sessionmagic.comparing.preferences import POINTS
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.usage import total
from sessionmagic.notebook.compared import ShownRun
from sessionmagic.notebook.figures import counted_tokens, money
from sessionmagic.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.conversation.column import Verdict
    from sessionmagic.conversation.session import Session, TurnRecord


def stored_runs(session: Session, turns: Sequence[TurnRecord]) -> list[ShownRun]:
    """Return the runs of a stored comparison."""
    runs = [
        ShownRun(turn.column, transcript_of(session.name, turn, session.turns))
        for turn in turns
        if turn.column is not None
    ]
    return with_wins(runs, turns[0].verdicts)


def with_wins(runs: Sequence[ShownRun], verdicts: Sequence[Verdict]) -> list[ShownRun]:
    """Return runs with their wins, if a judge has given verdicts. Orders that disagree are a tie."""
    wins: dict[str, float] = {}
    for verdict in verdicts:
        outcome = folded(verdict.straight, verdict.swapped)
        if outcome is not None:
            points = POINTS[outcome]
            wins[verdict.first] = wins.get(verdict.first, 0) + points
            wins[verdict.second] = wins.get(verdict.second, 0) + 1 - points
    return [replace(run, wins=wins.get(run.transcript.turn_id)) for run in runs]


def judge_line(turns: Sequence[TurnRecord]) -> str:
    """Return what a judge was asked about a comparison, how far it can be trusted, and what it has cost.

    Empty if there was no judge.
    """
    verdicts = turns[0].verdicts
    if not verdicts:
        return ""
    outcomes = [folded(verdict.straight, verdict.swapped) for verdict in verdicts]
    valid = [verdict for verdict, outcome in zip(verdicts, outcomes, strict=True) if outcome is not None]
    bad = outcomes.count("both bad")
    agreed = sum(verdict.swapped is not None and verdict.straight == turned(verdict.swapped) for verdict in valid)
    is_contestant = judge_warnings(verdicts[0].judge, [Contestant(turn.model) for turn in turns])
    used = total(request.usage for request in turns[0].requests if request.purpose == "judge")
    parts = [
        f"judge {verdicts[0].judge}: {counted(len(verdicts), 'pair')}, each asked in both orders",
        f"both orders agree in {agreed} of {len(valid)}; the others are ties" if valid else "",
        f"{counted(len(verdicts) - len(valid), 'pair')} not counted, because a verdict is invalid"
        if len(valid) < len(verdicts)
        else "",
        f"both bad in {bad}" if bad else "",
        counted_tokens(used),
        money(used),
        "it is also a contestant, and models favour their own answers" if is_contestant else "",
    ]
    return " · ".join(filter(None, parts))
