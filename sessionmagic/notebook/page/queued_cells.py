"""The cells that a page has sent to the kernel, of which those behind the running one can say something.

What they say is removed before they run, so it never stands beside what a cell itself shows.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable

KEPT = 1_000
"""How many requests of cells are kept; most of them have long been answered."""


class QueuedCells:
    """The requests of a kernel's cells, in the order in which they have arrived. Thread-safe.

    Args:
        kernel: The ipykernel.
    """

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._lock = threading.Lock()
        self._headers: deque[dict[str, Any]] = deque(maxlen=KEPT)
        """The headers of the requests."""
        self._running = ""
        """The id of the request of the running cell."""
        self._said: dict[Hashable, str] = {}
        """What is to be said, by what it is said of."""
        self._told: list[dict[str, Any]] = []
        """The headers of the cells that say something."""

    def add(self, header: dict[str, Any]) -> None:
        """Add the request of a cell."""
        with self._lock:
            self._headers.append(header)
            self._show()

    def tell(self, about: Hashable, running: str, words: str) -> None:
        """Let the cells behind the running one say something.

        Args:
            about: What it is said of. If there are several such things, the cells say the first one.
            running: The id of the request of the running cell.
            words: What they say; empty to say nothing more of it.
        """
        with self._lock:
            self._running = running
            self._said.pop(about, None)
            if words:
                self._said[about] = words
            self._show()

    def _show(self) -> None:
        """Show what is to be said at all cells behind the running one, or remove it."""
        if not self._said:
            told, self._told = self._told, []
            for header in told:
                self._publish("clear_output", {"wait": False}, header)
            return
        words = next(iter(self._said.values()))
        for header in self._behind():
            if header not in self._told:
                self._told.append(header)
                self._publish("display_data", {"data": {"text/plain": words}, "metadata": {}, "transient": {}}, header)

    def _behind(self) -> list[dict[str, Any]]:
        headers = list(self._headers)
        places = [at for at, header in enumerate(headers) if header["msg_id"] == self._running]
        return headers[places[0] + 1 :] if places else []

    def _publish(self, kind: str, content: dict[str, Any], header: dict[str, Any]) -> None:
        self._kernel.session.send(self._kernel.iopub_socket, kind, content, parent={"header": header})
