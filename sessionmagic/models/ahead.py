"""Read a stream ahead of its consumer, so that what has arrived together can be handled together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

T = TypeVar("T")


class Ahead(Generic[T]):
    """Reads a stream in a task of its own, which takes all that can be had without waiting.

    Args:
        source: The stream. Nothing else may read it.
    """

    def __init__(self, source: AsyncIterable[T]) -> None:
        self._arrived: list[T] = []
        self._news = asyncio.Event()
        self._error: Exception | None = None
        self._reading = asyncio.create_task(self._read(source))

    async def _read(self, source: AsyncIterable[T]) -> None:
        try:
            async for item in source:
                self._arrived.append(item)
                self._news.set()
        except Exception as error:  # noqa: BLE001  the consumer gets it, after what has arrived before it
            self._error = error
        finally:
            self._news.set()

    async def arrived(self) -> list[T]:
        """Wait for the next items, and return all that have arrived; an empty list if the stream has ended.

        Raises what the source raises, after its items.
        """
        if not self._reading.done():
            await self._news.wait()
            self._news.clear()
        arrived, self._arrived = self._arrived, []
        if not arrived and self._error is not None:
            raise self._error
        return arrived

    async def stop(self) -> None:
        """Stop reading. What has arrived can still be had."""
        if not self._reading.done():
            self._reading.cancel()
            await asyncio.wait([self._reading])
