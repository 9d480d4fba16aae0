"""The head of a running turn: its status line and its buttons, which stay in sight on a long answer."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.page import large
from sessionmagic.notebook.page.attention import answer_at_once
from sessionmagic.notebook.page.code_button import code_button
from sessionmagic.notebook.page.in_view import HEAD, STYLE
from sessionmagic.notebook.page.pieces import button, forget, row

if TYPE_CHECKING:
    from sessionmagic.notebook.controls import Controls


class Head:
    """A row with the status line, a button that stops the turn, and others when they can be used.

    Args:
        controls: Called by the buttons.
        status: The status line as HTML.
    """

    def __init__(self, controls: Controls, status: str) -> None:
        from ipywidgets import HTML, Button, HBox, Layout

        self._controls = controls
        self._style = HTML(STYLE, layout={"display": "none"})
        self._status = HTML(status, layout=Layout(flex="1 1 12em", min_width="0", display="block"))
        self._code: Any = None
        """The button for code, once the answer has some."""
        self._asks_again = AsksAgain(controls)
        self._button = Button(
            description="Stop",
            icon="stop",
            tooltip="Stop the turn and keep what was said",
            layout=Layout(width="auto"),
        )
        self._stop = lambda _: controls.stop()
        self._button.on_click(self._stop)
        answer_at_once(self._button)
        self.box = HBox(layout=Layout(flex_flow="row wrap"), _dom_classes=(HEAD,))
        self._arrange()

    def enlarge(self) -> None:
        """Show the area that the head belongs to in large type."""
        self._style.value = STYLE + large.STYLE

    def show(self, status: str) -> None:
        """Show this status line."""
        self._status.value = status

    def update(self) -> None:
        """Show the button that takes back that everything was approved, while that holds."""
        self._asks_again.update()

    def add_code_button(self) -> None:
        """Add the button that puts the code of the answer into a new cell, once."""
        if self._code is None:
            self._code = code_button(self._controls)
            self._arrange()

    @cached_property
    def again(self) -> Any:
        """A row with the same button for stopping, for an area that is farther down on the page."""
        again = row(self._button, justify_content="flex-end")
        again.add_class(HEAD)
        return again

    def end(self) -> None:
        """Let a click on the button for stopping do nothing any more."""
        self._button.on_click(self._stop, remove=True)

    def _arrange(self) -> None:
        code = () if self._code is None else (self._code,)
        self.box.children = (self._style, self._status, *code, self._asks_again.box, self._button)


class AsksAgain:
    """A button that takes back that everything was approved in a turn's session, which is there while that holds."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self.box = row(flex="0 0 auto")

    def update(self) -> None:
        """Add the button or remove it."""
        if self._controls.everything_approved and not self.box.children:
            tooltip = "Ask before calls again, as before everything was approved"
            self.box.children = (button("Ask again", self._controls.ask_again, tooltip=tooltip),)
        elif not self._controls.everything_approved and self.box.children:
            gone = self.box.children
            self.box.children = ()
            forget(gone)
