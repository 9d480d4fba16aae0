"""A list on the page from which the user chooses the model of a session's next turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import SessionMagicError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page.answer import note_html, warning_html
from sessionmagic.notebook.page.attention import answer_at_once
from sessionmagic.notebook.page.draft import DEAD_WIDGETS
from sessionmagic.notebook.page.pieces import column, page
from sessionmagic.notebook.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.notebook.controls import ModelChoice

MARK = "sessionmagic-model"
ELSEWHERE = "%agent model REFERENCE sets another one, and %agent models lists them"
"""Shown by front ends without widgets, and in place of the list in a saved notebook."""


def show_picker(choice: ModelChoice, line: str) -> None:
    """Show a list to choose a session's model from, and below it the model in a line, which stays in the notebook."""
    picker = model_picker(choice, lambda text: handle.update(dict(_line_output(text).data), raw=True))
    Output(picker._repr_mimebundle_() | {"text/plain": ELSEWHERE}).display()
    handle = _line_output(line).display(with_id=True)


def model_picker(choice: ModelChoice, chosen: Callable[[str], object] | None = None) -> Any:
    """Return a list to choose a model from, and a line below it that says what was set, or why it was not.

    Args:
        choice: What can be chosen, and how it is set.
        chosen: Shows what was set, in words; None to show it below the list.
    """
    from ipywidgets import Dropdown, Layout

    labels, current = choice.offered()
    look = {"layout": Layout(width="max-content", max_width="100%"), "style": {"description_width": "initial"}}
    models = Dropdown(options=labels, value=current, description="Model", **look)
    note = page("")

    def choose(change: dict[str, Any]) -> None:
        nonlocal current
        if change["new"] == current:  # taken back after an error
            return
        try:
            text = choice.choose(change["new"])
        except SessionMagicError as error:
            note.value = warning_html(str(error))
            models.value = current
        else:
            current = change["new"]
            note.value = note_html(*text.splitlines()) if chosen is None else ""
            if chosen is not None:
                chosen(text)

    models.observe(choose, "value")
    answer_at_once(models)
    return column(models, note)


def _line_output(text: str) -> Output:
    """Return the line of a model, above which a dead list is not shown."""
    shown = visible(without_keys(text))
    html = f'{DEAD_WIDGETS.format(MARK)}<div class="{MARK}">{note_html(*shown.splitlines())}</div>'
    return Output({"text/html": html, "text/plain": shown})
