"""How far a long reading of the store is, for whoever waits for it."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

FIRST_SECONDS = 1.0
"""After how long the progress is told for the first time."""
NEXT_SECONDS = 1.0

on_progress: ContextVar[Callable[[str], object] | None] = ContextVar("on_progress", default=None)
"""Called with the progress in words, and with an empty text at the end; None if nobody waits."""


def told(items: Iterable[T], what: str, total: int, step: int = 1) -> Iterator[T]:
    """Yield the items, and tell how far it is if that takes longer than a second.

    Args:
        items: The items.
        what: What is done, in words.
        total: How many things are done in all.
        step: How many of them each item stands for.
    """
    tell = on_progress.get()
    due, has_told = time.monotonic() + FIRST_SECONDS, False
    try:
        for number, item in enumerate(items):
            if tell is not None and time.monotonic() >= due:
                tell(f"{what}: {number * step:,} of {total:,}")
                due, has_told = time.monotonic() + NEXT_SECONDS, True
            yield item
    finally:
        if tell is not None and has_told:
            tell("")
