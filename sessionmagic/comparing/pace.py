"""How many requests a provider is sent at the same time: more while it answers, fewer when it refuses them."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

START = 20
"""Requests at the same time, at first."""
MOST = 100
"""Requests at the same time, at most."""
CUT = 0.5
"""What a burst of refusals leaves of the limit."""
CALM_SECONDS = 5.0
"""How long the limit does not grow after a provider has failed."""
FIRST_WAIT = 0.5
"""Seconds before a request is made again, unless the provider says how long. Each further wait is twice as long."""
LONGEST_WAIT = 15.0
"""Seconds of the longest wait that a provider did not ask for."""
LONGEST_ASKED = 120.0
"""Seconds of the longest wait that a provider may ask for. After a longer one it is given up."""
MOST_WAITS = 10
"""How often a provider may ask to wait, without an answer in between, before it is given up."""
PATIENCE = 120.0
"""Seconds of failures without a single answer after which a provider is given up."""


@dataclass(slots=True)
class Pace:
    """The pace at which one provider is asked. All times are seconds of the same clock, which only the caller reads.

    Attributes:
        limit: How many requests may be open. It grows by about one whenever that many requests were answered, and a
            burst of refusals cuts it once: only a request that began after the last cut can cause the next one.
        most: What the limit grows to.
        open: How many requests are open.
        not_before: When the next request may begin.
    """

    limit: float = START
    most: int = MOST
    open: int = 0
    not_before: float = 0.0
    _cut_at: float = float("-inf")
    _calm_until: float = 0.0
    _answered_at: float = float("-inf")
    _failing_since: float = float("inf")
    _waits: int = 0

    def seconds_to_wait(self, now: float) -> float:
        """Return how long the next request has to wait; infinity if it waits for another one to end."""
        if self.open >= int(self.limit):
            return float("inf")
        return max(0.0, self.not_before - now)

    def answered(self, now: float) -> None:
        """Note an answer."""
        self._answered_at = now
        self._failing_since = float("inf")
        self._waits = 0
        if now >= self._calm_until and self.open >= int(self.limit) - 1:  # a limit that is not reached says nothing
            self.limit = min(float(self.most), self.limit + 1 / self.limit)

    def refused(self, now: float, began: float, asked: float | None) -> None:
        """Note that there were too many requests.

        Args:
            now: The time.
            began: When the request began.
            asked: Seconds that the provider asks to wait, if it says so.
        """
        self._failing_since = min(self._failing_since, now)
        if began > self._cut_at:
            self._cut_at = now
            self.limit = max(1.0, self.limit * CUT)
        self._wait(now, backoff(self._waits + 1) if asked is None else asked)

    def failed(self, now: float, asked: float | None = None) -> None:
        """Note that the provider has failed, or could not be reached.

        Args:
            now: The time.
            asked: Seconds that the provider asks to wait, if it says so.
        """
        self._failing_since = min(self._failing_since, now)
        self._calm_until = now + CALM_SECONDS
        if asked is not None:
            self._wait(now, asked)

    def has_answered_since(self, began: float) -> bool:
        """Return whether another request was answered since then, so that the provider works."""
        return self._answered_at > began

    def is_hopeless(self, now: float) -> bool:
        """Return whether the provider has only failed for so long that it is given up. A slow one is waited for."""
        failing = now - max(self._failing_since, self.not_before)
        return failing > PATIENCE or self._waits > MOST_WAITS

    def _wait(self, now: float, seconds: float) -> None:
        self._waits += now >= self.not_before  # those of one burst are one wait
        self.not_before = max(self.not_before, now + seconds)


def backoff(tries: int) -> float:
    """Return the seconds to wait after this many tries."""
    return float(min(LONGEST_WAIT, FIRST_WAIT * 2 ** (tries - 1)))


class Lane:
    """The requests to one provider, which wait for their turn.

    Args:
        pace: The pace.
    """

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self._now = asyncio.get_running_loop().time
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Let everything that waits go on at once, as nothing is asked any more."""
        self._ended.set()
        self._wake()

    async def pause(self, seconds: float) -> None:
        """Wait before a request is made again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()

    @asynccontextmanager
    async def turn(self, *, again: bool = False) -> AsyncIterator[float]:
        """Make one request within the block, which gets the time at which it begins.

        Args:
            again: Whether the request was made before. It then goes before those that were not.
        """
        await self._take_turn(again=again)
        try:
            yield self._now()
        finally:
            self.pace.open -= 1
            self._wake()

    async def _take_turn(self, *, again: bool) -> None:
        """Wait until a request may begin, and count it as open."""
        if self._ended.is_set() or (not self._waiting and self._seconds_to_wait() <= 0):
            self.pace.open += 1
            return
        waiter = asyncio.get_running_loop().create_future()
        if again:
            self._waiting.appendleft(waiter)
        else:
            self._waiting.append(waiter)
        self._wake()
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():  # its turn had come in the same moment
                self.pace.open -= 1
                self._wake()
            raise

    def _wake(self) -> None:
        """Let the requests begin that may begin now, and look again when the next one may."""
        while self._waiting and (wait := self._seconds_to_wait()) <= 0:
            waiter = self._waiting.popleft()
            if waiter.cancelled():
                continue
            self.pace.open += 1  # before it runs, so that no other one takes its turn
            waiter.set_result(None)
        if self._waiting and 0 < wait < float("inf") and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait, self._look_again)

    def _seconds_to_wait(self) -> float:
        return 0.0 if self._ended.is_set() else self.pace.seconds_to_wait(self._now())

    def _look_again(self) -> None:
        self._timer = None
        self._wake()
