"""The runs of a comparison as they are shown: who answered, with what, and at what cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from sessionmagic.conversation.usage import Usage
from sessionmagic.conversation.value import cell_text, fields_of, without_clashes
from sessionmagic.notebook.captions import ENDINGS
from sessionmagic.notebook.figures import duration, money, tokens
from sessionmagic.notebook.visible import one_line
from sessionmagic.words import typed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sessionmagic.conversation.column import Column, Vote
    from sessionmagic.conversation.transcript import Transcript
    from sessionmagic.notebook.output import Output

FIELD_LENGTH = 60
"""Characters of a field of a structured answer in the table of figures."""
BAR_LENGTH = 12
"""Characters of the longest bar."""


@dataclass(frozen=True, slots=True)
class ShownRun:
    """One run of a comparison."""

    column: Column
    transcript: Transcript
    """The run as it is shown. While the column is hidden, it does not name the model."""
    displays: Mapping[str, Sequence[Output]] = field(default_factory=dict)
    """What its calls have displayed, by call id."""
    html: str = ""
    """The answer as HTML, if it was rendered already."""
    wins: float | None = None
    """How often a judge preferred the answer, where a tie counts half; None without a judge."""

    @property
    def heading(self) -> str:
        """What stands above the answer."""
        return self.column.heading

    @property
    def status(self) -> str:
        """Whether the run was completed, in a word."""
        return ENDINGS.get(self.transcript.status, self.transcript.status)


def by_column(runs: Sequence[ShownRun]) -> list[list[ShownRun]]:
    """Return the runs of each column."""
    return [list(group) for _, group in groupby(runs, key=lambda run: run.column.number)]


HEADINGS = ("", "status", "tokens", "cost", "first text", "time")


WINS = "judge's wins"
SHOWN_FIELDS = 12
"""How many fields of structured answers have a column. The values have all of them."""


def headings(runs: Sequence[ShownRun]) -> list[str]:
    """Return the headings of `figures`."""
    wins = [WINS] if any(run.wins is not None for run in runs) else []
    return [*HEADINGS, *wins, *_field_names(runs)]


def _field_names(runs: Sequence[ShownRun]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in _fields(run)))[:SHOWN_FIELDS]


def _fields(run: ShownRun) -> dict[str, str]:
    """Return the fields of a structured answer, under names that are no other headings."""
    given = run.transcript.given
    if given is None:
        return {}
    fields = without_clashes(fields_of(given.value), (*HEADINGS, WINS))
    return {one_line(name, FIELD_LENGTH): one_line(cell_text(value), FIELD_LENGTH) for name, value in fields.items()}


def figures(runs: Sequence[ShownRun]) -> list[list[str]]:
    """Return a row of figures for each run, to compare them: costs and times have bars. See `headings`.

    Structured answers have their fields there, too.
    """
    names = _field_names(runs)
    judged = any(run.wins is not None for run in runs)
    costs = [_usage(run).cost or 0.0 for run in runs]
    times = [run.transcript.seconds for run in runs]
    return [
        [
            run.heading,
            run.status,
            tokens(_usage(run)) if _usage(run) != Usage() else "–",
            f"{money(_usage(run))} {bar(cost, max(costs))}".rstrip(),
            "–" if (first := run.transcript.first_token) is None else duration(first),
            f"{duration(time)} {bar(time, max(times))}".rstrip() if time else "–",
            *([] if not judged else ["–" if run.wins is None else f"{run.wins:g}"]),
            *(_fields(run).get(name, "–") for name in names),
        ]
        for run, cost, time in zip(runs, costs, times, strict=True)
    ]


def _usage(run: ShownRun) -> Usage:
    return run.transcript.usage or Usage()


def bar(value: float, largest: float) -> str:
    """Return a bar of characters, as long as a value is in comparison to the largest one."""
    halves = round(value / largest * BAR_LENGTH * 2) if largest > 0 else 0
    return "━" * (halves // 2) + "╸" * (halves % 2)


def closing(runs: Sequence[ShownRun], session: str, vote: Vote | None = None, path: Collection[str] = ()) -> str:
    """Return the line below a comparison: the user's vote, if there is one, and what can be done next.

    Args:
        runs: The runs of the comparison.
        session: The name of the session.
        vote: The user's vote.
        path: The ids of the turns that the session's next turn continues.
    """
    voted = voted_line(runs, vote) if vote is not None else ""
    named = in_session(session)
    kept = next((run for run in runs if run.transcript.turn_id in path), None)
    if runs and runs[0].column.hidden:
        votes = f"%agent vote A{named} votes, tie and bad too; " if vote is None else ""
        how = f"{votes}{reveals(session)}"
    elif kept is not None:
        how = f"the session goes on with {kept.heading}; %agent keep COLUMN{named} goes on with another column"
    else:
        how = f"the session goes on where it was; %agent keep 1{named} goes on with column 1"
    return " · ".join(filter(None, [session, "comparison", voted, how]))


def reveals(session: str) -> str:
    """Return what shows the names of the models of a blind comparison."""
    return f"%agent reveal{in_session(session)} shows the names"


def in_session(session: str) -> str:
    """Return the option that names a session, which need not be the active one; empty if its name is not known."""
    return f" -s {typed(session)}" if session else ""


def voted_line(runs: Sequence[ShownRun], vote: Vote) -> str:
    """Return what the user has voted for."""
    best = next((run.heading for run in runs if run.transcript.turn_id == vote.best), "a column that is gone")
    words = {"tie": "a tie", "bad": "all are bad"}
    return f"your vote: {words.get(vote.best, best)}"
