"""A running comparison as ipywidgets: a column for each model, beside each other where there is room."""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.comparison import shown
from sessionmagic.conversation.transcript import Transcript
from sessionmagic.notebook.captions import run_line
from sessionmagic.notebook.compared import ShownRun
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page.answer import MUTED, NO_MATH, note_html
from sessionmagic.notebook.page.attention import answer_at_once
from sessionmagic.notebook.page.blocks import Blocks
from sessionmagic.notebook.page.comparison import run_html, unfinished_comparison
from sessionmagic.notebook.page.draft import DEAD_WIDGETS, Draft
from sessionmagic.notebook.page.head import AsksAgain
from sessionmagic.notebook.page.in_view import HEAD, STYLE
from sessionmagic.notebook.page.large import STYLE as LARGE
from sessionmagic.notebook.page.pieces import button, forget, page, row, status_html, within
from sessionmagic.notebook.page.static import NOTHING_STARTED
from sessionmagic.notebook.page.wide import framed
from sessionmagic.notebook.visible import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessionmagic.conversation.column import Column
    from sessionmagic.notebook.controls import Controls
    from sessionmagic.notebook.output import Displays
    from sessionmagic.notebook.page.slots import Slots

STATUS_SECONDS = 0.5
"""Minimum time between two updates of a status line."""
RUNNING = "a comparison is running here; trust this notebook to watch it, or run %agent branches"
AREAS_KEPT = 3
"""Finished areas, kept so that a reloaded page still finds them."""

_finished: deque[Any] = deque()


class ColumnView:
    """One run of a comparison in its column, while it runs.

    Args:
        column: The column of the run.
        controls: Called by the buttons.
        displays: Returns what the run's tools have displayed.
        drafted: Makes a new draft of all columns if it is time for one; returns the column's share of its bytes.
    """

    def __init__(
        self, column: Column, controls: Controls, displays: Displays, drafted: Callable[[], int] = lambda: 0
    ) -> None:
        from ipywidgets import HTML, Button, HBox, Layout, VBox

        self.column = column
        self._controls = controls
        self.transcript = Transcript()
        """The run as it was last shown."""
        self._displays = displays
        self._drafted = drafted
        self._opened_at = time.monotonic()
        self._status_due = 0.0
        self.html = ""
        """The answer as HTML, once it is whole."""
        self._phase = ("", False, False)
        wide = Layout(flex="1 1 auto", min_width="0", display="block")
        self._status = HTML(self._status_html(Transcript()), layout=wide)
        self._button = Button(
            icon="stop", tooltip=f"Stop {_heading(column)}", layout=Layout(width="3em", flex="0 0 auto")
        )
        self._stop = lambda _: controls.stop()
        self._button.on_click(self._stop)
        answer_at_once(self._button)
        self._asks_again = AsksAgain(controls)
        self._blocks = Blocks(VBox(layout=Layout(min_width="0")), controls)
        head = HBox([self._status, self._asks_again.box, self._button])
        self.box = VBox([head, *self._blocks.boxes], layout=Layout(min_width="0"))

    def open(self) -> None:
        pass

    def update(self, transcript: Transcript) -> int:
        now = time.monotonic()
        phase = (transcript.turn_id, bool(transcript.blocks), transcript.waits_for_an_answer)
        if now >= self._status_due or phase != self._phase:
            self._status.value = self._status_html(shown(transcript, self.column))
            self._status_due, self._phase = now + STATUS_SECONDS, phase
        self._asks_again.update()
        self.transcript = transcript
        return self._blocks.show(transcript) + self._drafted()

    def rendered(self, transcript: Transcript) -> Sequence[Output]:
        self.transcript = transcript
        run = ShownRun(self.column, shown(transcript, self.column), displays=self._displays(transcript))
        self.html = run_html(run)
        return [Output({"text/html": self.html})]

    def finish(self, transcript: Transcript, outputs: Sequence[Output]) -> None:
        self._status.value = self._status_html(shown(transcript, self.column), ended=True)
        self._end(self._blocks.show_only("".join(output.data["text/html"] for output in outputs)))

    def release(self) -> None:
        pass

    def discard(self) -> None:
        self._end(self._blocks.show_only(note_html("stopped before it was asked")))

    def _end(self, last: Any) -> None:
        self._button.on_click(self._stop, remove=True)
        head, *others = self.box.children
        head.children = (self._status,)
        self.box.children = (head, last)
        forget([self._button, self._asks_again.box, *others], keep=list(within(last)))

    def _status_html(self, transcript: Transcript, *, ended: bool = False) -> str:
        line = run_line(transcript, self._opened_at, ended=ended)
        if self._controls.everything_approved and not ended:
            line += " · calls run unasked"
        name = f'<span {NO_MATH} style="font-weight: 600">{escape(_heading(self.column))}</span>'
        return status_html(f'{name}<br><span {NO_MATH} style="{MUTED}">{escape(line)}</span>')


def _heading(column: Column) -> str:
    return ShownRun(column, Transcript()).heading


