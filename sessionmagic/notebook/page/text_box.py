"""A line of text on the page, and what the Enter key does in it."""

from __future__ import annotations

import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.page.attention import answer_at_once

if TYPE_CHECKING:
    from collections.abc import Callable

SETTLE_SECONDS = 0.15
"""A page says at once that Enter was pressed, but sends what was typed before it one message after the other."""


def text_box(placeholder: str, width: str, entered: Callable[[str], object]) -> Any:
    """Return a box whose text is `value`; when Enter is pressed, a text goes to `entered`, on a thread of its own."""
    from ipywidgets import Layout, Text

    box = Text(placeholder=placeholder, layout=Layout(flex=f"1 1 {width}", max_width="40em"))
    enter = _Enter(box, entered)
    box.on_msg(enter.pressed)
    box.observe(enter.typed, "value")
    answer_at_once(box)
    return box


class _Enter:
    """Waits, once Enter was pressed, until no more comes of what was typed."""

    def __init__(self, box: Any, entered: Callable[[str], object]) -> None:
        self._box = box
        self._entered = entered
        self._timer: threading.Timer | None = None

    def pressed(self, _box: object, content: dict[str, Any], _buffers: object) -> None:
        if content.get("event") == "submit" and self._box.value.strip():
            self._wait()

    def typed(self, _change: object) -> None:
        if self._timer is not None:
            self._wait()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # in this context, as ipykernel 7.0 can send nothing to the page without one
        self._timer = threading.Timer(SETTLE_SECONDS, copy_context().run, [self._hand_over])
        self._timer.daemon = True
        self._timer.start()

    def _hand_over(self) -> None:
        self._timer = None
        if self._box.value.strip():
            self._entered(self._box.value)
