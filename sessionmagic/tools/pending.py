"""What a turn asks its user: approvals and questions.

Each item waits until it is answered once, by its id, from any thread.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from contextlib import suppress
from typing import Generic, Protocol, TypeVar


class Asked(Protocol):
    """An item that waits for an answer."""

    @property
    def id(self) -> str:
        """The id by which the item is answered."""


Q = TypeVar("Q", bound=Asked)
A = TypeVar("A")


def new_id() -> str:
    """Return an id that is short enough to type."""
    return uuid.uuid4().hex[:8]


class Pending(Generic[Q, A]):
    """The items of one turn that wait for an answer. Subclasses emit the events about them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Q, asyncio.Future[A | None]]] = {}
        self._closed = False

    @property
    def open(self) -> list[Q]:
        """The items that wait for an answer, the oldest first."""
        with self._lock:
            return [asked for asked, _ in self._open.values()]

    def close(self) -> None:
        """Withdraw all open items and accept no more. Called when the turn ends."""
        with self._lock:
            self._closed = True
        for asked in self.open:
            self._settle(asked.id, None)

    async def _answer(self, asked: Q) -> A | None:
        """Ask and return the answer, or None if the item was withdrawn. If the caller is cancelled, it is withdrawn."""
        future: asyncio.Future[A | None] = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._closed:
                return None
            self._open[asked.id] = (asked, future)
            self._announce(asked)
        try:
            return await future
        finally:
            self._settle(asked.id, None)

    def _settle(self, asked_id: str, answer: A | None) -> Q | None:
        """Answer an open item and return the item; return None if no open item has that id."""
        with self._lock:
            if asked_id not in self._open:
                return None
            asked, future = self._open.pop(asked_id)
            self._announce_answer(asked, answer)
        with suppress(RuntimeError):  # the loop of the caller is closed, so nobody waits for the answer
            future.get_loop().call_soon_threadsafe(_resolve, future, answer)
        return asked

    def _announce(self, asked: Q) -> None:
        """Emit the event for a new item. Called under the lock, so that it comes before the event for the answer."""
        raise NotImplementedError

    def _announce_answer(self, asked: Q, answer: A | None) -> None:
        """Emit the event for an answer, or for a withdrawn item. Called under the lock."""
        raise NotImplementedError


def _resolve(future: asyncio.Future[A | None], answer: A | None) -> None:
    if not future.done():
        future.set_result(answer)