class ColumnsArea:
    """The area under a cell in which a comparison runs, above a hidden draft. At the end, static outputs replace both.

    Args:
        note: A line above the columns; empty for none.
        stop: Stops all runs.
        displays: Returns what the tools of a run have displayed.
        slots: The outputs under the cell.
        drafts: Whether drafts are shown.
        large: Whether the area is shown in large type.
    """

    has_buttons = True

    def __init__(  # noqa: PLR0913
        self,
        note: str,
        stop: Callable[[], object],
        displays: Displays,
        slots: Slots,
        *,
        drafts: bool = True,
        large: bool = False,
    ) -> None:
        from ipywidgets import HTML, HBox, Layout, VBox

        self._displays = displays
        self._views: list[ColumnView] = []
        self._note = note
        self._draft = Draft(self._unfinished, wanted=drafts)
        self._drafting = threading.Lock()
        self._live: list[Output] = []
        """The output of the area."""
        wide = Layout(flex="1 1 auto", min_width="0", display="block")
        self._head = head = HTML(self._head_html(note), layout=wide)
        stop_all = button("Stop all", stop, icon="stop", tooltip="Stop all runs and keep what was said")
        self._columns = HBox(layout=Layout(flex_flow="row wrap", align_items="flex-start"))
        style = STYLE + LARGE if large else STYLE
        stops = HBox([HTML(style, layout={"display": "none"}), head, stop_all], _dom_classes=(HEAD,))
        self._area = VBox([stops, self._columns], layout=Layout(flex="1 1 auto"))
        self._slots = slots

    def view(self, column: Column, controls: Controls) -> ColumnView:
        """Return the view of one run."""
        view = ColumnView(column, controls, self._displays, self._show_draft)
        self._views.append(view)
        return view

    def wait(self, line: str) -> None:
        """Show a line before there are views."""
        self._slots.show([_line_output(line)])

    def discard(self, why: str) -> None:
        """Show that there will be no views, and why, if the cell does not say it."""
        self._slots.show([_line_output(why) if why else NOTHING_STARTED])
        self._area.close()

    def open(self) -> None:
        """Show the views, those of one column below each other."""
        from ipywidgets import Layout, VBox

        layout = Layout(flex="1 1 16em", min_width="0", border_top="2px solid var(--jp-border-color2, #ccc)")
        columns = groupby(self._views, key=lambda view: view.column.number)
        self._columns.children = [VBox([view.box for view in views], layout=layout) for _, views in columns]
        self._live.append(Output(self._area._repr_mimebundle_() | {"text/plain": RUNNING}))
        self._slots.show(self._live)

    def say(self, line: str) -> None:
        """Show a line above the views, when all runs have ended."""
        self._head.value = self._head_html(line)
        self._show_draft(at_once=True)

    def _head_html(self, line: str) -> str:
        return self._draft.hidden + (status_html(note_html(line)) if line else "")

    @property
    def has_draft(self) -> bool:
        """Whether a draft was shown."""
        return self._draft.output is not None

    def _unfinished(self, transcripts: Sequence[Transcript]) -> tuple[str, str]:
        views = zip(self._views, transcripts, strict=True)
        return unfinished_comparison(
            [ShownRun(view.column, shown(each, view.column)) for view, each in views], self._note
        )

    def _show_draft(self, *, at_once: bool = False) -> int:
        """Show a new draft if it is time for one; return a column's share of its bytes. Safe in any thread."""
        if not self._drafting.acquire(blocking=False):  # another column's update is at it
            return 0
        try:
            sent = self._draft.update(*(view.transcript for view in self._views), at_once=at_once)
            if sent and self._draft.output is not None:
                self._slots.show([*self._live, self._draft.output])
        finally:
            self._drafting.release()
        return sent // len(self._views)

    def finish(self, output: Output, line: str, vote: Callable[[str], Sequence[str]] | None) -> None:
        """Show the finished comparison, also in the area, for a page that was reloaded meanwhile."""
        before = list(self._area.children)
        below = [_line_output(line)] if line else []
        last = page(self._draft.hidden + framed("".join(each.data["text/html"] for each in (output, *below))))
        self._area.children = (last,)
        if vote is None:
            self._slots.show([output, *below])
        else:
            letters = [view.column.letter for view in self._views if view.column.repeat == 1]
            _show_votes(self._slots, output, letters, line, vote)
        forget(before, keep=list(within(last)))
        _finished.append(self._area)
        if len(_finished) > AREAS_KEPT:
            forget([_finished.popleft()])


def _show_votes(
    slots: Slots, output: Output, letters: Sequence[str], line: str, vote: Callable[[str], Sequence[str]]
) -> None:
    """Show a comparison, buttons to vote on it, and a line below them. The lines of a vote take the place of these.

    If nobody votes, the notebook keeps the line, above which a dead widget is not shown.
    """
    mark = f"sessionmagic-{uuid.uuid4().hex}"
    hides = f'{DEAD_WIDGETS.format(mark)}<span class="{mark}"></span>'

    def voted(choice: str) -> None:
        slots.show([output, *map(_line_output, vote(choice))])
        forget([choices])

    best = [button(each, partial(voted, each), tooltip=f"{each} is the best answer") for each in letters]
    tie = button("tie", partial(voted, "tie"), tooltip="No answer is better than the others")
    bad = button("all bad", partial(voted, "bad"), tooltip="No answer is good")
    tie.layout.margin = "2px 2px 2px 2em"
    choices = row(*best, tie, bad, flex_flow="row wrap")
    buttons = Output(choices._repr_mimebundle_() | {"text/plain": line})
    slots.show([output, buttons, _line_output(line, hides)])


def _line_output(line: str, hides: str = "") -> Output:
    return Output({"text/html": f"{hides}{note_html(line)}", "text/plain": line})
