"""A text box under a running turn, which sends messages to its model, and the choice of the next turns' model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.conversation.transcript import MessageBlock, Transcript
from sessionmagic.exceptions import SessionMagicError
from sessionmagic.notebook.activity import when_read
from sessionmagic.notebook.page.answer import note_html, warning_html
from sessionmagic.notebook.page.model_picker import model_picker
from sessionmagic.notebook.page.pieces import button, column, page, row
from sessionmagic.notebook.page.text_box import text_box

if TYPE_CHECKING:
    from sessionmagic.notebook.controls import Controls

NEXT = "Choose the model of the next turns; the running one keeps its model"


class SteeringBox:
    """A text box that steers the turn. Text that cannot be sent stays in the box.

    A button beside it lets the user choose the model of the next turns. What that needs is made when it is clicked.
    """

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._text = text_box("tell the model something before its next step", "auto", self._tell)
        tell = button("Tell", lambda: self._tell(self._text.value), tooltip="The model reads it before its next step")
        self._models = button("Model …", self._choose_model, tooltip=NEXT)
        self._note = page("")
        self._transcript = Transcript()
        """The turn as it was shown last."""
        self._told = 0
        """How many messages the model has read so far."""
        self.box = column(row(self._text, tell, self._models), self._note)

    def update(self, transcript: Transcript) -> None:
        """Remove the note about a waiting message once the model has read one."""
        self._transcript = transcript
        told = sum(isinstance(block, MessageBlock) for block in transcript.blocks)
        if told > self._told:
            self._told, self._note.value = told, ""

    def _choose_model(self) -> None:
        try:
            picker = model_picker(self._controls.model_choice())
        except SessionMagicError as error:
            self._note.value = warning_html(str(error))
        else:
            self._models.disabled = True
            self.box.children = (*self.box.children, picker)

    def _tell(self, text: str) -> None:
        if not text.strip():
            return
        self._note.value = note_html(when_read(self._transcript))
        try:
            self._controls.steer(text)
        except SessionMagicError as error:
            self._note.value = warning_html(str(error))
        else:
            self._text.value = self._text.value.removeprefix(text)  # the user may have typed more meanwhile
