"""What a notebook keeps of a turn whose kernel ends before the turn does."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from IPython.display import display

from sessionmagic.notebook.answer import answer_html, answer_text
from sessionmagic.notebook.view import NOTHING
from sessionmagic.transcript import ToolBlock

if TYPE_CHECKING:
    from sessionmagic.transcript import Transcript

PAUSE_SECONDS = 2.0
BYTES_PER_SECOND = 20_000
"""What drafts may send, on the average: each is the whole turn again."""
NOTE = "not finished when this was saved; %agent show {} shows what became of it"


class Draft:
    """The turn so far as static output, which can be saved, below its widgets, which cannot.

    Nobody sees it while the widgets are there: they bring the style that hides it.
    """

    def __init__(self) -> None:
        self._mark = f"sessionmagic-{uuid.uuid4().hex}"
        self.hidden = f"<style>.{self._mark} {{ display: none }}</style>"
        """HTML that hides it, wherever on the page it stands."""
        self._handle: Any = None
        self._shown = (0, False)
        self._due = 0.0

    def update(self, transcript: Transcript) -> None:
        """Write down what has happened, when that is a step: a tool has returned, or the user is waited for."""
        returned = sum(isinstance(block, ToolBlock) and block.outcome is not None for block in transcript.blocks)
        step = (returned, transcript.waits_for_an_answer)
        if step == self._shown or (not transcript.waits_for_an_answer and time.monotonic() < self._due):
            return
        noted = replace(transcript, warnings=(*transcript.warnings, NOTE.format(transcript.session)))
        html = f'<div class="{self._mark}">{answer_html(noted)}</div>'
        self._put({"text/html": html, "text/plain": answer_text(transcript)})
        self._shown = step
        self._due = time.monotonic() + max(PAUSE_SECONDS, len(html) / BYTES_PER_SECOND)

    def discard(self) -> None:
        """Take it away: the turn has ended."""
        if self._handle is not None:
            self._put(NOTHING)

    def _put(self, output: dict[str, str]) -> None:
        if self._handle is None:
            self._handle = display(output, raw=True, display_id=True)
        else:
            self._handle.update(output, raw=True)
