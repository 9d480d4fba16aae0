"""A text box under a running turn, which sends messages to its model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.conversation.transcript import MessageBlock
from sessionmagic.exceptions import SessionMagicError
from sessionmagic.notebook.page.answer import MUTED, NO_MATH, warning_html
from sessionmagic.notebook.page.pieces import button, column, page, row
from sessionmagic.notebook.page.text_box import text_box

if TYPE_CHECKING:
    from sessionmagic.conversation.transcript import Transcript
    from sessionmagic.notebook.controls import Controls

WAITS = f'<small {NO_MATH} style="{MUTED}">the model reads it before its next step</small>'


class SteeringBox:
    """A text box that steers the turn. Text that cannot be sent stays in the box."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._text = text_box("tell the model something before its next step", "auto", self._tell)
        tell = button("Tell", lambda: self._tell(self._text.value), tooltip="The model reads it before its next step")
        self._note = page("")
        self._told = 0
        """How many messages the model has read so far."""
        self.box = column(row(self._text, tell), self._note)

    def update(self, transcript: Transcript) -> None:
        """Remove the note about a waiting message once the model has read one."""
        told = sum(isinstance(block, MessageBlock) for block in transcript.blocks)
        if told > self._told:
            self._told, self._note.value = told, ""

    def _tell(self, text: str) -> None:
        if not text.strip():
            return
        self._note.value = WAITS
        try:
            self._controls.steer(text)
        except SessionMagicError as error:
            self._note.value = warning_html(str(error))
        else:
            self._text.value = self._text.value.removeprefix(text)  # the user may have typed more meanwhile
