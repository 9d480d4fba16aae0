"""The place under a cell where a comparison is shown: columns of widgets or of plain outputs, or text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sessionmagic.notebook.surface import is_under_any_cell, slots_of, surface_of
from sessionmagic.notebook.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessionmagic.conversation.column import Column
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.notebook.controls import Controls
    from sessionmagic.notebook.output import Output


class RunView(View, Protocol):
    """The view of one run."""

    html: str
    """The answer as HTML, if it was rendered when it had ended."""


class Area(Protocol):
    """A place under the cell where a comparison is shown.

    `say` is called in a worker thread, everything else on the loop thread. No two calls overlap.
    """

    has_buttons: bool
    """Whether a user can click there."""

    @property
    def has_draft(self) -> bool:
        """Whether a draft was shown. It cannot be removed, so the line below the answers takes its place."""

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

    def finish(self, output: Output, line: str, vote: Callable[[str], Sequence[str]] | None) -> None:
        """Show the finished comparison.

        Args:
            output: The answers.
            line: A line below them; empty if `output` has it.
            vote: Stores a vote that is given by a button, and returns a line that says so and one that says what to do
                then; None for no buttons.
        """


def area_for(context: NotebookContext, note: str, stop: Callable[[], object], *, background: bool) -> Area:
    """Return the place for a comparison under the running cell.

    Args:
        context: The kernel's context.
        note: A line above the answers; empty for none.
        stop: Stops all runs.
        background: Whether the cell does not wait for the end.
    """
    late, large = is_under_any_cell(context, background=background), context.settings.presentation
    match surface_of(context):
        case "widgets":
            from sessionmagic.notebook.page.columns import ColumnsArea

            slots = slots_of(context, late=late)
            return ColumnsArea(note, stop, context.tools.displays, slots, drafts=not late, large=large)
        case "display":
            from sessionmagic.notebook.page.display_columns import DisplayColumns

            slots = slots_of(context, late=late)
            return DisplayColumns(note, context.tools.displays, slots, whole=late, large=large)
        case _:
            from sessionmagic.notebook.terminal.columns import PlainArea

            front_end = context.front_end.kind
            return PlainArea(reports=front_end.live and front_end.changes == "never")
