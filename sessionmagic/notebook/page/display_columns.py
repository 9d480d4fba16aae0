"""A running comparison as plain outputs: its columns beside each other, in bands.

A band is an output with a part for each column. What the columns have finished in the meantime is in bands that stay
as they are. Only the last one, which has what still grows and how far each run is, is sent again.
"""

from __future__ import annotations

import threading
import time
from itertools import groupby
from typing import TYPE_CHECKING

from sessionmagic.conversation.comparison import shown
from sessionmagic.conversation.transcript import Transcript
from sessionmagic.notebook.captions import run_line
from sessionmagic.notebook.compared import ShownRun
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page.answer import note_html
from sessionmagic.notebook.page.comparison import picture_html, run_html
from sessionmagic.notebook.page.large import QUESTION
from sessionmagic.notebook.page.segments import (
    QUIET_SECONDS,
    STATUS_SECONDS,
    Allowance,
    Segments,
    piece_length,
    stalled_html,
)
from sessionmagic.notebook.page.side_by_side import headed, side_by_side
from sessionmagic.notebook.page.static import NOTHING_STARTED
from sessionmagic.notebook.page.wide import framed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessionmagic.conversation.column import Column
    from sessionmagic.notebook.controls import Controls
    from sessionmagic.notebook.output import Displays
    from sessionmagic.notebook.page.slots import Slots

RUNNING = "a comparison is running"


class DisplayRun:
    """One run of a comparison, as it is now.

    Args:
        column: The column of the run.
        displays: Returns what the run's tools have displayed.
        changed: Shows all runs, if it is time for that; returns how many bytes were sent.
    """

    def __init__(self, column: Column, displays: Displays, changed: Callable[[], int]) -> None:
        self.column = column
        self.heading = ShownRun(column, Transcript()).heading
        self.html = ""
        """The answer as HTML, once it is whole."""
        self.in_bands = 0
        """How many segments are in bands that stay as they are."""
        self._displays = displays
        self._changed = changed
        self._segments = Segments(displays)
        self._parts: tuple[list[str], str] = ([], "")
        self._transcript = Transcript()
        self._ending = ""
        """How the run has ended, in one line."""
        self._opened_at = time.monotonic()

    @property
    def finished(self) -> list[str]:
        """The HTML of each segment that is finished but in no band yet."""
        return self._parts[0][self.in_bands :]

    @property
    def growing(self) -> str:
        """The HTML of all that follows."""
        return self._parts[1]

    @property
    def state(self) -> str:
        """Whether the run waits for the first text, goes on, asks the user, or has ended."""
        if self._ending:
            return "ended"
        if self._transcript.waits_for_an_answer:
            return "asks"
        return "goes on" if self._transcript.blocks else "waits"

    @property
    def session(self) -> str:
        """The name of the session; empty if it is not known yet."""
        return self._transcript.session

    @property
    def line(self) -> str:
        """How far the run is."""
        return self._ending or run_line(shown(self._transcript, self.column), self._opened_at)

    def open(self) -> None:
        pass

    def update(self, transcript: Transcript) -> int:
        self._read(transcript)
        return self._changed()

    def _read(self, transcript: Transcript) -> None:
        finished = list[str]()
        growing = ""
        for segment in self._segments.of(transcript):
            html = segment.html + "".join(map(picture_html, segment.displays))
            if growing or not segment.finished:
                growing += html
            else:
                finished.append(html)
        self._transcript, self._parts = transcript, (finished, growing)

    def rendered(self, transcript: Transcript) -> Sequence[Output]:
        run = ShownRun(self.column, shown(transcript, self.column), displays=self._displays(transcript))
        self.html = run_html(run)
        self._read(transcript)
        self._ending = run_line(run.transcript, self._opened_at, ended=True)
        self._changed()
        return ()

    def finish(self, transcript: Transcript, outputs: Sequence[Output]) -> None:
        pass

    def release(self) -> None:
        pass

    def discard(self) -> None:
        self._ending = "stopped before it was asked"


