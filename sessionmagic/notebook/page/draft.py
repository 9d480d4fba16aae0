"""The part of a turn that the notebook keeps if the kernel ends before the turn does."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.conversation.transcript import ToolBlock
from sessionmagic.notebook.captions import answer_text
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page.answer import answer_html

if TYPE_CHECKING:
    from sessionmagic.conversation.transcript import Block, Transcript

PAUSE_SECONDS = 2.0
"""Minimum pause between two drafts."""
TEXT_SECONDS = 5.0
"""Minimum pause before a draft that has nothing new but text."""
BYTES_PER_SECOND = 20_000
"""Maximum average rate of drafts, each of which repeats the whole turn."""
TEXT_BYTES_PER_SECOND = 10_000
"""Maximum average rate of drafts that have nothing new but text."""
DEAD_WIDGETS = (
    "<style>.jp-OutputArea-child:has(~ .jp-OutputArea-child .{}) > .jp-OutputArea-output:not(:has(*))"
    " {{ display: none }}</style>"
)
"""HTML that hides an output without any element in it, above the draft in the same cell.

JupyterLab puts the text "Error displaying widget: model not found" in place of a widget whose kernel has ended. Every
other output has an element in it.
"""
NOTE = "not finished when this was saved; %agent show {} shows how it ended"


class Draft:
    """The turn so far as static output below its widgets, because a notebook cannot save the widgets.

    The widgets contain a style that hides the draft, so it is visible only in a notebook without them.

    Args:
        wanted: Whether drafts are shown at all.
    """

    def __init__(self, *, wanted: bool = True) -> None:
        self.wanted = wanted
        self._mark = f"sessionmagic-{uuid.uuid4().hex}"
        self.hidden = f"<style>.{self._mark} {{ display: none }}</style>"
        """HTML that hides the draft, wherever on the page it is."""
        self._dead_widgets = DEAD_WIDGETS.format(self._mark)
        self.output: Output | None = None
        """The latest draft; None before the first."""
        self._step = (0, False)
        """How many calls had returned at the last draft, and whether the turn waited for the user."""
        self._blocks: tuple[Block, ...] | None = None
        """The blocks of the last draft."""
        self._due = 0.0
        """When the next draft may be sent, on the monotonic clock."""
        self._text_due = time.monotonic() + TEXT_SECONDS
        """When the next draft may be sent that has nothing new but text."""

    def update(self, transcript: Transcript) -> int:
        """Make a new draft if it is time for one; return roughly how many bytes it has.

        That is so when a tool has returned, when the turn waits for the user, and from time to time while text grows.
        A question is drafted without a pause, because the turn may wait for its answer for a long time.
        """
        returned = sum(isinstance(block, ToolBlock) and block.outcome is not None for block in transcript.blocks)
        step = (returned, transcript.waits_for_an_answer)
        if not (self.wanted and transcript.turn_id and self._is_due(step, transcript.blocks)):
            return 0
        note = NOTE.format(transcript.session)
        noted = replace(transcript, warnings=(*transcript.warnings, note))
        html = f'{self._dead_widgets}<div class="{self._mark}">{answer_html(noted)}</div>'
        self.output = Output({"text/html": html, "text/plain": f"{answer_text(transcript)}\n\n[{note}]"})
        self._step, self._blocks = step, transcript.blocks
        now = time.monotonic()
        self._due = now + max(PAUSE_SECONDS, len(html) / BYTES_PER_SECOND)
        self._text_due = now + max(TEXT_SECONDS, len(html) / TEXT_BYTES_PER_SECOND)
        return len(html)

    def _is_due(self, step: tuple[int, bool], blocks: tuple[Block, ...]) -> bool:
        now = time.monotonic()
        if step == self._step:
            return now >= self._text_due and blocks != self._blocks
        _, waits = step
        return now >= self._due or (waits and not self._step[1])
