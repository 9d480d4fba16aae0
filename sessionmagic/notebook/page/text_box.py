"""A text box of one line that reacts to the Enter key."""

from __future__ import annotations

import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.page.attention import answer_at_once

if TYPE_CHECKING:
    from collections.abc import Callable

SETTLE_SECONDS = 0.15
"""How long to wait after Enter for text typed before it, because the page may send that text later."""


def text_box(placeholder: str, width: str, entered: Callable[[str], object]) -> Any:
    """Return a text box that calls `entered` with its text when Enter is pressed, unless the text is empty.

    The call is made on a new thread.
    """
    from ipywidgets import Layout, Text

    box = Text(placeholder=placeholder, layout=Layout(flex=f"1 1 {width}", min_width="0", max_width="40em"))
    enter = _Enter(box, entered)
    box.on_msg(enter.pressed)
    box.observe(enter.changed, "value")
    answer_at_once(box)
    return box


class _Enter:
    """Waits after Enter until the whole text has arrived, then hands it over."""

    def __init__(self, box: Any, entered: Callable[[str], object]) -> None:
        self._box = box
        self._entered = entered
        self._timer: threading.Timer | None = None

    def pressed(self, _box: object, content: dict[str, Any], _buffers: object) -> None:
        if content.get("event") == "submit" and self._box.value.strip():
            self._wait()

    def changed(self, _change: object) -> None:
        if self._timer is not None:
            self._wait()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # ipykernel 7.0 finds the cell to send output to in the context, which a new thread does not have.
        self._timer = threading.Timer(SETTLE_SECONDS, copy_context().run, [self._hand_over])
        self._timer.daemon = True
        self._timer.start()

    def _hand_over(self) -> None:
        self._timer = None
        if self._box.value.strip():
            self._entered(self._box.value)
