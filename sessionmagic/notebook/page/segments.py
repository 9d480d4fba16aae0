"""A running turn in segments, for pages that show it without widgets, and how much may be sent of them.

What no longer changes is sent once. The rest is sent again, and the less often the larger it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from sessionmagic.conversation.transcript import (
    Block,
    QuestionBlock,
    ReasoningBlock,
    TextBlock,
    ToolBlock,
    Transcript,
    ValueBlock,
)
from sessionmagic.notebook.page.answer import blocks_html, text_html
from sessionmagic.notebook.page.growing import cut_block, finished_blocks
from sessionmagic.notebook.visible import escape
from sessionmagic.words import typed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sessionmagic.notebook.output import Displays, Output

MOST_HZ = 4.0
"""Updates in a second at most, whatever the user wants elsewhere: a page draws an output anew each time."""
PIECE_LENGTH = 800
"""Least length of HTML of an output that is finished."""
PIECES_SHARE = 8
"""An output that is finished has at least this fraction of all before it, so that a long answer has few outputs."""
SENT_TIMES = 3.0
"""How many times the length of the answer is sent in all while it grows."""
NEWS_TIMES = 4.0
"""The same, for what is more than a longer answer, such as the end of one of several answers."""
FIRST_BYTES = 2_000
"""Bytes that may be sent beyond that, and once more for each answer, so that short answers are not held back."""
CODE_LENGTH = 1_000
"""Length at which an unfinished code block is cut after a line."""
BLOCK_LENGTH = 12_000
"""Length at which any other unfinished block is cut, so that no update renders more than that anew."""
STATUS_SECONDS = 5.0
"""Time between two updates in which nothing but the elapsed time has changed."""
QUIET_SECONDS = 10.0
"""Time after the last update in which the page gets another one, whatever was sent before."""
STALLED_SECONDS = 20
"""Time without an update after which the page says that it may get none any more."""
STALLED = (
    "<style>@keyframes sessionmagic-late{{0%,99%{{opacity:0}}}}</style>"
    f'<small style="animation:sessionmagic-late {STALLED_SECONDS}s">nothing new for {STALLED_SECONDS} s; '
    "<code>{}</code> shows more</small>"
)
"""Shows a note when it has been on the page for that time; an update replaces it."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a turn that is not split, such as a Markdown block or a call, and what the call has displayed."""

    html: str = ""
    finished: bool = True
    """Whether it stays as it is."""
    displays: Sequence[Output] = field(default=())


class Segments:
    """Splits a growing turn into segments. Each Markdown block that is finished is read and rendered once.

    Args:
        displays: Returns what the turn's tools have displayed.
    """

    def __init__(self, displays: Displays) -> None:
        self._displays = displays
        self._texts: dict[int, GrowingText] = {}
        """The text of each block of the turn that is text."""

    def of(self, transcript: Transcript) -> Iterator[Segment]:
        """Return the segments of the turn as it is now."""
        displays = dict(self._displays(transcript))
        blocks = [block for block in transcript.blocks if not isinstance(block, ReasoningBlock)]
        for at, block in enumerate(blocks):
            if isinstance(block, TextBlock):
                text = self._texts.setdefault(at, GrowingText())
                yield from text.segments(block.text, ended=at < len(blocks) - 1)
                continue
            shown = displays.pop(block.call_id, ()) if isinstance(block, ToolBlock) and block.outcome else ()
            yield Segment(blocks_html([block]), finished=_is_finished(block), displays=shown)


class GrowingText:
    """A Markdown text that grows. A block that is long is cut, as in the area of widgets."""

    def __init__(self) -> None:
        self._read = ""
        """The text that is in finished segments."""
        self._reopening = ""
        """The lines that reopen the code block or table that the last segment has cut."""
        self._finished: list[Segment] = []

    def segments(self, text: str, *, ended: bool) -> Iterator[Segment]:
        """Return a segment for each finished block of the text, and one for the rest if it may still grow."""
        if not text.startswith(self._read):
            self._read, self._reopening, self._finished = "", "", []
        rest = self._reopening + text[len(self._read) :]
        ends = [*finished_blocks(rest), *([len(rest)] if ended and len(rest) > len(self._reopening) else [])]
        if not ends and len(rest) > CODE_LENGTH:
            length, reopening = cut_block(rest, BLOCK_LENGTH)
            if length > len(self._reopening):
                rest = self._finish(rest, [length], reopening)
        elif ends:
            rest = self._finish(rest, ends)
        yield from self._finished
        if len(rest) > 2 * BLOCK_LENGTH:  # a line without an end, which cannot be cut
            yield Segment(f"<pre>… {escape(rest[-BLOCK_LENGTH:])}</pre>", finished=False)
        elif len(rest) > len(self._reopening):
            yield Segment(text_html(rest), finished=False)

    def _finish(self, rest: str, ends: Sequence[int], reopening: str = "") -> str:
        """Make segments that end at these places; return what is left, after the lines that reopen the cut block."""
        self._finished += [Segment(text_html(rest[begin:end])) for begin, end in pairwise([0, *ends]) if end > begin]
        self._read += rest[len(self._reopening) : ends[-1]]
        self._reopening = reopening
        return reopening + rest[ends[-1] :]


class Allowance:
    """How many bytes may be sent while answers grow."""

    def __init__(self) -> None:
        self._sent = 0

    def allows(self, sending: int, size: int, *, answers: int = 1, news: bool = False) -> bool:
        """Return whether an update may be sent.

        Args:
            sending: How many bytes it has.
            size: How many bytes all that is shown has.
            answers: How many answers grow.
            news: Whether something has changed that is more than a longer answer.
        """
        first = FIRST_BYTES * (1 + answers)
        return self._sent + sending <= (NEWS_TIMES if news else SENT_TIMES) * size + first

    def spend(self, sent: int) -> None:
        """Count bytes that are sent."""
        self._sent += sent


def stalled_html(command: str, session: str) -> str:
    """Return a note that appears when the page gets no further update.

    A page that is loaded again gets none until the turn is shown again, and so does one whose kernel has ended.

    Args:
        command: The command that shows how the session goes on.
        session: The name of the session; empty if it is not known yet, for no note.
    """
    if not session:
        return ""
    return STALLED.format(escape(f"{command} {typed(session)}"))


def piece_length(before: int) -> int:
    """Return how long an output has to be before it is finished, when so much is above it."""
    return max(PIECE_LENGTH, before // PIECES_SHARE)


def _is_finished(block: Block) -> bool:
    match block:
        case ToolBlock():
            return block.outcome is not None
        case ValueBlock():
            return block.given
        case QuestionBlock():
            return block.action is not None
        case _:
            return True
