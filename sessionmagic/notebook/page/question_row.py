"""A server's question on the page, with the form that answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.forms import fields_of, filled_in
from sessionmagic.notebook.page.answer import MUTED, NO_MATH, question_html, warning_html
from sessionmagic.notebook.page.attention import answer_at_once
from sessionmagic.notebook.page.in_view import asking
from sessionmagic.notebook.page.pieces import button, column, forget, page, row
from sessionmagic.notebook.page.wide import framed
from sessionmagic.notebook.visible import escape, visible

if TYPE_CHECKING:
    from sessionmagic.conversation.transcript import QuestionBlock
    from sessionmagic.notebook.controls import Controls
    from sessionmagic.notebook.forms import Field

LABEL = "line-height: 1.4; margin-top: 0.5em"
ROWS = 6
"""Choices that are visible at once in a list of which several can be picked."""


class QuestionRow:
    """A question on the page, with its form while it is open."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._page = page("")
        self.box = column(self._page)

    def show(self, block: QuestionBlock) -> int:
        """Show the question as it is now; return roughly how many bytes were sent to the page."""
        self._page.value = html = question_html(block)
        asks = block.action is None and self._controls.asks_on_page
        answered = self.box.children[1:]
        self.box.children = (self._page, self._form(block)) if asks else (self._page,)
        forget(answered)
        return len(html)

    def _form(self, block: QuestionBlock) -> Any:
        decline = button("Decline", lambda: self._controls.reply(block.question_id, "decline", None))
        try:
            fields = fields_of(block.schema)
        except UsageError as error:
            return asking(block.question_id, [page(warning_html(str(error))), row(decline)])
        inputs = {field.name: _input(field) for field in fields}
        trouble = page("")

        def accept() -> None:
            try:
                content = filled_in(fields, lambda field: _value(field, inputs[field.name]))
                self._controls.reply(block.question_id, "accept", content)
            except UsageError as error:
                trouble.value = warning_html(str(error))

        rows = [part for field in fields for part in (_label(field), inputs[field.name])]
        buttons = row(button("Answer", accept, button_style="primary"), decline)
        return asking(block.question_id, [*rows, trouble, buttons])


def _label(field: Field) -> Any:
    """Return a field's label as a separate widget; an input's own label would typeset formulas and cut long texts."""
    from ipywidgets import HTML

    hints = [field.hint, "hold Ctrl or ⌘ to pick several" if field.several else ""]
    hint = " · ".join(part for part in hints if part)
    star = " *" if field.required else ""
    words = f'{escape(field.label)}{star} <small style="{MUTED}">{escape(hint)}</small>'
    return HTML(framed(f'<div {NO_MATH} style="{LABEL}">{words}</div>'))


def _input(field: Field) -> Any:
    """Return the widget that takes a field's value. The value of a choice is its place."""
    from ipywidgets import Checkbox, Dropdown, Layout, SelectMultiple, Text

    about = {"tooltip": field.label, "layout": Layout(width="auto", max_width="40em")}
    options = [(choice.title, place) for place, choice in enumerate(field.choices)]
    made: Any
    if field.several:
        made = SelectMultiple(options=options, value=field.preselected, rows=min(len(options), ROWS), **about)
    elif field.choices:
        made = Dropdown(options=[("", None), *options], value=next(iter(field.preselected), None), **about)
    elif field.kind == "boolean":
        made = Checkbox(description="yes", value=field.default is True, indent=False, **about)
    else:
        made = Text(value=visible(field.prefilled), **about)
    answer_at_once(made)
    return made


def _value(field: Field, widget: Any) -> Any:
    """Return the value in a field's widget; raises `UsageError` if it is not valid."""
    if field.several:
        return field.picked(widget.value)
    if field.choices:
        return field.picked(() if widget.value is None else (widget.value,))
    return widget.value if field.kind == "boolean" else field.value(widget.value)
