"""The place under a cell where a comparison is shown: columns of widgets, or text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sessionmagic.notebook.surface import surface_of
from sessionmagic.notebook.view import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.conversation.column import Column
    from sessionmagic.notebook.compared import Voting
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.notebook.controls import Controls
    from sessionmagic.notebook.output import Output


class RunView(View, Protocol):
    """The view of one run."""

    html: str
    """The answer as HTML, if it was rendered when it had ended."""


class Area(Protocol):
    """A place under the cell where a comparison is shown. All methods are called on the loop thread."""

    has_buttons: bool
    """Whether a user can click there."""

    def view(self, column: Column, controls: Controls) -> RunView:
        """Return the view of one run."""

    def wait(self, line: str) -> None:
        """Show a line before there are views."""

    def discard(self, why: str) -> None:
        """Show that there will be no views, and why, if the cell does not say it."""

    def open(self) -> None:
        """Show the views."""

    def say(self, line: str) -> None:
        """Show a line above the views."""

    def finish(self, output: Output, voting: Voting | None) -> None:
        """Show the finished comparison, with buttons to vote if `voting` is given."""


def area_for(context: NotebookContext, note: str, stop: Callable[[], object]) -> Area:
    """Return the place for a comparison under the running cell.

    Args:
        context: The kernel's context.
        note: A line above the answers; empty for none.
        stop: Stops all runs.
    """
    if surface_of(context) == "widgets":
        from sessionmagic.notebook.page.columns import ColumnsArea

        return ColumnsArea(note, stop, context.tools.displays)
    from sessionmagic.notebook.terminal.columns import PlainArea

    return PlainArea(reports=context.front_end.kernel is None)
