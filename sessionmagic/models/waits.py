"""Tell the turn what its model request waits for."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

T = TypeVar("T")

LONG = 1.0
"""Seconds after which a wait is told."""
tell_wait: ContextVar[Callable[[str], object]] = ContextVar("tell_wait")
"""Called with what the running model request waits for, in words. It is set for each run."""


async def told_if_long(work: Coroutine[Any, Any, T], what: str) -> T:
    """Wait for `work` and return its result. If it takes long, the turn is told what it waits for."""
    waiting = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait([waiting], timeout=LONG)
        if not done and (tell := tell_wait.get(None)) is not None:
            tell(what)
        return await waiting
    finally:
        waiting.cancel()
