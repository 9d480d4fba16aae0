"""What the notebook keeps of a turn, or of a comparison, if the kernel ends before it does."""

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
    from collections.abc import Callable, Sequence

    from sessionmagic.conversation.events import TurnStatus
    from sessionmagic.conversation.transcript import Block, Transcript

    Contents = Callable[[Sequence[Transcript]], tuple[str, str]]
    """Returns turns that are not finished as HTML and as text."""

PAUSE_SECONDS = 2.0
"""Minimum pause between two drafts."""
TEXT_SECONDS = 5.0
"""Minimum pause before a draft that has nothing new but text."""
BYTES_PER_SECOND = 20_000
"""Maximum average rate of drafts, each of which repeats all that was said."""
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


def unfinished_turn(transcripts: Sequence[Transcript]) -> tuple[str, str]:
    """Return a turn as HTML and as text, with a note that it is not finished."""
    [transcript] = transcripts
    note = NOTE.format(transcript.session)
    noted = replace(transcript, warnings=(*transcript.warnings, note))
    return answer_html(noted), f"{answer_text(transcript)}\n\n[{note}]"


class Draft:
    """What was said so far as static output below the widgets, because a notebook cannot save the widgets.

    The widgets contain a style that hides the draft, so it is visible only in a notebook without them.

    Args:
        contents: Makes the content of a draft.
        wanted: Whether drafts are shown at all.
    """

    def __init__(self, contents: Contents = unfinished_turn, *, wanted: bool = True) -> None:
        self.wanted = wanted
        self._contents = contents
        self._mark = f"sessionmagic-{uuid.uuid4().hex}"
        self.hidden = f"<style>.{self._mark} {{ display: none }}</style>"
        """HTML that hides the draft, wherever on the page it is."""
        self._dead_widgets = DEAD_WIDGETS.format(self._mark)
        self.output: Output | None = None
        """The latest draft; None before the first."""
        self._step = (0, 0)
        """How many calls had returned at the last draft, and how many turns waited for the user."""
        self._said: list[tuple[tuple[Block, ...], TurnStatus]] | None = None
        """The blocks and the status of each turn in the last draft."""
        self._due = 0.0
        """When the next draft may be sent, on the monotonic clock."""
        self._text_due = time.monotonic() + TEXT_SECONDS
        """When the next draft may be sent that has nothing new but text."""

    def update(self, *transcripts: Transcript, at_once: bool = False) -> int:
        """Make a new draft if it is time for one; return roughly how many bytes it has.

        That is so when a tool has returned, when a turn waits for the user, and from time to time while text grows.
        The first question is drafted without a pause, because its turn may wait for the answer for a long time.

        Args:
            transcripts: The turns, the same ones each time.
            at_once: Whether to make it without a pause, if there is anything new.
        """
        blocks = [block for transcript in transcripts for block in transcript.blocks]
        returned = sum(isinstance(block, ToolBlock) and block.outcome is not None for block in blocks)
        step = (returned, sum(transcript.waits_for_an_answer for transcript in transcripts))
        said = [(transcript.blocks, transcript.status) for transcript in transcripts]
        due = said != self._said if at_once else self._is_due(step, said)
        if not (self.wanted and due and any(transcript.turn_id for transcript in transcripts)):
            return 0
        content, text = self._contents(transcripts)
        html = f'<div class="{self._mark}">{self._dead_widgets}{content}</div>'
        self.output = Output({"text/html": html, "text/plain": text})
        self._step, self._said = step, said
        now = time.monotonic()
        self._due = now + max(PAUSE_SECONDS, len(html) / BYTES_PER_SECOND)
        self._text_due = now + max(TEXT_SECONDS, len(html) / TEXT_BYTES_PER_SECOND)
        return len(html)

    def _is_due(self, step: tuple[int, int], said: list[tuple[tuple[Block, ...], TurnStatus]]) -> bool:
        now = time.monotonic()
        if step == self._step:
            return now >= self._text_due and said != self._said
        _, waits = step
        return now >= self._due or (waits > 0 and self._step[1] == 0)
