"""Where a turn of the running cell is shown, and where the user answers its questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.notebook.visible import visible
from sessionmagic.turns.turn import current_turn

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from sessionmagic.notebook.asker import Asks
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.notebook.controls import Controls
    from sessionmagic.notebook.page.slots import Slots
    from sessionmagic.notebook.terminal.markdown import MarkdownTerminal
    from sessionmagic.notebook.view import Rate, View


def run_by_a_tool() -> bool:
    """Return whether a tool runs the cell, so that nobody can see its widgets or answer its questions."""
    return current_turn.get(None) is not None


def view_for(context: NotebookContext, options: argparse.Namespace, controls: Controls, *, background: bool) -> View:
    """Return a new view for a turn of the running cell. Its buttons call `controls`."""
    from sessionmagic.notebook.page.static import StaticView
    from sessionmagic.notebook.view import GuardedView

    known = options.session or ("" if options.new or context.active_session else context.settings.session)
    late = is_under_any_cell(context, background=background)
    displays, slots, large = context.tools.displays, slots_of(context, late=late), context.settings.presentation
    view: View
    match surface_of(context):
        case "text":
            view = _text_view(context, known, options.model, background=background)
        case "static":
            view = StaticView(displays)
        case "display":
            from sessionmagic.notebook.page.display import DisplayView

            view = DisplayView(known, options.model, displays, slots, whole=late, large=large)
        case _:
            from sessionmagic.notebook.page.draft import Draft
            from sessionmagic.notebook.page.widgets import WidgetView

            draft = Draft(wanted=not late)
            area = WidgetView(known, options.model, controls, displays, draft, slots=slots)
            if large:
                area.enlarge()
            view = area
    return GuardedView(view)


def rate_of(context: NotebookContext, shares: int = 1) -> Rate:
    """Return how often a view of the running cell is updated.

    Args:
        context: The kernel's context.
        shares: How many turns are shown at the same time under the cell.
    """
    from sessionmagic.notebook.view import Rate

    hz = context.settings.refresh_hz
    if surface_of(context) == "display":
        from sessionmagic.notebook.page.segments import MOST_HZ

        hz = min(hz, MOST_HZ)
    return Rate(hz, shares)


def _text_view(context: NotebookContext, session: str, model: str, *, background: bool) -> View:
    """Return a view in text, which is rendered Markdown where a terminal shows it."""
    from sessionmagic.notebook.page.growing import cut_code, finished_blocks, items_length
    from sessionmagic.notebook.page.static import StaticView
    from sessionmagic.notebook.terminal.markdown import MarkdownWriter
    from sessionmagic.notebook.terminal.view import TextView
    from sessionmagic.notebook.terminal.writers import Characters

    render = StaticView(context.tools.displays).rendered if context.front_end.clears else None
    terminal = _markdown_terminal(context)
    writer = MarkdownWriter(terminal, finished_blocks, items_length, cut_code) if terminal is not None else Characters()
    view = TextView(context.tools.displays, render, writer, session=session, model=model)
    if background:
        view.release()
    return view


def _markdown_terminal(context: NotebookContext) -> MarkdownTerminal | None:
    """Return the terminal of the running cell if it shows Markdown; None if not, or if the user wants plain text."""
    from sessionmagic.notebook.terminal.markdown import markdown_terminal

    wanted = context.front_end.in_terminal and context.settings.view == "auto" and not run_by_a_tool()
    return markdown_terminal() if wanted else None


def prose_of(context: NotebookContext) -> Callable[[str], str]:
    """Return what makes hostile Markdown safe to print: rendered where a terminal shows it, else as it is."""
    terminal = _markdown_terminal(context)
    return visible if terminal is None else lambda text: "\n".join(terminal.lines(text, terminal.width))


def is_under_any_cell(context: NotebookContext, *, background: bool) -> bool:
    """Return whether new outputs of a turn come under another cell: ipykernel 6 adds them to the one that ran last."""
    return background and not context.front_end.clicks_arrive


def slots_of(context: NotebookContext, *, late: bool = False) -> Slots:
    """Return where the running cell shows outputs that change.

    Args:
        context: The kernel's context.
        late: Whether what is shown after the cell has ended comes under another cell, which must not be cleared.
    """
    from sessionmagic.notebook.page.large import enlarged
    from sessionmagic.notebook.page.slots import Slots, as_it_is

    clears = context.front_end.clears and not late
    dress = enlarged if context.settings.presentation else as_it_is
    return Slots(context.front_end.kind.changes if clears else "in place", clears=clears, dress=dress)


def asks_of(context: NotebookContext, *, background: bool) -> Asks:
    """Return where the user answers the turn's questions: on the page if clicks are wanted and arrive in time."""
    front_end, approval = context.front_end, context.settings.approval
    on_page = surface_of(context) == "widgets"
    if background:
        return "page" if on_page else "command"
    wanted = approval == "buttons" or (approval == "auto" and front_end.kind.asks == "page")
    if on_page and wanted and front_end.clicks_arrive:
        return "page"
    return "stdin" if front_end.kind.live else "prompt"


_SHOWN = {
    "widgets": "with widgets, live",
    "display": "without widgets, live",
    "text": "as text, live",
    "static": "when they have ended",
}
_ASKED = {
    "page": "with buttons under the cell",
    "stdin": "at an input prompt",
    "prompt": "at an input prompt, which has all that is asked",
}


def described(context: NotebookContext) -> list[str]:
    """Return in words which front end was recognized, by what, and what follows from it."""
    kind = context.front_end.kind
    nowhere = f"nowhere: nobody can answer{'; ' + kind.remedy if kind.remedy else ''}"
    asked = nowhere if kind.asks == "nobody" else _ASKED[asks_of(context, background=False)]
    return [
        f"front end: {kind.name}, because {kind.known_by}",
        f"turns are shown {_SHOWN[surface_of(context) if kind.live else 'static']}; approvals are asked {asked}",
    ]


def surface_of(context: NotebookContext) -> str:
    """Return how the running cell shows its turn: ``"widgets"``, ``"display"``, ``"text"`` or ``"static"``."""
    wanted = context.settings.view
    surface = context.front_end.kind.view if wanted == "auto" else wanted
    return "static" if surface in {"widgets", "display"} and run_by_a_tool() else surface
