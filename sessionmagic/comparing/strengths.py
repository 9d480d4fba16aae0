"""The model of Bradley and Terry: strengths of contestants, by which one is preferred to another as often as seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.comparing.intervals import LEVEL
from sessionmagic.comparing.table import Interval

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

Points = tuple[str, str, float, "Hashable"]
"""Two labels, what the first won (1, 0, or 0.5 for a tie), and the prompt."""


def unconnected(points: Sequence[Points], labels: Sequence[str]) -> list[str]:
    """Return why the votes do not determine strengths, in words, or nothing if they do.

    They do if each contestant has won against each other one, by a chain of others if necessary. A tie is half a win
    of both.
    """
    import numpy as np
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    at = {label: place for place, label in enumerate(labels)}
    won = np.zeros((len(labels), len(labels)), dtype=int)
    for first, second, value, _ in points:
        won[at[first], at[second]] += value > 0
        won[at[second], at[first]] += value < 1
    if len(labels) < 2:  # noqa: PLR2004
        return ["there are no two contestants"]
    count, part_of = connected_components(csr_array(won), directed=True, connection="strong")
    if count == 1:
        return []
    reasons = []
    for part in dict.fromkeys(part_of):
        inside = part_of == part
        names = " and ".join(label for label, here in zip(labels, inside, strict=True) if here)
        beaten, winning = won[np.ix_(~inside, inside)].any(), won[np.ix_(inside, ~inside)].any()
        others = " by others" if inside.sum() > 1 else ""
        if not beaten and not winning:
            reasons.append(f"{names} {'were' if others else 'was'} never compared with others")
        elif not beaten:
            reasons.append(f"{names} {'were' if others else 'was'} never beaten{others}")
        elif not winning:
            reasons.append(f"{names} never won{' against others' if others else ''}")
    return reasons


def strengths_of(points: Sequence[Points], labels: Sequence[str]) -> dict[str, tuple[float, Interval | None]]:
    """Return for each contestant the probability that it is preferred to an average one, and its 95 % interval.

    Votes on one prompt depend on each other, so the intervals add up their errors by prompt (the sandwich estimator).

    Args:
        points: Votes that determine strengths.
        labels: The contestants.
    """
    import numpy as np
    from scipy import optimize, stats
    from scipy.special import expit

    at = {label: place for place, label in enumerate(labels)}
    prompts = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompt for *_, prompt in points))}
    first = np.array([at[each[0]] for each in points])
    second = np.array([at[each[1]] for each in points])
    won = np.array([each[2] for each in points], dtype=float)
    prompt = np.array([prompts[each[3]] for each in points])
    size = len(labels)

    # Only differences of strengths matter. The square of their sum makes it zero, and changes nothing else.
    def loss(strengths: Numbers) -> float:
        margin = strengths[first] - strengths[second]
        return float((np.logaddexp(0, margin) - won * margin).sum() + strengths.sum() ** 2 / 2)

    def slopes(strengths: Numbers, rows: NDArray[np.int64], count: int) -> Numbers:
        error = expit(strengths[first] - strengths[second]) - won
        total = np.zeros((count, size))
        np.add.at(total, (rows, first), error)
        np.add.at(total, (rows, second), -error)
        return total

    def gradient(strengths: Numbers) -> Numbers:
        return np.asarray(slopes(strengths, np.zeros_like(prompt), 1)[0] + strengths.sum())

    def curvature(strengths: Numbers) -> Numbers:
        chance = expit(strengths[first] - strengths[second])
        weight = chance * (1 - chance)
        total = np.ones((size, size))
        for rows, columns, sign in ((first, first, 1), (second, second, 1), (first, second, -1), (second, first, -1)):
            np.add.at(total, (rows, columns), sign * weight)
        return total

    start = np.zeros(size)
    fitted = optimize.minimize(
        loss, start, jac=gradient, hess=curvature, method="trust-exact", options={"gtol": 1e-9}
    ).x
    by_prompt = slopes(fitted, prompt, len(prompts))
    inverse = np.linalg.inv(curvature(fitted))
    count = len(prompts)
    variance = (inverse @ by_prompt.T @ by_prompt @ inverse).diagonal() * count / max(1, count - 1)
    half = stats.t.ppf((1 + LEVEL) / 2, count - 1) * np.sqrt(variance) if count > 1 else np.zeros(size)
    return {
        label: (
            float(expit(value)),
            Interval(float(expit(value - wide)), float(expit(value + wide))) if wide > 0 else None,
        )
        for label, value, wide in zip(labels, fitted, half, strict=True)
    }
