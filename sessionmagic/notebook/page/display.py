"""A running turn as plain outputs, for slides and for front ends without widgets.

What no longer changes is sent once, in an output of its own. Only the last output is sent again, and the less often
the larger it is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
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
from sessionmagic.notebook.captions import notes_line, status_line, values_line
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page.answer import blocks_html, note_html, text_html, warning_html
from sessionmagic.notebook.page.growing import finished_blocks
from sessionmagic.notebook.page.static import NOTHING_STARTED, answer_outputs
from sessionmagic.notebook.page.wide import framed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sessionmagic.notebook.output import Displays
    from sessionmagic.notebook.page.slots import Slots

MOST_HZ = 4.0
"""Updates in a second at most, whatever the user wants elsewhere: a page draws an output anew each time."""
PIECE_LENGTH = 800
"""Least length of HTML of an output that is finished."""
PIECES_SHARE = 8
"""An output that is finished has at least this fraction of all before it, so that a long answer has few outputs."""
SENT_TIMES = 2.0
"""How many times the length of the answer is sent in all while it grows."""
FIRST_BYTES = 4_000
"""Bytes that may be sent beyond that, so that a short answer is not held back."""
STATUS_SECONDS = 5.0
"""Time between two updates in which nothing but the elapsed time has changed."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a turn that is not split, such as a Markdown block or a call, and what the call has displayed."""

    html: str = ""
    finished: bool = True
    """Whether it stays as it is."""
    displays: Sequence[Output] = field(default=())


class DisplayView:
    """Outputs under the cell while the turn runs. At the end, those that are saved take their place.

    Args:
        session: The session's name, if it is known before the turn starts.
        model: The model reference that the cell names, if any.
        displays: Returns what the turn's tools have displayed.
        slots: The outputs under the cell.
    """

    def __init__(self, session: str, model: str, displays: Displays, slots: Slots) -> None:
        self._session, self._model = session, model
        self._displays = displays
        self._slots = slots
        self._opened_at = time.monotonic()
        self._rendered: dict[str, str] = {}
        """The HTML of each finished Markdown block."""
        self._finished: list[Output] = []
        self._tail = ""
        self._sent = 0
        self._status_due = 0.0

    def open(self) -> None:
        self._show([], "", Transcript())

    def update(self, transcript: Transcript) -> int:
        """Show the turn as it is now, unless that costs too much; return how many bytes were sent."""
        finished, tail = self._outputs(transcript)
        size = sum(len(output.data.get("text/html", "")) for output in finished) + len(tail)
        grown = len(finished) > len(self._finished)
        affordable = self._sent + len(tail) <= SENT_TIMES * size + FIRST_BYTES
        ticks = tail == self._tail and time.monotonic() < self._status_due
        if not grown and (ticks or not affordable):
            return 0
        return self._show(finished, tail, transcript)

    def _show(self, finished: list[Output], tail: str, transcript: Transcript) -> int:
        """Show the outputs that are finished, and below them the rest with the status of the turn."""
        last = f"{tail}{self._status_html(transcript)}"
        new = finished[len(self._finished) :]
        self._slots.show([*finished, Output({"text/html": framed(last), "text/plain": "the turn is running"})])
        self._finished, self._tail = finished, tail
        self._status_due = time.monotonic() + STATUS_SECONDS
        sent = len(last) + sum(len(output.data.get("text/html", "")) for output in new)
        self._sent += sent
        return sent

    def _outputs(self, transcript: Transcript) -> tuple[list[Output], str]:
        """Return the outputs that stay as they are, and the HTML of the rest."""
        outputs, length, begun = list[Output](), 0, ""
        segments = list(self._segments(transcript))
        for at, segment in enumerate(segments):
            if not segment.finished:
                return outputs, begun + "".join(each.html for each in segments[at:])
            begun += segment.html
            if begun and (segment.displays or len(begun) >= max(PIECE_LENGTH, length / PIECES_SHARE)):
                outputs.append(Output({"text/html": framed(begun), "text/plain": "…"}))
                length, begun = length + len(begun), ""
            outputs += segment.displays
        return outputs, begun

    def _segments(self, transcript: Transcript) -> Iterator[Segment]:
        displays = dict(self._displays(transcript))
        blocks = [block for block in transcript.blocks if not isinstance(block, ReasoningBlock)]
        for at, block in enumerate(blocks):
            if isinstance(block, TextBlock):
                yield from self._text(block.text, ended=at < len(blocks) - 1)
                continue
            shown = displays.pop(block.call_id, ()) if isinstance(block, ToolBlock) and block.outcome else ()
            yield Segment(blocks_html([block]), finished=_is_finished(block), displays=shown)

    def _text(self, text: str, *, ended: bool) -> Iterator[Segment]:
        begin = 0
        for end in [*finished_blocks(text), *([len(text)] if ended else [])]:
            if piece := text[begin:end]:
                if piece not in self._rendered:
                    self._rendered[piece] = text_html(piece)
                yield Segment(self._rendered[piece])
            begin = end
        if begin < len(text):
            yield Segment(text_html(text[begin:]), finished=False)

    def _status_html(self, transcript: Transcript) -> str:
        lines = filter(None, (transcript.remark, notes_line(transcript), values_line(transcript)))
        status = status_line(transcript, self._session, self._model, self._opened_at)
        return note_html(status, *lines) + "".join(f"<p>{warning_html(text)}</p>" for text in transcript.warnings)

    def rendered(self, transcript: Transcript) -> Sequence[Output]:
        return answer_outputs(transcript, self._displays)

    def finish(self, transcript: Transcript, outputs: Sequence[Output]) -> None:  # noqa: ARG002
        self._slots.show(outputs)

    def release(self) -> None:
        pass

    def discard(self) -> None:
        self._slots.show([NOTHING_STARTED])


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
