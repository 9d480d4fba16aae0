"""What a function of the user's says of an answer, as numbers."""

from __future__ import annotations

import math
from dataclasses import fields
from numbers import Real
from typing import TYPE_CHECKING, Any

from sessionmagic.comparing.grid_row import GridRow
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.words import shortened, words_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Score = Callable[[str, GridRow], Any]
    """Takes an answer and its row, and returns a number, a bool, or a dict of these by name."""

SCORE = "score"
"""The name of a score that is not one of several."""
_FIELDS = frozenset(field.name for field in fields(GridRow)) - {"value", "fields"}


def scored(function: Score, row: GridRow) -> tuple[dict[str, float], str | None]:
    """Return the scores of an answer by name, and why one is missing; None if none is.

    Args:
        function: The user's function. What it raises is returned in words.
        row: A row that has an answer.
    """
    try:
        value = function(row.answer or "", row)
        named = value if isinstance(value, dict) else {SCORE: value}
        found, errors = {}, []
        for name, each in named.items():
            if error := _fault(str(name), each := _plain(each)):
                errors.append(error)
            else:
                found[str(name)] = each if isinstance(each, bool) else float(each)
    except Exception as error:  # noqa: BLE001  the user's own function may raise anything
        return {}, without_keys(words_of(error))
    return found, without_keys(errors[0]) if errors else None


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value  # a number of NumPy


def _fault(name: str, value: object) -> str:
    """Return why a value is not a score; ``""`` if it is one."""
    what = "the score" if name == SCORE else f"the score {shortened(name)!r}"
    if name in _FIELDS:
        return f"{what} has the name of a column of the results; choose another name"
    if not isinstance(value, Real):
        kind = "None" if value is None else f"of type {type(value).__name__}"
        return f"{what} is {kind}; return a number, a bool or a dict of these"
    if not math.isfinite(value):
        return f"{what} is {float(value)}; return a finite number"
    return ""
