"""Pieces of messages: the nearest known word, somebody's error in words, a long text cut."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LIKENESS = 0.65
"""How similar, from 0 to 1, a known word must be to be suggested. At difflib's own 0.6, "nope" suggests "openai"."""
SHOWN_LIMIT = 60
"""Characters of a user's own text that an error message quotes."""


def words_of(error: BaseException) -> str:
    """Return kind and message of somebody's error, also of one that cannot say what it is."""
    try:
        return f"{type(error).__name__}: {error}"
    except BaseException:  # noqa: BLE001
        return type(error).__name__


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the closest of the known words, or ``""`` when none is close."""
    close = get_close_matches(word, list(known), n=1, cutoff=LIKENESS)
    return f" Did you mean {close[0]!r}?" if close else ""


def shortened(text: str) -> str:
    """Cut a text to what an error message quotes of it."""
    return text if len(text) <= SHOWN_LIMIT else text[: SHOWN_LIMIT - 1] + "…"
