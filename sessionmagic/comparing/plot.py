"""A drawing of values with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.exceptions import UsageError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from sessionmagic.comparing.table import Interval


def draw_intervals(
    lines: Sequence[tuple[str, float | None, Interval | None]],
    heading: str,
    ax: Axes | None = None,
    *,
    zero: bool = False,
) -> Axes:
    """Draw a dot with its interval for each line, the first on top. Return matplotlib's axes.

    Args:
        lines: For each line, its label, the value, and its interval.
        heading: What the values are.
        ax: Axes to draw into; new ones by default.
        zero: Whether to mark zero.

    Raises `UsageError` if matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise UsageError("plots need matplotlib, which is not installed; run `pip install matplotlib`") from error
    if ax is None:
        _, ax = plt.subplots(figsize=(7, 1.2 + 0.4 * len(lines)), layout="constrained")
    for place, (_, value, interval) in enumerate(lines):
        if value is not None:
            ax.plot([value], [place], "o", color="C0")
        if interval is not None:
            ax.plot([interval.low, interval.high], [place, place], color="C0")
    if zero:
        ax.axvline(0, color="grey", linewidth=0.8)
    # A dollar sign would begin a formula.
    labels = [shortened(printable(without_keys(label))).replace("$", r"\$") for label, _, _ in lines]
    ax.set_yticks(range(len(lines)), labels)
    ax.set_ylim(len(lines) - 0.5, -0.5)
    ax.set_xlabel(shortened(printable(heading)).replace("$", r"\$"))
    return ax
