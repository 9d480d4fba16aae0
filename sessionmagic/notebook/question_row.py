"""A server's question on the page, and the form that answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.answer import question_html, warning_html
from sessionmagic.notebook.attention import answer_at_once
from sessionmagic.notebook.forms import fields_of, filled_in
from sessionmagic.notebook.page import page
from sessionmagic.notebook.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.notebook.forms import Field
    from sessionmagic.notebook.view import Controls
    from sessionmagic.transcript import QuestionBlock


class QuestionRow:
    """A question on the page, with its form while it is open."""

    def __init__(self, controls: Controls) -> None:
        from ipywidgets import VBox

        self._controls = controls
        self._page = page("")
        self.box = VBox([self._page])

    def show(self, block: QuestionBlock) -> int:
        """Show the question as it is now."""
        self._page.value = html = question_html(block)
        asks = block.action is None and self._controls.asks_on_page
        self.box.children = (self._page, self._form(block)) if asks else (self._page,)
        return len(html)

    def _form(self, block: QuestionBlock) -> Any:
        from ipywidgets import Button, HBox, Layout, VBox

        fields = fields_of(block.schema)
        inputs = {field.name: _input(field) for field in fields}
        trouble = page("")

        def accept(_: object) -> None:
            try:
                self._controls.reply(
                    block.question_id, "accept", filled_in(fields, {n: _typed(w) for n, w in inputs.items()})
                )
            except UsageError as error:
                trouble.value = warning_html(str(error))

        def button(words: str, style: str, clicked: Callable[[object], object]) -> Any:
            made = Button(description=words, button_style=style, layout=Layout(width="auto"))
            made.on_click(clicked)
            answer_at_once(made)
            return made

        buttons = [
            button("Answer", "primary", accept),
            button("Decline", "", lambda _: self._controls.reply(block.question_id, "decline", None)),
        ]
        return VBox([*inputs.values(), HBox(buttons), trouble])


def _input(field: Field) -> Any:
    from ipywidgets import Checkbox, Dropdown, Layout, Text

    label = visible(field.label) + (" *" if field.required else "")
    about = {"description": label, "style": {"description_width": "initial"}, "layout": Layout(width="32em")}
    made: Any
    if field.choices:
        options = [("", ""), *((visible(choice), choice) for choice in field.choices)]
        made = Dropdown(options=options, value=field.default if field.default in field.choices else "", **about)
    elif field.kind == "boolean":
        made = Checkbox(value=field.default is True, **about)
    else:
        shown = "" if field.default is None else visible(str(field.default))
        made = Text(value=shown, placeholder=visible(field.hint), **about)
    answer_at_once(made)
    return made


def _typed(widget: Any) -> str:
    return str(widget.value)
