"""A list on the page from which the user chooses the model of a session's next turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import SessionMagicError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page.answer import note_html, warning_html
from sessionmagic.notebook.page.attention import answer_at_once
from sessionmagic.notebook.page.pieces import column, page
from sessionmagic.notebook.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.notebook.controls import ModelChoice

LINE, PICKER = "sessionmagic-model", "sessionmagic-picker"
HIDES_A_DEAD_ONE = f"""<style>
.jp-OutputArea-child:has(.{LINE}) + .jp-OutputArea-child:has(.jupyter-widgets):not(:has(.{PICKER})) {{ display: none }}
</style>"""
"""Hides what a page shows in place of the list if its kernel has ended, as in a notebook that was saved."""
ELSEWHERE = "%agent model REFERENCE sets another one, and %agent models lists them"
"""Shown by front ends without widgets, and in place of the list in a saved notebook."""


def show_picker(choice: ModelChoice, line: str) -> None:
    """Show a session's model as a line, which stays in the notebook, and below it a list to choose another one."""
    handle = _line_output(line).display(with_id=True)
    picker = model_picker(choice, lambda text: handle.update(dict(_line_output(text).data), raw=True))
    Output(picker._repr_mimebundle_() | {"text/plain": ELSEWHERE}).display()


def model_picker(choice: ModelChoice, chosen: Callable[[str], object] = lambda _: None) -> Any:
    """Return a list to choose a model from, and a line below it that says what was set, or why it was not.

    Args:
        choice: What can be chosen, and how it is set.
        chosen: Called with what was set, in words.
    """
    from ipywidgets import Dropdown, Layout

    labels, current = choice.offered()
    layout = Layout(width="max-content", max_width="100%")
    models = Dropdown(options=labels, value=current, description="Model", layout=layout)
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
            note.value = note_html(*text.split("\n"))
            chosen(text)

    models.observe(choose, "value")
    answer_at_once(models)
    picker = column(models, note)
    picker.add_class(PICKER)
    return picker


def _line_output(text: str) -> Output:
    shown = visible(without_keys(text))
    html = f'{HIDES_A_DEAD_ONE}<div class="{LINE}">{note_html(*shown.splitlines())}</div>'
    return Output({"text/html": html, "text/plain": shown})
