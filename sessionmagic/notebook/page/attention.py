"""Answer the page while a cell waits on the main thread: clicks, and requests for widgets after a reload.

By default, ipykernel handles these messages after the cell. Since version 7 it has subshells, which run on separate
threads. Messages that concern our widgets are sent to a subshell, which handles them at once. Older versions have no
subshells, so there the page waits.

The requests of cells are noted on the way, because a cell that waits for the running one can then say what for, and so
are the pages that refuse widgets: one without a widget manager closes what the kernel opens.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sessionmagic.notebook.page.queued_cells import QueuedCells

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

CONTROL = "jupyter.widget.control"
"""The comm target that a reloaded page asks for all widgets, in the protocol of ipywidgets."""

LAYOUT = {"_model_module": "@jupyter-widgets/base", "_model_module_version": "2.0.0", "_model_name": "LayoutModel"}
"""A widget that has no place on a page."""
WIDGET = "jupyter.widget"
"""The comm target of widgets."""

_refusing: set[str] = set()
"""The pages that have refused a widget, by the sessions of their connections."""
_ours: WeakSet[Any] = WeakSet()
"""Comms of the widgets that `answer_at_once` was called with."""


def answer_at_once(widget: Any) -> None:
    """Handle this widget's messages while a cell waits. Its callbacks must be safe on any thread."""
    _ours.add(widget.comm)
    # ipykernel 7.4 sends them to the shell that created the widget, which is the one that the cell keeps busy.
    if hasattr(widget.comm, "_reply_subshell_for"):
        widget.comm._reply_subshell_for = lambda data, default: default  # noqa: SLF001, ARG005


def attention(kernel: Any) -> AbstractContextManager[None]:
    """Return a context in which the page is answered while the main thread waits.

    It has no effect without subshells, or outside the main thread.
    """
    return _router(kernel).routing() if _can_listen(kernel) else nullcontext()


def queued_cells(kernel: Any) -> QueuedCells | None:
    """Return the cells that wait for the running one; None where they are not known.

    They are known from the first call on.
    """
    return _router(kernel).queued if _can_listen(kernel) else None


def offer_a_widget(kernel: Any, client: str) -> None:
    """Offer a page a widget, once, which it refuses at once if it has no widget manager.

    Args:
        kernel: The kernel.
        client: The session of the page's connection, which the headers of its requests have.
    """
    if _can_listen(kernel):
        _router(kernel).offer_a_widget(client)


def refuses_widgets(client: str) -> bool:
    """Return whether a page has refused a widget. Always False without subshells, where that is not known in time."""
    return client in _refusing


def _can_listen(kernel: Any) -> bool:
    """Return whether the page can be listened to: with subshells, on the main thread, once the kernel has started.

    A message that came earlier would be lost, as only a kernel that has started knows where to send it.
    """
    has_started = hasattr(kernel, "io_loop")
    return has_started and getattr(kernel, "shell_channel_thread", None) is not None and _is_main_thread()


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


class _Router:
    """Routes the page's messages to a subshell. It replaces the kernel's own receiver of messages.

    It is created on the main thread. Its private methods run on the thread of the shell channel.
    """

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self.queued = QueuedCells(kernel)
        self._routing = False
        self._subshell = ""
        self._controls: set[str] = set()
        self._offered: dict[str, Any] = {}
        """The widget that each client was offered; who lets go of its comm closes it."""
        kernel.shell_channel_thread.io_loop.add_callback(self._begin)

    @contextmanager
    def routing(self) -> Iterator[None]:
        """Route messages to the subshell within this context; contexts may be nested."""
        self._kernel.shell_channel_thread.io_loop.add_callback(self._begin)  # a kernel that starts has replaced it
        before, self._routing = self._routing, True
        try:
            yield
        finally:
            self._routing = before

    def offer_a_widget(self, client: str) -> None:
        if client not in self._offered:
            from comm import create_comm

            state = {"state": LAYOUT, "buffer_paths": []}
            self._offered[client] = offered = create_comm(target_name=WIDGET, data=state, metadata={"version": "2.1.0"})
            _ours.add(offered)

    def _begin(self) -> None:
        # ipykernel has no hook for this. Our receiver replaces its own, shell_channel_thread_main, and then calls it.
        self._kernel.shell_stream.on_recv(self._receive, copy=False)

    async def _receive(self, frames: list[Any]) -> None:
        with suppress(Exception):  # the message then waits for the end of the cell, as it would without us
            frames = self._readdress(frames)
        if frames:
            await self._kernel.shell_channel_thread_main(frames)

    def _readdress(self, frames: list[Any]) -> list[Any]:
        """Return the frames of a message, addressed to our subshell if it concerns us. Note the requests of cells.

        A refusal is noted too, and is for nobody else: another page of the kernel may have accepted the widget.
        """
        import zmq

        session = self._kernel.session
        identities, parts = session.feed_identities(frames, copy=False)
        message = session.deserialize(parts, content=False, copy=False)
        if message["header"]["msg_type"] == "comm_close" and self._is_ours(session.unpack(message["content"])):
            _refusing.add(message["header"]["session"])
            return []
        if message["header"].get("subshell_id"):
            return frames
        if message["header"]["msg_type"] == "execute_request" and "cellId" in message["metadata"]:
            self.queued.add(message["header"])
        message["content"] = session.unpack(message["content"])
        if not self._routing or not self._concerns_us(message):
            return frames
        message["header"]["subshell_id"] = self._own_subshell()
        return [*map(zmq.Frame, session.serialize(message, identities)), *message["buffers"]]

    def _own_subshell(self) -> str:
        """Return the id of our subshell, created at first use, or again if somebody has deleted it."""
        manager = self._kernel.shell_channel_thread.manager
        if self._subshell not in manager.list_subshell():
            self._subshell = manager._create_subshell()  # noqa: SLF001
        return self._subshell

    def _is_ours(self, content: dict[str, Any]) -> bool:
        return self._kernel.comm_manager.comms.get(content["comm_id"]) in _ours

    def _concerns_us(self, message: dict[str, Any]) -> bool:
        content = message["content"]
        match message["header"]["msg_type"]:
            case "kernel_info_request" | "comm_info_request":  # sent first by a page that loads
                return True
            case "comm_open" if content["target_name"] == CONTROL:
                self._controls.add(content["comm_id"])
                return True
            case "comm_msg" | "comm_close":
                # A page that is reloaded during a cell asks every widget for its state, the user's own ones included.
                ours = content["comm_id"] in self._controls or self._is_ours(content)
                return ours or content["data"].get("method") == "request_state"
        return False


_router = cache(_Router)