class DisplayColumns:
    """The outputs under a cell in which a comparison runs. At the end, the saved answers take their place.

    Args:
        note: A line above the columns; empty for none.
        displays: Returns what the tools of a run have displayed.
        slots: The outputs under the cell.
        whole: Whether the comparison has one output only, because others would come under other cells.
        large: Whether it is shown in large type.
    """

    has_buttons = has_draft = False

    def __init__(
        self, note: str, displays: Displays, slots: Slots, *, whole: bool = False, large: bool = False
    ) -> None:
        self._displays = displays
        self._slots = slots
        self._whole = whole
        self._large = large
        self._note = note_html(note) if note else ""
        self._runs: list[DisplayRun] = []
        self._bands: list[Output] = []
        self._length = 0
        """The length of the bands."""
        self._last = ""
        self._line = ""
        self._shown: tuple[str, ...] = ()
        """The line, and the states of the runs, as they are shown."""
        self._allowance = Allowance()
        self._shown_at = -QUIET_SECONDS
        self._showing = threading.Lock()

    def view(self, column: Column, controls: Controls) -> DisplayRun:  # noqa: ARG002
        """Return the view of one run."""
        run = DisplayRun(column, self._displays, self._show)
        self._runs.append(run)
        return run

    def wait(self, line: str) -> None:
        """Show a line before there are views."""
        self._slots.show([_line_output(line)])

    def discard(self, why: str) -> None:
        """Show that there will be no views, and why, if the cell does not say it."""
        self._slots.show([_line_output(why) if why else NOTHING_STARTED])

    def open(self) -> None:
        """Show the views, those of one column below each other."""
        self._show()

    def say(self, line: str) -> None:
        """Show a line below the views, when all runs have ended."""
        self._line = line
        self._show()

    def finish(self, output: Output, line: str, vote: Callable[[str], Sequence[str]] | None) -> None:  # noqa: ARG002
        """Show the finished comparison."""
        self._slots.end_with([output])

    def _show(self) -> int:
        """Show all runs as they are now, unless that costs too much; return how many bytes were sent."""
        if not self._showing.acquire(blocking=False):  # another run's update is at it
            return 0
        try:
            bands, shown = len(self._bands), self._shown
            sent = self._add_band()
            last = self._columns(lambda run: "".join(run.finished) + run.growing)
            now = (self._line, *(run.state for run in self._runs))
            passed = time.monotonic() - self._shown_at
            ticks = last == self._last and now == shown and passed < STATUS_SECONDS
            affordable = passed >= QUIET_SECONDS or self._allows(last, news=now != shown)
            asks = any(run.state == "asks" != was for run, was in zip(self._runs, shown[1:], strict=False))
            if len(self._bands) == bands and not asks and (ticks or not affordable):
                return 0
            html = self._last_html()
            self._slots.show([*self._bands, Output({"text/html": framed(html), "text/plain": RUNNING})])
            if last != self._last or now != shown:  # else only the time has passed, which costs the answers nothing
                self._allowance.spend(sent + len(html))
            self._shown, self._last, self._shown_at = now, last, time.monotonic()
            return sent + len(html)
        finally:
            self._showing.release()

    def _allows(self, last: str, *, news: bool) -> bool:
        size = self._length + len(last)
        return self._allowance.allows(len(last), size, answers=len(self._runs), news=news)

    def _add_band(self) -> int:
        """Make a band of what is finished if that is long enough; return its length."""
        finished = {run: run.finished for run in self._runs}
        if self._whole or sum(len(html) for each in finished.values() for html in each) < piece_length(self._length):
            return 0
        html = self._above() + self._columns(lambda run: "".join(finished[run]))
        self._bands.append(Output({"text/html": framed(html), "text/plain": "…"}))
        self._length += len(html)
        for run, each in finished.items():
            run.in_bands += len(each)
        return len(html)

    def _above(self) -> str:
        """Return the line above the columns, for the first output."""
        return "" if self._bands else self._note

    def _last_html(self) -> str:
        line = note_html(self._line) if self._line else ""
        question = QUESTION if self._large and any(run.state == "asks" for run in self._runs) else ""
        session = next(filter(None, (run.session for run in self._runs)), "")
        stalled = stalled_html("%agent branches", session)
        return self._above() + self._columns(self._with_status) + line + question + stalled

    def _columns(self, html_of: Callable[[DisplayRun], str]) -> str:
        """Return columns with what their runs have; one that has nothing is empty."""
        columns = groupby(self._runs, key=lambda run: run.column.number)
        each_column = ([(run.heading, html_of(run)) for run in runs] for _, runs in columns)
        return side_by_side("".join(headed(heading, html) for heading, html in each if html) for each in each_column)

    def _with_status(self, run: DisplayRun) -> str:
        return "".join(run.finished) + run.growing + note_html(run.line)


def _line_output(line: str) -> Output:
    return Output({"text/html": note_html(line), "text/plain": line})
