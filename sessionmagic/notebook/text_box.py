"""A line of text on the page, and what the Enter key does in it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.attention import answer_at_once

if TYPE_CHECKING:
    from collections.abc import Callable

SETTLE_SECONDS = 0.3
"""A page says at once that Enter was pressed, but sends what was typed one message after the other."""


def text_box(placeholder: str, width: str, entered: Callable[[str], object]) -> Any:
    """Return a box whose text is `value`; when Enter is pressed, a text goes to `entered`, on a thread of its own."""
    from ipywidgets import Layout, Text

    box = Text(placeholder=placeholder, layout=Layout(flex=f"1 1 {width}", max_width="40em"))

    def hand_over() -> None:
        if box.value.strip():
            entered(box.value)

    def heard(_: object, content: dict[str, Any], __: object) -> None:
        if content.get("event") == "submit":
            threading.Timer(SETTLE_SECONDS, hand_over).start()

    box.on_msg(heard)
    answer_at_once(box)
    return box
