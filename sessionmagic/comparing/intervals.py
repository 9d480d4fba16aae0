"""Intervals, tests and power, by scipy and statsmodels. What cannot be computed is None, and nothing warns."""

from __future__ import annotations

import math
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING
from zlib import crc32

from sessionmagic.comparing.table import Interval
from sessionmagic.exceptions import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

LEVEL = 0.95
POWER = 0.8
FEWEST_DRAWN = 5
"""The number of prompts from which a bootstrap is made."""
DRAWN_AT_ONCE = 2_000_000
DRAWN_IN_ALL = 30_000_000
"""The number of draws for all pairs, which take about a second, unless the fewest resamples need more."""
MOST_DRAWN = 300_000_000
"""With more draws, there is no bootstrap. Of so many prompts, its interval hardly differs from Student's."""
RESAMPLES = (1_999, 9_999)
"""The lowest and the highest number of resamples; many prompts or many pairs get fewer."""
ROUNDING = 1e-12
"""Numbers that differ by less than this part of the largest score are equal."""


def check_installed() -> None:
    """Raise `UsageError` if the packages of the statistics are not installed."""
    if missing := [name for name in ("scipy", "statsmodels") if find_spec(name) is None]:
        raise UsageError(
            f'statistics need {" and ".join(missing)}, not installed here; run `pip install "sessionmagic[compare]"`'
        )


def is_constant(values: Numbers, scale: float) -> bool:
    """Return whether all values are equal, up to rounding.

    Args:
        values: The values.
        scale: The largest score that they were computed from.
    """
    return bool(values.max() - values.min() <= ROUNDING * scale)


def settled(value: float, scale: float) -> float:
    """Return a value, or zero if it is one up to rounding.

    Args:
        value: The value.
        scale: The largest score that it was computed from.
    """
    return 0.0 if abs(value) <= ROUNDING * scale else value


def student(values: Numbers, lowest: float = -math.inf, highest: float = math.inf) -> Interval:
    """Return the 95 % interval of a mean by Student's t.

    Args:
        values: At least two values that are not all equal.
        lowest: The lowest mean that is possible.
        highest: The highest mean that is possible.
    """
    half = _half_width(len(values)) * values.std(ddof=1) / math.sqrt(len(values))
    return Interval(max(lowest, float(values.mean() - half)), min(highest, float(values.mean() + half)))


def student_p(values: Numbers) -> float:
    """Return the p-value of Student's t for a mean of zero, of values as `student` takes."""
    from scipy import stats

    return float(stats.ttest_1samp(values, 0).pvalue)


def share(yes: int, count: int) -> Interval:
    """Return the 95 % interval of a share by Wilson, which holds for 0 % and 100 % too."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(yes, count, alpha=1 - LEVEL, method="wilson")
    return Interval(float(low), float(high))


def mcnemar_p(first_only: int, second_only: int) -> float:
    """Return the p-value of McNemar's exact test.

    Args:
        first_only: How many prompts are a yes only for the first contestant.
        second_only: How many are a yes only for the second.
    """
    from statsmodels.stats.contingency_tables import mcnemar

    return float(mcnemar([[0, first_only], [second_only, 0]], exact=True).pvalue)


def bootstrap(values: Numbers, pairs: int = 1) -> Interval | None:
    """Return the 95 % interval of a mean by drawing from the values again and again. None for too few or too many.

    The level is widened as proposed by Hesterberg (2015, "What teachers should know about the bootstrap"): without
    that, intervals of few values are too short. The same values give the same interval, in any order.

    Args:
        values: The values, one for each prompt.
        pairs: How many bootstraps are made in all. With many, each has fewer resamples.
    """
    import numpy as np
    from scipy import stats

    count = len(values)
    fewest, most = RESAMPLES
    if count < FEWEST_DRAWN or count * pairs * fewest > MOST_DRAWN:
        return None
    ordered = np.sort(values)
    drawn = stats.bootstrap(
        (ordered,),
        np.mean,
        n_resamples=max(fewest, min(most, DRAWN_IN_ALL // (count * pairs))),
        batch=max(1, DRAWN_AT_ONCE // count),
        confidence_level=1 - 2 * stats.norm.cdf(-math.sqrt(count / (count - 1)) * _half_width(count)),
        method="percentile",
        # One seed for all values would draw the same places each time, and be wrong in the same direction.
        rng=crc32(ordered.tobytes()),
    ).confidence_interval
    return Interval(float(drawn.low), float(drawn.high))


def holm(probabilities: list[float]) -> list[float]:
    """Return p-values adjusted by Holm's method."""
    from statsmodels.stats.multitest import multipletests

    if len(probabilities) < 2:  # noqa: PLR2004
        return probabilities  # statsmodels collects garbage with each call, which is slow in a full kernel
    return [float(each) for each in multipletests(probabilities, method="holm")[1]]


@lru_cache(maxsize=1_000)
def detectable(count: int, alpha: float) -> float | None:
    """Return the smallest difference, in standard deviations, that Student's t finds with a power of 80 %.

    Args:
        count: The number of prompts.
        alpha: The p-value below which a difference is called one.
    """
    from scipy import optimize, stats

    # statsmodels (0.15) finds sizes of another power: scipy's distribution is NaN in the tail that does not count.
    freedom, root = count - 1, math.sqrt(count)
    least = stats.t.isf(alpha / 2, freedom)

    def lacking(size: float) -> float:
        return float(stats.nct.sf(least, freedom, size * root)) - POWER

    highest = (stats.norm.isf(alpha / 2) + stats.norm.isf(1 - POWER)) / root
    while lacking(highest) < 0:
        highest *= 1.5
    if math.isnan(lacking(highest)):
        return None
    return float(optimize.brentq(lacking, 0, highest))


@lru_cache(maxsize=1_000)
def _half_width(count: int) -> float:
    """Return half of the width of a 95 % interval, in standard errors."""
    from scipy import stats

    return float(stats.t.ppf((1 + LEVEL) / 2, count - 1))
