"""The numbered events of a turn, and whoever follows them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.events import TurnFinished, Warned
from sessionmagic.conversation.transcript import Transcript, fold

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sessionmagic.conversation.events import Event

RING_SIZE = 4096


class EventLog:
    """The turn's events: numbered, folded into a transcript, the latest kept in a ring. Safe in any thread."""

    def __init__(self, session_id: str, turn_id: str, agent: str) -> None:
        self._session_id = session_id
        self._turn_id = turn_id
        self._agent = agent
        self._lock = threading.Lock()
        self._ring: deque[Event] = deque(maxlen=RING_SIZE)
        self._unfolded: list[Event] = []
        self._transcript = Transcript()
        self._last = 0
        self._finished = False
        self._waiting: set[Callable[[], object]] = set()

    def emit(self, kind: type[Any], /, *, agent: str = "", **content: Any) -> None:
        """Number and stamp an event and show it to all followers.

        Nothing follows a turn's `TurnFinished`: an event that a call left to itself emits later is dropped.

        Args:
            kind: The class of the event.
            agent: The agent that the event comes from; the one that the turn began with when left out.
            content: The other fields of the event.
        """
        with self._lock:
            if self._finished:
                return
            self._finished = kind is TurnFinished
            self._last += 1
            event = self._stamped(kind, self._last, agent, content)
            self._ring.append(event)
            self._unfolded.append(event)
            if len(self._unfolded) >= RING_SIZE:
                self._fold()
            waiting, self._waiting = self._waiting, set()
        for wake in waiting:
            wake()

    def _stamped(self, kind: type[Any], number: int, agent: str, content: dict[str, Any]) -> Event:
        event: Event = kind(
            seq=number,
            session_id=self._session_id,
            turn_id=self._turn_id,
            agent=agent or self._agent,
            at=time.time(),
            **content,
        )
        return event

    def snapshot(self) -> Transcript:
        """Return the transcript as of now."""
        with self._lock:
            self._fold()
            return self._transcript

    def _fold(self) -> None:
        self._transcript = fold(self._transcript, self._unfolded)
        self._unfolded = []

    def _since(self, after: int, wake: Callable[[], object]) -> tuple[list[Event], int]:
        """Return the kept events after that number and how many were dropped; with none, register `wake`."""
        with self._lock:
            fresh = list(islice(self._ring, max(0, len(self._ring) - (self._last - after)), None))
            if not fresh:
                self._waiting.add(wake)
            return fresh, (fresh[0].seq - after - 1 if fresh else 0)

    async def news(self, after: int, seconds: float) -> int:
        """Wait, at most that long, for an event after that number; return the number of the latest."""
        news, wake = self._signal()
        fresh, _ = self._since(after, wake)
        if not fresh:
            try:
                with suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), seconds)
            finally:
                with self._lock:
                    self._waiting.discard(wake)
        return self._last

    @staticmethod
    def _signal() -> tuple[asyncio.Event, Callable[[], object]]:
        """An event of the running loop, and how another thread sets it."""
        loop = asyncio.get_running_loop()
        news = asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(news.set)

        return news, wake

    async def follow(self, after: int = 0) -> AsyncIterator[Event]:
        """Yield every event after that number, to the turn's last.

        A follower that falls more than `RING_SIZE` events behind gets a `Warned` in place of what it missed.
        """
        while True:
            news, wake = self._signal()
            fresh, missed = self._since(after, wake)
            if missed:
                text = f"{missed} events were not kept; the turn's transcript has all that they said"
                yield self._stamped(Warned, fresh[0].seq - 1, "", {"text": text})
            for event in fresh:
                yield event
                after = event.seq
                if isinstance(event, TurnFinished):
                    return
            if not fresh:
                await news.wait()
