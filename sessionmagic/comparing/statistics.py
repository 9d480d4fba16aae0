"""The statistics of scores. Differences are taken at the same prompt, after the repeats of a prompt are averaged."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from sessionmagic.comparing.intervals import (
    bootstrap,
    check_installed,
    detectable,
    holm,
    is_constant,
    mcnemar_p,
    settled,
    share,
    student,
    student_p,
)
from sessionmagic.comparing.scores import COLUMN, columns_of, scores_of
from sessionmagic.comparing.summary import SIGNIFICANT, ContestantMean, Difference, Summary, Test
from sessionmagic.comparing.table import Interval

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sessionmagic.comparing.intervals import Numbers
    from sessionmagic.comparing.scores import Scored, Scores


def summaries(
    rows: Iterable[Scored], *, contestants: Sequence[str] = (), lower_is_better: Collection[str] = ()
) -> dict[str, Summary]:
    """Return the statistics of each column of the scores, in the order in which the columns first occur.

    Args:
        rows: The scores. One that is a dict has a value for each column; any other is the column ``"score"``.
        contestants: The labels in the order to show. Others follow in the order in which they occur.
        lower_is_better: The columns in which a lower score is better.

    Raises `UsageError` if scipy or statsmodels is not installed.
    """
    rows = list(rows)
    return {
        column: summarize(rows, column=column, contestants=contestants, lower_is_better=column in lower_is_better)
        for column in columns_of(rows)
    }


def summarize(
    rows: Iterable[Scored], *, column: str = COLUMN, contestants: Sequence[str] = (), lower_is_better: bool = False
) -> Summary:
    """Return the statistics of one column of scores.

    A prompt without a score of both contestants is left out of their difference, and counted there.

    Args:
        rows: The scores.
        column: The column of scores that are dicts, and the name that is shown.
        contestants: The labels in the order to show. Others follow in the order in which they occur.
        lower_is_better: Whether a lower score is better, as it is for times and costs.

    Raises `UsageError` if scipy or statsmodels is not installed.
    """
    check_installed()
    scores = scores_of(rows, column, contestants)
    pairs = list(combinations(scores.values, 2))
    differences = [_difference(scores, first, second, len(pairs)) for first, second in pairs]
    return Summary(
        column=column,
        means=tuple(_mean(scores, label) for label in scores.values),
        differences=adjusted([replace(each, lower_is_better=lower_is_better) for each in differences]),
        yes_no=scores.yes_no,
        lower_is_better=lower_is_better,
    )


@dataclass(frozen=True, slots=True)
class Compared:
    """Two contestants at the same prompts.

    Attributes:
        first: The label of the first contestant.
        second: The label of the second.
        values: For each prompt, the score of the first minus that of the second.
        scale: The largest score, which tells rounding from differences.
        limit: The largest difference that is possible.
        left_out: How many prompts are left out.
        exact: The name of an exact test, if each value is 1, 0 or -1.
    """

    first: str
    second: str
    values: Sequence[float] | Numbers
    scale: float = 1
    limit: float = math.inf
    left_out: int = 0
    exact: Test = ""


def difference_of(compared: Compared, pairs: int) -> Difference:
    """Return the difference of two contestants, not yet adjusted for other pairs.

    Args:
        compared: The two.
        pairs: How many pairs are compared in all.
    """
    import numpy as np

    numbers = np.asarray(compared.values, dtype=float)
    count = len(numbers)
    mean = settled(float(numbers.mean()), compared.scale) if count else None
    bare = Difference(compared.first, compared.second, count, compared.left_out, mean)
    if mean is None:
        return bare
    ups, downs = int((numbers > 0).sum()), int((numbers < 0).sum())
    if is_constant(numbers, compared.scale):
        # All differences have one sign, and without a spread nothing but the sign can be tested.
        return replace(bare, test=compared.exact or "sign test", p=mcnemar_p(ups, downs) if mean else 1.0)
    size = (detectable(count, SIGNIFICANT / pairs) or math.inf) * float(numbers.std(ddof=1))
    return replace(
        bare,
        interval=_settled(student(numbers, -compared.limit, compared.limit), compared.scale),
        bootstrap=_settled(bootstrap(numbers, pairs), compared.scale),
        test=compared.exact or "Student's t",
        p=mcnemar_p(ups, downs) if compared.exact else student_p(numbers),
        smallest=size if size <= compared.limit and math.isfinite(size) else None,
    )


def adjusted(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """Return differences with their p-values adjusted for all of them."""
    corrected = iter(holm([each.p for each in differences if each.p is not None]))
    return tuple(each if each.p is None else replace(each, adjusted_p=next(corrected)) for each in differences)


def _mean(scores: Scores, label: str) -> ContestantMean:
    import numpy as np

    means = np.fromiter(scores.means(label).values(), dtype=float)
    found = sum(map(len, scores.values[label].values()))
    bare = ContestantMean(label, len(means), found, scores.missing[label], None, None)
    if not len(means):
        return bare
    interval, scale = None, float(abs(means).max())
    if scores.yes_no and _whole(means):
        interval = share(int(means.sum()), len(means))
    elif len(means) > 1 and not is_constant(means, scale):
        interval = student(means, 0, 1) if scores.yes_no else student(means)
    return replace(bare, mean=settled(float(means.mean()), scale), interval=_settled(interval, scale))


def _difference(scores: Scores, first: str, second: str, pairs: int) -> Difference:
    import numpy as np

    ones, others = scores.means(first), scores.means(second)
    both = [prompt for prompt in ones if prompt in others]
    left = np.array([ones[prompt] for prompt in both], dtype=float)
    right = np.array([others[prompt] for prompt in both], dtype=float)
    return difference_of(
        Compared(
            first,
            second,
            left - right,
            scale=float(max(abs(left).max(), abs(right).max())) if both else 1,
            limit=1 if scores.yes_no else math.inf,
            left_out=len(scores.prompts) - len(both),
            exact="exact McNemar" if scores.yes_no and _whole(left) and _whole(right) else "",
        ),
        pairs,
    )


def _settled(interval: Interval | None, scale: float) -> Interval | None:
    return interval and Interval(settled(interval.low, scale), settled(interval.high, scale))


def _whole(means: Numbers) -> bool:
    """Return whether each prompt ended in a yes or a no: it was asked once, or all its repeats agree."""
    return bool(((means == 0) | (means == 1)).all())
