"""The ends of turns that could not be stored, kept in memory until they can be."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from sessionmagic.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.conversation.session import Session
    from sessionmagic.storage.store import Store

    End = Callable[[Session], Session]
    """A change that ends a turn of a session."""

RETRY_SECONDS = 10.0
"""The time between two attempts to store them."""


class UnwrittenEnds:
    """The turns of this process whose last write has failed, for example because the disk was full.

    Each end is written before the session's next turn, with a listing, and every few seconds in the background. It is
    dropped when its session has been deleted. Methods can be called on any thread.

    Args:
        store: The store of the sessions.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ends: list[tuple[str, End]] = []
        self._writing = threading.Lock()
        self._retrying_on: asyncio.AbstractEventLoop | None = None

    def __bool__(self) -> bool:
        return bool(self._ends)

    def keep(self, session_id: str, end: End) -> None:
        """Keep the end of a turn, and try to store it from time to time. Called on the turn's loop."""
        self._ends.append((session_id, end))
        loop = asyncio.get_running_loop()
        if self._retrying_on is not loop:  # the loop before may be closed
            self._retrying_on = loop
            self._retry_later(loop)

    def write(self, session_id: str) -> None:
        """Store the ends of the session's turns; raises `StoreError` when that fails again."""
        with self._writing:
            for entry in [entry for entry in self._ends if entry[0] == session_id]:
                try:
                    self._store.update(*entry)
                except StoreError:
                    raise
                except Exception:  # noqa: BLE001, S110  the session was deleted, or no store can take this end
                    pass
                self._ends.remove(entry)

    def write_all(self) -> None:
        """Store the ends of all sessions' turns that can be stored now."""
        for session_id in {session_id for session_id, _ in list(self._ends)}:
            with suppress(StoreError):
                self.write(session_id)

    def _retry_later(self, loop: asyncio.AbstractEventLoop) -> None:
        # A timer and not a task, which would complain when its loop ends first.
        loop.call_later(RETRY_SECONDS, self._retry, loop)

    def _retry(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._ends:
            with suppress(RuntimeError):  # no thread can be started while the interpreter shuts down
                loop.run_in_executor(None, self.write_all).add_done_callback(lambda _: self._retry_later(loop))
        else:
            self._retrying_on = None
