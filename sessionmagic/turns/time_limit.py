"""A limit on the time that a turn runs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

TICK_SECONDS = 0.1
"""How often the limit is checked."""


@asynccontextmanager
async def time_limit(
    seconds: float | None, is_paused: Callable[[], bool], stop: Callable[[float], object]
) -> AsyncIterator[None]:
    """Call `stop` when the body has run for that long by the loop's clock, not counting the time while it is paused."""
    now = asyncio.get_running_loop().time

    async def count_down(seconds: float) -> None:
        left = seconds
        while left > 0:
            began = now()
            await asyncio.sleep(min(left, TICK_SECONDS))
            if not is_paused():
                left -= now() - began
        stop(seconds)

    timer = asyncio.ensure_future(count_down(seconds)) if seconds is not None else None
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()
