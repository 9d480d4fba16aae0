"""How often intervals and verdicts are right, in simulated comparisons of 30 prompts, and how long a summary takes."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.figures import Figure, sample
from sessionmagic.comparing import intervals
from sessionmagic.comparing.preferences import Vote, preferences
from sessionmagic.comparing.scores import Scored
from sessionmagic.comparing.statistics import summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.random import Generator
    from numpy.typing import NDArray

    Drawn = Callable[[Generator], tuple[NDArray[Any], NDArray[Any], float]]
    """Draws the scores of two contestants, and returns them with the true difference."""

RUNS, PROMPTS = 2_000, 30
VOTES = 100
CELLS = 100_000
LOWEST, HIGHEST, MOST_FOUND = 93.0, 97.0, 6.0


def _normal(random: Generator) -> tuple[NDArray[Any], NDArray[Any], float]:
    difficulty = random.normal(size=PROMPTS)
    return difficulty + random.normal(0.3, 1, PROMPTS), difficulty + random.normal(0, 1, PROMPTS), 0.3


def _repeated(random: Generator) -> tuple[NDArray[Any], NDArray[Any], float]:
    return random.binomial(3, 0.7, PROMPTS) / 3, random.binomial(3, 0.6, PROMPTS) / 3, 0.1


def _yes_no(random: Generator) -> tuple[NDArray[Any], NDArray[Any], float]:
    return random.random(PROMPTS) < 0.7, random.random(PROMPTS) < 0.5, 0.2


def _skewed(random: Generator) -> tuple[NDArray[Any], NDArray[Any], float]:
    return random.exponential(2, PROMPTS), random.exponential(1, PROMPTS), 1.0


KINDS: dict[str, Drawn] = {
    "numbers": _normal,
    "shares of three repeats": _repeated,
    "yes or no": _yes_no,
    "skewed numbers": _skewed,
}


def measure(runs: int) -> list[Figure]:
    count = RUNS if runs > 2 else RUNS // 2
    intervals.RESAMPLES = (1_999, 1_999)  # the fewest that a summary draws
    collect, gc.collect = gc.collect, lambda *_: 0  # statsmodels calls it each time that it adjusts p-values
    try:
        figures = [figure for kind, draw in KINDS.items() for figure in _covered(kind, draw, count)]
        figures += [_nothing_found(kind, draw, count) for kind, draw in KINDS.items()]
        figures += [_several_without_difference(count), _planted(count), _strengths_covered(count)]
    finally:
        intervals.RESAMPLES = (1_999, 9_999)
        gc.collect = collect
    return [*figures, _timed()]


def _summary(*scores: NDArray[Any]) -> Any:
    return summarize(
        Scored(prompt, label, 0, score)
        for label, each in zip("abc", scores, strict=False)
        for prompt, score in enumerate(each.tolist())
    )


def _covered(kind: str, draw: Drawn, count: int) -> Iterable[Figure]:
    random = np.random.default_rng(1)
    found: dict[str, list[bool]] = {"Student's t": [], "bootstrap": []}
    for _ in range(count):
        first, second, truth = draw(random)
        [difference] = _summary(first, second).differences
        for name, interval in zip(found, (difference.interval, difference.bootstrap), strict=True):
            found[name].append(interval.low <= truth <= interval.high)
    for name, each in found.items():
        share = sample([100 * float(np.mean(each))], "{:.1f} %", f"of {count:,}")
        yield Figure(f"{kind}: the true difference is in the interval ({name})", share, at_least=LOWEST)
        yield Figure(f"{kind}: at most so often ({name})", share, at_most=HIGHEST)


def _nothing_found(kind: str, draw: Drawn, count: int) -> Figure:
    random = np.random.default_rng(2)
    found = []
    for _ in range(count):
        first, second = draw(random)[0], draw(random)[0]
        found.append(_summary(first, second).differences[0].winner is not None)
    return _wrongly(f"{kind}: equal contestants, and one is called better", found)


def _several_without_difference(count: int) -> Figure:
    random = np.random.default_rng(3)
    found = [any(each.winner for each in _summary(*random.normal(size=(3, PROMPTS))).differences) for _ in range(count)]
    return _wrongly("three equal contestants, and one is called better", found)


def _planted(count: int) -> Figure:
    random = np.random.default_rng(4)
    found = [_votes(random, 0.7).differences[0].winner == "a" for _ in range(count)]
    share = sample([100 * float(np.mean(found))], "{:.1f} %", f"of {count:,}")
    return Figure(f"a preference of 70 to 30 is found with {VOTES} votes", share, at_least=90)


def _strengths_covered(count: int) -> Figure:
    random = np.random.default_rng(5)
    truth = 1 / (1 + (3 / 7) ** 0.5)
    lines = [_votes(random, 0.7).strengths[0] for _ in range(count)]
    found = [line.interval is not None and line.interval.low <= truth <= line.interval.high for line in lines]
    share = sample([100 * float(np.mean(found))], "{:.1f} %", f"of {count:,}")
    return Figure(f"the true strength is in the interval of {VOTES} votes", share, at_least=LOWEST)


def _votes(random: Generator, share: float) -> Any:
    return preferences(Vote("a", "b", "first" if won else "second") for won in random.random(VOTES) < share)


def _wrongly(what: str, found: list[bool]) -> Figure:
    return Figure(what, sample([100 * float(np.mean(found))], "{:.1f} %", f"of {len(found):,}"), at_most=MOST_FOUND)


def _timed() -> Figure:
    random = np.random.default_rng(6)
    rows = [
        Scored(prompt, label, repeat, random.random())
        for prompt in range(CELLS // 10)
        for label in "ab"
        for repeat in range(5)
    ]
    started = time.perf_counter()
    summarize(rows)
    return Figure(f"a summary of {CELLS:,} cells", sample([time.perf_counter() - started], "{:.2f} s"), at_most=5)
