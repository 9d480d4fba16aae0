"""The numbered events of a turn, and the observers that follow them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.events import TurnFinished, Warned
from sessionmagic.conversation.folding import fold
from sessionmagic.conversation.transcript import Transcript
from sessionmagic.turns.left_out import LeftOut, ShownEvents
from sessionmagic.words import counted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sessionmagic.conversation.events import Event

RING_SIZE = 4096
"""How many of the latest events are kept."""


class EventLog:
    """A turn's events: without keys, numbered, folded into a transcript, and the latest kept in a ring. Thread-safe.

    Args:
        session_id: The session's id.
        turn_id: The turn's id.
        agent: The agent that the turn begins with.
        left_out: Collects the keys that are left out.
    """

    def __init__(self, session_id: str, turn_id: str, agent: str, left_out: LeftOut | None = None) -> None:
        self._session_id = session_id
        self._turn_id = turn_id
        self._agent = agent
        self._lock = threading.Lock()
        self._ring: deque[Event] = deque(maxlen=RING_SIZE)
        self._unfolded: list[Event] = []
        self._transcript = Transcript()
        self._last = 0
        self._now = 0.0
        """The time of the latest event. No event is earlier than the one before, even if the clock is set back."""
        self._finished = False
        self._left_out = left_out or LeftOut()
        self._shown: dict[tuple[str, ...], ShownEvents] = {}
        """The events of the turn's own agent and of each sub-agent, by the calls that it works for."""
        self._waiting: set[Callable[[], object]] = set()

    @property
    def for_calls(self) -> tuple[str, ...]:
        """The calls that a sub-agent works for; empty, as these are the events of the turn itself."""
        return ()

    def within(self, agent: str, call_id: str) -> WorkLog:
        """Return what takes the events of a sub-agent that works for a call."""
        return WorkLog(self, agent, (call_id,))

    def emit(self, kind: type[Any], /, *, agent: str = "", **content: Any) -> None:
        """Number and stamp an event, and wake all observers.

        `TurnFinished` is the last event. A tool call that outlives its turn may emit more; these are dropped.

        Args:
            kind: The class of the event.
            agent: The agent that the event comes from; by default the agent that the turn began with.
            content: The other fields of the event.
        """
        with self._lock:
            if self._finished:
                return
            self._finished = kind is TurnFinished
            for_calls: tuple[str, ...] = content.pop("for_calls", ())
            shown = self._shown.setdefault(for_calls, ShownEvents(self._left_out))
            for of_kind, agent_, shown_content in shown.of(kind, agent, content):
                self._append(of_kind, agent_, {**shown_content, "for_calls": for_calls})
            waiting, self._waiting = self._waiting, set()
        for wake in waiting:
            wake()

    def _append(self, kind: type[Any], agent: str, content: dict[str, Any]) -> None:
        self._last += 1
        event = self._stamped(kind, self._last, agent, content)
        self._ring.append(event)
        self._unfolded.append(event)
        if len(self._unfolded) >= RING_SIZE:
            self._fold()

    def _stamped(self, kind: type[Any], number: int, agent: str, content: dict[str, Any]) -> Event:
        self._now = max(self._now, time.time())
        event: Event = kind(
            seq=number,
            session_id=self._session_id,
            turn_id=self._turn_id,
            agent=agent or self._agent,
            at=self._now,
            **content,
        )
        return event

    def snapshot(self) -> Transcript:
        """Return the transcript of all events so far."""
        with self._lock:
            self._fold()
            return self._transcript

    def _fold(self) -> None:
        self._transcript = fold(self._transcript, self._unfolded)
        self._unfolded = []

    def _since(self, after: int, wake: Callable[[], object]) -> tuple[list[Event], int]:
        """Return the kept events after number `after`, and how many events in between were dropped.

        When no event has come since, register `wake`, which the next event calls.
        """
        with self._lock:
            fresh = list(islice(self._ring, max(0, len(self._ring) - (self._last - after)), None))
            if not fresh:
                self._waiting.add(wake)
            return fresh, (fresh[0].seq - after - 1 if fresh else 0)

    async def news(self, after: int, seconds: float) -> int:
        """Wait up to `seconds` for an event after number `after`; return the number of the latest event."""
        arrived, wake = self._signal()
        fresh, _ = self._since(after, wake)
        if not fresh:
            try:
                with suppress(TimeoutError):
                    await asyncio.wait_for(arrived.wait(), seconds)
            finally:
                with self._lock:
                    self._waiting.discard(wake)
        return self._last

    @staticmethod
    def _signal() -> tuple[asyncio.Event, Callable[[], object]]:
        """Return an asyncio event of the running loop, and a function that sets it from any thread."""
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop of the observer is closed
                loop.call_soon_threadsafe(arrived.set)

        return arrived, wake

    async def follow(self, after: int = 0) -> AsyncIterator[Event]:
        """Yield every event after number `after`, up to the last event of the turn.

        An observer that falls more than `RING_SIZE` events behind gets a `Warned` in place of the events it missed.
        """
        while True:
            arrived, wake = self._signal()
            fresh, missed = self._since(after, wake)
            if missed:
                text = f"{counted(missed, 'event')} came too fast to be told; the turn's transcript has the content"
                yield self._stamped(Warned, fresh[0].seq - 1, "", {"text": text})
            for event in fresh:
                yield event
                after = event.seq
                if isinstance(event, TurnFinished):
                    return
            if not fresh:
                await arrived.wait()


class WorkLog:
    """Takes the events of a sub-agent, and adds them to those of the turn.

    Args:
        log: The events of the turn.
        agent: The sub-agent.
        for_calls: The ids of the tool calls that it works for, the outermost first.
    """

    def __init__(self, log: EventLog, agent: str, for_calls: tuple[str, ...]) -> None:
        self._log = log
        self._agent = agent
        self.for_calls = for_calls

    def within(self, agent: str, call_id: str) -> WorkLog:
        """Return what takes the events of another sub-agent, which works for a call of this one."""
        return WorkLog(self._log, agent, (*self.for_calls, call_id))

    def emit(self, kind: type[Any], /, *, agent: str = "", **content: Any) -> None:
        """Add an event, as `EventLog.emit` does."""
        self._log.emit(kind, agent=agent or self._agent, **{"for_calls": self.for_calls, **content})
