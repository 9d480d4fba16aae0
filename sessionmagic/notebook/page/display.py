"""A running turn as plain outputs, for slides and for front ends without widgets.

What no longer changes is in outputs of its own. What still grows is sent again, and so is the status of the turn, which
is below it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sessionmagic.conversation.transcript import Transcript
from sessionmagic.notebook.activity import activity
from sessionmagic.notebook.captions import notes_line, status_line, values_line
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page.answer import note_html, warning_html
from sessionmagic.notebook.page.large import QUESTION
from sessionmagic.notebook.page.segments import (
    QUIET_SECONDS,
    STATUS_SECONDS,
    Allowance,
    Segments,
    piece_length,
    stalled_html,
)
from sessionmagic.notebook.page.static import NOTHING_STARTED, answer_outputs, whole_output
from sessionmagic.notebook.page.wide import framed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.notebook.output import Displays
    from sessionmagic.notebook.page.slots import Slots


class DisplayView:
    """Outputs under the cell while the turn runs. At the end, those that are saved take their place.

    Args:
        session: The session's name, if it is known before the turn starts.
        model: The model reference that the cell names, if any.
        displays: Returns what the turn's tools have displayed.
        slots: The outputs under the cell.
        whole: Whether the turn has one output only, because others would come under other cells.
        large: Whether it is shown in large type.
    """

    def __init__(  # noqa: PLR0913
        self, session: str, model: str, displays: Displays, slots: Slots, *, whole: bool = False, large: bool = False
    ) -> None:
        self._session, self._model = session, model
        self._displays = displays
        self._slots = slots
        self._whole = whole
        self._joined = whole or slots.only_last
        """Whether what grows and the status are one output."""
        self._large = large
        self._opened_at = time.monotonic()
        self._segments = Segments(displays)
        self._allowance = Allowance()
        self._finished: list[Output] = []
        self._tail = ""
        """What still grows."""
        self._grown_at = -QUIET_SECONDS
        self._status = ""
        self._says: tuple[object, ...] = ()
        """What the turn does, as the status says it."""
        self._told_at = -STATUS_SECONDS

    def open(self) -> None:
        self._status = self._status_html(Transcript())
        self._show()

    def update(self, transcript: Transcript) -> int:
        """Show how the turn is now, the answer unless that costs too much; return how many bytes were sent."""
        now, sent = time.monotonic(), 0
        finished, tail = self._outputs(transcript)
        says = (activity(transcript), transcript.remark, transcript.warnings)
        more = len(finished) > len(self._finished)
        if more or (tail != self._tail and self._may_send(tail, finished, now)):
            sent = sum(map(_length, finished[len(self._finished) :])) + len(tail)
            self._allowance.spend(sent)
            self._finished, self._tail, self._grown_at = finished, tail, now
        if more or says != self._says or now - self._told_at >= STATUS_SECONDS or (sent and self._joined):
            self._status, self._says, self._told_at = self._status_html(transcript), says, now
            sent += len(self._status)
        if sent:
            self._show()
        return sent

    def _may_send(self, tail: str, finished: list[Output], now: float) -> bool:
        size = sum(map(_length, finished)) + len(tail)
        return now - self._grown_at >= QUIET_SECONDS or self._allowance.allows(len(tail), size)

    def _show(self) -> None:
        grows = [] if self._joined or not self._tail else [Output({"text/html": framed(self._tail), "text/plain": "…"})]
        last = self._tail + self._status if self._joined else self._status
        status = Output({"text/html": framed(last), "text/plain": "the turn is running"})
        self._slots.show([*self._finished, *grows, status])

    def _outputs(self, transcript: Transcript) -> tuple[list[Output], str]:
        """Return the outputs that stay as they are, and the HTML of the rest."""
        outputs, length, begun = list[Output](), 0, ""
        segments = list(self._segments.of(transcript))
        for at, segment in enumerate(segments):
            if not segment.finished or self._whole:
                return outputs, begun + "".join(each.html for each in segments[at:])
            begun += segment.html
            if begun and (segment.displays or len(begun) >= piece_length(length)):
                outputs.append(Output({"text/html": framed(begun), "text/plain": "…"}))
                length, begun = length + len(begun), ""
            outputs += segment.displays
        return outputs, begun

    def _status_html(self, transcript: Transcript) -> str:
        lines = filter(None, (transcript.remark, notes_line(transcript), values_line(transcript)))
        status = status_line(transcript, self._session, self._model, self._opened_at)
        notes = "".join(f"<p>{warning_html(text)}</p>" for text in transcript.warnings)
        question = QUESTION if self._large and transcript.waits_for_an_answer else ""
        return note_html(status, *lines) + notes + question + stalled_html("%agent show", transcript.session)

    def rendered(self, transcript: Transcript) -> Sequence[Output]:
        return (whole_output if self._whole else answer_outputs)(transcript, self._displays)

    def finish(self, transcript: Transcript, outputs: Sequence[Output]) -> None:  # noqa: ARG002
        self._slots.end_with(outputs)

    def release(self) -> None:
        pass

    def discard(self) -> None:
        self._slots.show([NOTHING_STARTED])


def _length(output: Output) -> int:
    return len(output.data.get("text/html", ""))
