"""Scores of answers, as they come from a comparison, and as numbers for each prompt."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

COLUMN = "score"
"""The column of a score that is not a dict."""
LARGEST = 1e100
"""Larger scores count as missing: their squares could not be added up."""


class Scored(NamedTuple):
    """The score of one answer.

    Attributes:
        prompt: What tells the prompt from others.
        contestant: The label of the contestant.
        repeat: The number of the answer among those of this contestant to this prompt.
        score: A number, a bool, or a dict of these by column. Anything else (None, an exception, NaN) is a missing one.
    """

    prompt: Hashable
    contestant: str
    repeat: int
    score: object


@dataclass
class Scores:
    """The numbers of one column.

    Attributes:
        values: For each contestant and each prompt, the scores of the repeats. A prompt without any is not in it.
        missing: For each contestant, how many of its rows have no score.
        prompts: All prompts, also those without a score.
        yes_no: Whether each score is a yes or a no: a bool, or 0 or 1 where both occur.
    """

    values: dict[str, dict[Hashable, list[float]]]
    missing: Counter[str] = field(default_factory=Counter)
    prompts: set[Hashable] = field(default_factory=set)
    yes_no: bool = False

    def means(self, contestant: str) -> dict[Hashable, float]:
        """Return the mean of the repeats for each prompt of a contestant."""
        return {prompt: sum(scores) / len(scores) for prompt, scores in self.values[contestant].items()}


def columns_of(rows: Iterable[Scored]) -> list[str]:
    """Return the columns of the scores, in the order in which they first occur."""
    names = [name for row in rows for name in (row.score if isinstance(row.score, Mapping) else _column(row.score))]
    return [str(name) for name in dict.fromkeys(names)] or [COLUMN]


def scores_of(rows: Iterable[Scored], column: str, contestants: Sequence[str] = ()) -> Scores:
    """Return the numbers of a column.

    Args:
        rows: The scores of the answers.
        column: The column of scores that are dicts; ``"score"`` also takes those that are not.
        contestants: The labels in the order that is shown. Others follow in the order in which they occur.
    """
    scores = Scores({label: {} for label in contestants})
    found: set[float] = set()
    bools = 0
    for row in rows:
        score = row.score
        if isinstance(score, Mapping):
            score = score.get(column)
        elif column != COLUMN:
            score = None
        value = _number(score)
        scores.prompts.add(row.prompt)
        prompts = scores.values.setdefault(row.contestant, {})
        if value is None:
            scores.missing[row.contestant] += 1
            continue
        prompts.setdefault(row.prompt, []).append(value)
        found.add(value)
        bools += _is_bool(score)
    scores.yes_no = found <= {0.0, 1.0} and (bool(bools) or len(found) > 1)
    return scores


def _column(score: object) -> tuple[str, ...]:
    return () if _number(score) is None else (COLUMN,)


def _is_bool(score: object) -> bool:
    return isinstance(score, bool) or type(score).__name__ in {"bool", "bool_"}  # numpy's has both names


def _number(score: object) -> float | None:
    if score is None or isinstance(score, str | bytes | BaseException):
        return None
    try:
        value = float(score)  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001  the score is the user's, and may be anything
        return None
    return value if math.isfinite(value) and abs(value) < LARGEST else None
