"""A running comparison as ipywidgets: a column for each model, beside each other where there is room."""

from __future__ import annotations

import time
import uuid
from collections import deque
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.comparison import shown
from sessionmagic.conversation.transcript import Transcript
from sessionmagic.notebook.captions import run_line
from sessionmagic.notebook.compared import REVEALS, ShownRun
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page.answer import MUTED, NO_MATH, note_html
from sessionmagic.notebook.page.attention import answer_at_once
from sessionmagic.notebook.page.blocks import Blocks
from sessionmagic.notebook.page.comparison import run_html
from sessionmagic.notebook.page.draft import DEAD_WIDGETS
from sessionmagic.notebook.page.pieces import button, forget, page, row, within, wrapped
from sessionmagic.notebook.page.slots import Slots
from sessionmagic.notebook.page.static import NOTHING_STARTED
from sessionmagic.notebook.visible import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessionmagic.conversation.column import Column
    from sessionmagic.notebook.compared import Voting
    from sessionmagic.notebook.controls import Controls
    from sessionmagic.notebook.output import Displays

STATUS_SECONDS = 0.5
"""Minimum time between two updates of a status line."""
RUNNING = "a comparison is running here; %agent branches shows its turns"
AREAS_KEPT = 3
"""Finished areas, kept so that a reloaded page still finds them."""

_finished: deque[Any] = deque()


class ColumnView:
    """One run of a comparison in its column, while it runs.

    Args:
        column: The column of the run.
        controls: Called by the buttons.
        displays: Returns what the run's tools have displayed.
    """

    def __init__(self, column: Column, controls: Controls, displays: Displays) -> None:
        from ipywidgets import HTML, Button, HBox, Layout, VBox

        self.column = column
        self._displays = displays
        self._opened_at = time.monotonic()
        self._status_due = 0.0
        self.html = ""
        """The answer as HTML, once it is whole."""
        self._phase = ("", False, False)
        wide = Layout(flex="1 1 auto", min_width="0")
        self._status = HTML(self._status_html(Transcript()), layout=wide)
        self._button = Button(
            icon="stop", tooltip=f"Stop {_heading(column)}", layout=Layout(width="3em", flex="0 0 auto")
        )
        self._stop = lambda _: controls.stop()
        self._button.on_click(self._stop)
        answer_at_once(self._button)
        self._blocks = Blocks(VBox(layout=Layout(min_width="0")), controls)
        self.box = VBox([HBox([self._status, self._button]), *self._blocks.boxes], layout=Layout(min_width="0"))

    def open(self) -> None:
        pass

    def update(self, transcript: Transcript) -> int:
        now = time.monotonic()
        phase = (transcript.turn_id, bool(transcript.blocks), transcript.waits_for_an_answer)
        if now >= self._status_due or phase != self._phase:
            self._status.value = self._status_html(shown(transcript, self.column))
            self._status_due, self._phase = now + STATUS_SECONDS, phase
        return self._blocks.show(transcript)

    def rendered(self, transcript: Transcript) -> Sequence[Output]:
        run = ShownRun(self.column, shown(transcript, self.column), displays=self._displays(transcript))
        self.html = run_html(run)
        return [Output({"text/html": self.html})]

    def finish(self, transcript: Transcript, outputs: Sequence[Output]) -> None:
        self._status.value = self._status_html(shown(transcript, self.column), ended=True)
        self._end(self._blocks.show_only("".join(output.data["text/html"] for output in outputs)))

    def discard(self) -> None:
        self._end(self._blocks.show_only(note_html("stopped before it was asked")))

    def _end(self, last: Any) -> None:
        self._button.on_click(self._stop, remove=True)
        head, *others = self.box.children
        head.children = (self._status,)
        self.box.children = (head, last)
        forget([self._button, *others], keep=list(within(last)))

    def _status_html(self, transcript: Transcript, *, ended: bool = False) -> str:
        line = run_line(transcript, self._opened_at, ended=ended)
        name = f'<span {NO_MATH} style="font-weight: 600">{escape(_heading(self.column))}</span>'
        return f'{name}<br><span {NO_MATH} style="{MUTED}">{escape(line)}</span>'


def _heading(column: Column) -> str:
    return ShownRun(column, Transcript()).heading


class ColumnsArea:
    """The area under a cell in which a comparison runs. At the end, a static output takes its place.

    Args:
        note: A line above the columns; empty for none.
        stop: Stops all runs.
        displays: Returns what the tools of a run have displayed.
    """

    has_buttons = True

    def __init__(self, note: str, stop: Callable[[], object], displays: Displays) -> None:
        from ipywidgets import HTML, HBox, Layout, VBox

        self._displays = displays
        self._views: list[ColumnView] = []
        self._head = head = HTML(note_html(note) if note else "", layout=Layout(flex="1 1 auto"))
        stop_all = button("Stop all", stop, icon="stop", tooltip="Stop all runs and keep what was said")
        self._columns = HBox(layout=Layout(flex_flow="row wrap", align_items="flex-start"))
        self._area = VBox([HBox([head, stop_all]), self._columns], layout=Layout(flex="1 1 auto"))
        self._slots = Slots()

    def view(self, column: Column, controls: Controls) -> ColumnView:
        """Return the view of one run."""
        view = ColumnView(column, controls, self._displays)
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
        self._slots.show([Output(self._area._repr_mimebundle_() | {"text/plain": RUNNING})])

    def say(self, line: str) -> None:
        """Show a line above the views."""
        self._head.value = note_html(line)

    def finish(self, output: Output, voting: Voting | None) -> None:
        """Show the finished comparison, also in the area, for a page that was reloaded meanwhile."""
        before = list(self._area.children)
        last = page(wrapped(output.data["text/html"]))
        self._area.children = (last,)
        self._slots.show([output])
        if voting is not None:
            _show_votes([view.column.letter for view in self._views if view.column.repeat == 1], voting)
        forget(before, keep=list(within(last)))
        _finished.append(self._area)
        if len(_finished) > AREAS_KEPT:
            forget([_finished.popleft()])


def _show_votes(letters: Sequence[str], voting: Voting) -> None:
    """Show buttons to vote with, and a line below them. A vote takes the place of the buttons.

    If nobody votes, the notebook keeps the line, above which a dead widget is not shown.
    """
    slots = Slots()
    mark = f"sessionmagic-{uuid.uuid4().hex}"
    hides = f'{DEAD_WIDGETS.format(mark)}<span class="{mark}"></span>'

    def voted(choice: str) -> None:
        slots.show([_line_output(voting.vote(choice)), _line_output(REVEALS)])
        forget([choices])

    best = [button(each, partial(voted, each), tooltip=f"{each} is the best answer") for each in letters]
    tie = button("tie", partial(voted, "tie"), tooltip="No answer is better than the others")
    bad = button("all bad", partial(voted, "bad"), tooltip="No answer is good")
    tie.layout.margin = "2px 2px 2px 2em"
    choices = row(*best, tie, bad, flex_flow="row wrap")
    buttons = Output(choices._repr_mimebundle_() | {"text/plain": voting.line})
    slots.show([buttons, _line_output(voting.line, hides)])


def _line_output(line: str, hides: str = "") -> Output:
    return Output({"text/html": f"{hides}{note_html(line)}", "text/plain": line})
