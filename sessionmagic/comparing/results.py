"""The rows of a grid that were answered, or have failed, and what can be made of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sessionmagic.comparing.grid_row import GridRow
from sessionmagic.comparing.inspect_log import write_logs
from sessionmagic.comparing.scoring import SCORE, scored
from sessionmagic.comparing.table import UNKNOWN, Table, Tabular, number
from sessionmagic.conversation.usage import dollars
from sessionmagic.conversation.value import without_clashes
from sessionmagic.exceptions import UsageError
from sessionmagic.models.settings import as_typed
from sessionmagic.words import counted, shortened, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from sessionmagic.comparing.judge_report import JudgeReport
    from sessionmagic.comparing.scoring import Score
    from sessionmagic.exceptions import SessionMagicError

SHOWN_ERRORS = 3
"""How many different errors are shown."""
_PLAIN = [each.name for each in fields(GridRow) if each.name not in ("settings", "scores", "value", "fields")]
"""The fields of a row that are a column each."""
MEASURES = ("cost", "seconds", "input_tokens", "output_tokens")
"""What each row has besides its scores, and is better if it is less."""


class GridResults(Tabular, list[GridRow]):
    """The rows of a grid, prompt by prompt, then by model in the order given, then by repeat.

    Rows that were not asked, because the grid was stopped, are left out.

    Attributes:
        name: The name of the grid.
        total: How many rows the whole grid has.
        asked: How many requests this run has made, all tries included.
        stopped: Why the grid was stopped before its end; empty if it was not.
        error: The error of the limit that stopped it; None if there was none.
        warnings: What the user should know, one line each.
        spent: What this run has cost in US dollars; None if nothing is known.
        judged: What a judge has found; None if there was none.
    """

    def __init__(self, rows: Iterable[GridRow] = (), name: str = "grid", total: int | None = None) -> None:
        super().__init__(rows)
        self.name = name
        self.total = len(self) if total is None else total
        self.asked = 0
        self.stopped = ""
        self.error: SessionMagicError | None = None
        self.warnings: list[str] = []
        self.spent: float | None = None
        self.judged: JudgeReport | None = None

    def __repr__(self) -> str:
        cost = f", {dollars(self.cost)}" if self.cost is not None else ""
        failed = f", {len(self.errors):,} failed" if self.errors else ""
        stopped = f"; {self.stopped}" if self.stopped else ""
        return f"<grid {self.name!r}: {len(self):,} of {counted(self.total, 'row')}{failed}{cost}{stopped}>"

    @property
    def errors(self) -> list[GridRow]:
        """The rows without an answer. They are asked again when the grid is run again."""
        return [row for row in self if row.error is not None]

    @property
    def missing(self) -> int:
        """How many rows were not asked."""
        return self.total - len(self)

    @property
    def cost(self) -> float | None:
        """The known cost of all answers in US dollars; None if none is known. Equal prompts share an answer."""
        costs = [row.cost for row in _distinct(self) if row.cost is not None]
        return sum(costs) if costs else None

    @property
    def labels(self) -> list[str]:
        """The models with the settings that set them apart, in the order given."""
        return list(dict.fromkeys(row.label for row in self))

    def faults(self, noun: str) -> list[str]:
        """Return why rows have no answer, in a line for each of the most frequent reasons.

        Args:
            noun: What a row is called.
        """
        errors = Counter(row.error for row in self if row.error).most_common(SHOWN_ERRORS)
        told = any(error in self.stopped for error, _ in errors)  # a provider was given up for that error
        stopped = [self.stopped] if self.stopped and not told else []
        return [*stopped, *(f"{counted(count, noun)} failed: {error}" for error, count in errors)]

    def tables(self) -> list[Table]:
        """Return what is shown: a line for each model."""
        scores = list(dict.fromkeys(name for row in self for name in row.scores))
        headings = ("model", "answered", "failed", "tokens", "cost", "seconds", *scores)
        rows = [self._table_row(label, scores) for label in self.labels]
        shown = f"{len(self):,} of {counted(self.total, 'row')}, {counted(self.asked, 'request')} in this run"
        notes = [f"{shown}; tokens are those read → written; seconds and scores are means"]
        if any(UNKNOWN in row for row in rows):
            notes.append(f"{UNKNOWN}: not known")
        notes += [f"⚠ {fault}" for fault in self.faults("row")]
        unscored = [row.score_error for row in self if row.score_error]
        notes += [
            f"⚠ a score is missing in {counted(count, 'row')}: {error}"
            for error, count in Counter(unscored).most_common(SHOWN_ERRORS)
        ]
        return [Table(headings, tuple(rows), tuple(notes)), *(self.judged.tables() if self.judged else ())]

    def _table_row(self, label: str, scores: Sequence[str]) -> tuple[str, ...]:
        rows = [row for row in self if row.label == label]
        answered = [row for row in rows if row.answer is not None]
        paid = _distinct(answered)
        means = [_mean(row.scores.get(name) for row in answered) for name in scores]
        return (
            label,
            f"{len(answered):,}",
            f"{len(rows) - len(answered):,}",
            _sum([(row.input_tokens, row.output_tokens) for row in paid], "{:,} → {:,}".format),
            _sum([(row.cost,) for row in paid], dollars),
            *map(number, (_mean(row.seconds for row in answered), *means)),
        )

    def score(self, function: Score) -> None:
        """Score each answer. What the function raises is kept in the row's `score_error`.

        Args:
            function: Takes an answer and its row, and returns a number, a bool, or a dict of these by name.
        """
        for row in self:
            if row.answer is not None:
                row.scores, row.score_error = scored(function, row)

    def summary(self, score: str = SCORE, **options: Any) -> Any:
        """Return the statistics of a score: how the models differ, prompt by prompt.

        Equal prompts count as one.

        Args:
            score: The name of a score. ``cost``, ``seconds``, ``input_tokens`` and ``output_tokens`` are scores of
                which less is better.
            options: Passed on to `statistics.summarize`.

        Raises `UsageError` if no answer has this score, or the libraries for it are not installed.
        """
        if all(_value(row, score) is None for row in self):
            raise UsageError(_no_score(score, {name for row in self for name in row.scores}))
        values = [(row.prompt, row.label, row.repeat, {score: _value(row, score)}) for row in self]
        options = {"contestants": self.labels, "lower_is_better": score in MEASURES, **options}
        return _summarized(values, column=score, **options)

    def to_frame(self) -> Any:
        """Return a pandas DataFrame, with a column for each field and each score.

        Structured answers have a column for each of their fields. One with the name of another column gets ``value_``
        before it.
        """
        import pandas as pd

        names = list(dict.fromkeys(name for row in self for name in row.scores))
        rows = []
        for row in self:
            columns = {name: getattr(row, name) for name in _PLAIN}
            columns["settings"] = as_typed(row.settings)
            columns |= {name: row.scores.get(name) for name in names}
            rows.append(columns | without_clashes(row.fields, columns))
        frame = pd.DataFrame(rows)
        for column in ("input_tokens", "output_tokens"):
            if column in frame:
                frame[column] = frame[column].astype("Int64")
        return frame

    def to_inspect(self, path: Path | str) -> list[Path]:
        """Write a log in the form of Inspect (version 2) for each model, and return the paths.

        Args:
            path: A directory, or a file that ends in ``.json`` if the grid has one model only.

        Raises `StoreError` if the file cannot be written, and `UsageError` for a file with several models.
        """
        return write_logs(self.name, self, path)


def _distinct(rows: Iterable[GridRow]) -> list[GridRow]:
    """Return one row for each answer, as equal prompts share one."""
    return list({(row.prompt, row.label, row.repeat): row for row in rows}.values())


def _sum(values: Sequence[tuple[float | None, ...]], shown: Callable[..., str]) -> str:
    """Return what is shown of the sums of figures, and whether some of these are not known."""
    known = [each for each in values if None not in each]
    if not known:
        return UNKNOWN
    return f"{'at least ' if len(known) < len(values) else ''}{shown(*map(sum, zip(*known, strict=True)))}"


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _value(row: GridRow, score: str) -> float | None:
    return getattr(row, score) if score in MEASURES else row.scores.get(score)


def _no_score(score: str, names: Collection[str]) -> str:
    """Return that no answer has a score, and which scores there are."""
    others = [*sorted(names), *(name for name in MEASURES if name != score)]
    bare = not names and score == SCORE
    advice = f"{'give --score, call .score(function), or ' if bare else ''}name one of {', '.join(others)}"
    what = f"known {score}" if score in MEASURES else f"score named {shortened(score)!r}"
    return f"no answer has a {what}{suggestion(score, others, advice)}"


def _summarized(values: Iterable[tuple[str, str, int, object]], **options: Any) -> Any:
    """Return the statistics of scores, each with its prompt, its model and its repeat."""
    scored = import_module("sessionmagic.comparing.scores").Scored
    return import_module("sessionmagic.comparing.statistics").summarize([scored(*value) for value in values], **options)
