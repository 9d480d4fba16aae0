"""Budgets in US dollars: which amounts are valid, and how they are typed."""

from __future__ import annotations

from math import isfinite
from typing import Any

from sessionmagic.exceptions import UsageError
from sessionmagic.words import shortened

NO_BUDGET = "none"
"""Typed to remove a budget."""


def checked_budget(amount: Any) -> float:
    """Return a budget as a number of dollars. Raises `UsageError` unless it is a finite number above 0."""
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not _is_finite(amount):
        raise UsageError(
            f"the budget {shortened(repr(amount))} is not an amount of dollars; give a number such as 0.50"
        )
    if amount <= 0:
        raise UsageError(f"a budget of {amount:g} would allow no model request; give an amount above 0")
    return float(amount)


def parsed_budget(text: str) -> float:
    """Return a budget that was typed, such as ``0.50`` or ``$0.50``. Raises `UsageError`."""
    try:
        amount = float(text.strip().removeprefix("$"))
    except ValueError:
        advice = "; %agent set --budget none removes the budget" if text.strip().lower() == NO_BUDGET else ""
        raise UsageError(
            f"the budget {shortened(text)!r} is not an amount of dollars{advice or '; give a number such as 0.50'}"
        ) from None
    return checked_budget(amount)


def _is_finite(amount: float) -> bool:
    try:
        return isfinite(amount)
    except OverflowError:  # a whole number that no float can hold
        return False
