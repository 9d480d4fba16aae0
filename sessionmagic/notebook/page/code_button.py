"""The button that puts the code of a running answer into a new cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.page.pieces import button

if TYPE_CHECKING:
    from sessionmagic.notebook.controls import Controls

FENCE = "```"
"""What an answer with code has. Whether it is Python is seen when the turn has ended."""
TOOLTIP = "Put the Python code of this answer into a new cell when the turn has ended; it is not run"


def code_button(controls: Controls) -> Any:
    """Return a button that can be clicked once. A page adds the cell when the turn has ended, and not before."""

    def take() -> None:
        controls.take_code()
        made.disabled, made.description = True, "Code comes below"

    made = button("Code to new cell", take, tooltip=TOOLTIP)
    return made
