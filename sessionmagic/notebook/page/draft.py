"""The part of a turn that the notebook keeps if the kernel ends before the turn does."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from IPython.display import display

from sessionmagic.conversation.transcript import ToolBlock
from sessionmagic.notebook.captions import answer_text
from sessionmagic.notebook.page.answer import answer_html
from sessionmagic.notebook.static import NOTHING

if TYPE_CHECKING:
    from sessionmagic.conversation.transcript import Transcript

PAUSE_SECONDS = 2.0
"""Minimum pause between two drafts."""
BYTES_PER_SECOND = 20_000
"""Maximum average rate of drafts, each of which repeats the whole turn."""
NOTE = "not finished when this was saved; %agent show {} shows how it ended"


class Draft:
    """The turn so far as static output below its widgets, because a notebook cannot save the widgets.

    The widgets contain a style that hides the draft, so it is visible only in a notebook without them.

    Args:
        wanted: Whether drafts are shown at all.
    """

    def __init__(self, *, wanted: bool = True) -> None:
        self._wanted = wanted
        self._mark = f"sessionmagic-{uuid.uuid4().hex}"
        self.hidden = f"<style>.{self._mark} {{ display: none }}</style>"
        """HTML that hides the draft, wherever on the page it is."""
        self._handle: Any = None
        self._shown = (0, False)
        """How many calls had returned at the last draft, and whether the turn waited for the user."""
        self._due = 0.0
        """When the next draft may be sent, on the monotonic clock."""

    def update(self, transcript: Transcript) -> int:
        """Show a new draft if a tool has returned or the turn waits for the user; return roughly how many bytes it has.

        A question is drafted without a pause, because the turn may wait for its answer for a long time.
        """
        returned = sum(isinstance(block, ToolBlock) and block.outcome is not None for block in transcript.blocks)
        step = (returned, transcript.waits_for_an_answer)
        urgent = transcript.waits_for_an_answer and not self._shown[1]
        if not self._wanted or step == self._shown or (time.monotonic() < self._due and not urgent):
            return 0
        note = NOTE.format(transcript.session)
        noted = replace(transcript, warnings=(*transcript.warnings, note))
        html = f'<div class="{self._mark}">{answer_html(noted)}</div>'
        self._put({"text/html": html, "text/plain": f"{answer_text(transcript)}\n\n[{note}]"})
        self._shown = step
        self._due = time.monotonic() + max(PAUSE_SECONDS, len(html) / BYTES_PER_SECOND)
        return len(html)

    def discard(self) -> None:
        """Remove the draft: the turn has ended."""
        if self._handle is not None:
            self._handle.update(NOTHING, raw=True)

    def _put(self, output: dict[str, str]) -> None:
        if self._handle is None:
            self._handle = display(output, raw=True, display_id=True)
        else:
            self._handle.update(output, raw=True)
