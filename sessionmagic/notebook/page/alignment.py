"""Columns of numbers, which stand at the right of a table, so that their digits are below each other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NUMBER = re.compile(r"(at least |~|< )?[-−]?\$?\d[\d,]*(\.\d+)?(e[+-]?\d+)?")
NO_NUMBER = frozenset(("", "–", "unknown", "unpriced"))
"""What stands in a column of numbers where there is none."""


def sides(rows: Iterable[Sequence[str]], columns: int) -> list[str]:
    """Return for each column of a table whether it stands at the ``"left"`` or, as numbers do, at the ``"right"``.

    Args:
        rows: For each row, its cells.
        columns: How many columns there are.
    """
    cells = list(zip(*rows, strict=True)) or [()] * columns
    return ["right" if _are_numbers(column) else "left" for column in cells]


def _are_numbers(cells: Sequence[str]) -> bool:
    numbers = [cell for cell in cells if cell not in NO_NUMBER]
    return bool(numbers) and all(map(NUMBER.fullmatch, numbers))
