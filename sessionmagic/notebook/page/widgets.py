"""A running turn as ipywidgets under its cell."""

from __future__ import annotations

import time
import uuid
from collections import deque
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.transcript import ReasoningBlock, ToolBlock, Transcript
from sessionmagic.notebook.activity import activity
from sessionmagic.notebook.captions import notes_line, status_line, values_line
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page.answer import MUTED, NO_MATH, text_html, warning_html
from sessionmagic.notebook.page.blocks import Blocks
from sessionmagic.notebook.page.code_button import FENCE
from sessionmagic.notebook.page.head import Head
from sessionmagic.notebook.page.pieces import forget, page, status_html, within
from sessionmagic.notebook.page.static import NOTHING_STARTED, answer_outputs, whole_html, whole_output
from sessionmagic.notebook.page.steering_box import SteeringBox
from sessionmagic.notebook.page.wide import framed
from sessionmagic.notebook.visible import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sessionmagic.notebook.controls import Controls
    from sessionmagic.notebook.output import Displays
    from sessionmagic.notebook.page.draft import Draft
    from sessionmagic.notebook.page.slots import Slots

STATUS_SECONDS = 0.5
"""Minimum time between two updates of the status line; what the turn does next is shown at once."""
STEERING_SECONDS = 10.0
"""Seconds after which a turn without tool calls gets a steering box."""
REASONING_LENGTH = 4_000
"""Characters at the end of the reasoning that are shown while the turn runs."""
RUNNING = "a turn is running here; trust this notebook to watch it, or run %agent show"
"""Shown by front ends without widgets, on a page that does not trust the notebook, and if it was saved meanwhile."""
CONTINUED = "the turn goes on here"
AREAS_KEPT = 10
"""Finished areas, kept so that a reloaded page still finds them. Older turns show their static answers."""

_finished: deque[Any] = deque()


class WidgetView:
    """An area of widgets under the cell while the turn runs. At the end, the static answer takes its place.

    What a call displays is an output after that call, and what follows has another area below it. The first area also
    has all that is in the later ones, hidden where these are on the page: a page that was reloaded during the turn goes
    on showing the first area only. So the area remains for some turns, and shows the answer too.

    Args:
        session: The session's name, if it is known before the turn starts.
        model: The model reference that the cell names, if any.
        controls: Called by the buttons and boxes.
        displays: Returns what the turn's tools have displayed.
        draft: Keeps what should remain if the kernel ends before the turn.
        slots: The outputs under the cell.
    """

    def __init__(  # noqa: PLR0913
        self, session: str, model: str, controls: Controls, displays: Displays, draft: Draft, *, slots: Slots
    ) -> None:
        from ipywidgets import Layout, VBox

        self._session = session
        self._model = model
        self._opened_at = time.monotonic()
        self._displays = displays
        self._draft = draft
        self._layout = Layout(flex="1 1 auto")  # shared, because each layout is one more message to the page
        self._head = Head(controls, self._status_html(Transcript()))
        self._controls = controls
        self._slots = slots
        self._live: list[Output] = []
        """The outputs of the areas."""
        self._status_due = 0.0
        self._shown: tuple[object, ...] = ()
        """What the status line says that the turn does, and its notes."""
        self._reasoning: Any = None
        self._steering: SteeringBox | None = None
        self._answer = Blocks(VBox(layout=self._layout), controls)
        self._area = VBox([self._head.box, *self._answer.boxes], layout=self._layout)
        self._areas = [self._area]
        self._last = self._answer.boxes[0]
        """The last child of the first area that shows blocks."""

    def enlarge(self) -> None:
        """Show the area in large type, for a presentation."""
        self._head.enlarge()

    def open(self) -> None:
        self._live.append(_live_output(self._area, RUNNING))
        self._slots.show(self._live)

    def update(self, transcript: Transcript) -> int:
        self._show_status(transcript)
        if self._controls.takes_code and FENCE in transcript.text:
            self._head.add_code_button()
        self._head.update()
        if self._steering is None and self._controls.takes_messages and self._is_long(transcript):
            self._steering = SteeringBox(self._controls)
            self._area.children = (*self._area.children, self._steering.box)
        if self._steering is not None:
            self._steering.update(transcript)
        sent = self._draft.update(transcript) + self._show_reasoning(transcript)
        displays = self._displays(transcript)
        parts = displays if self._draft.wanted else ()  # as in `rendered`
        sent += self._answer.show(transcript, parts)
        self._slots.show(self._outputs(displays))
        return sent

    def _outputs(self, displays: Mapping[str, Sequence[Output]]) -> list[Output]:
        """Return what is under the cell now: areas with the calls' displays between them, and the draft."""
        for box in self._answer.boxes[len(self._areas) :]:
            self._add_area(box)
        left = dict(displays)
        outputs: list[Output] = []
        for live, call_id in zip(self._live, self._answer.calls, strict=True):
            outputs += [live, *left.pop(call_id, ())]
        outputs += [output for rest in left.values() for output in rest]  # of calls that are still running
        return [*outputs, self._draft.output] if self._draft.output else outputs

    def _add_area(self, box: Any) -> None:
        """Add an area with a box that is also in the first area, hidden by a style in the new one."""
        from ipywidgets import HTML, Box, VBox

        mark = f"sessionmagic-{uuid.uuid4().hex}"
        hides = HTML(f"<style>.{mark} {{ display: none }}</style>", layout={"display": "none"})
        copy = Box([box], _dom_classes=(mark,))
        if len(self._areas) > 1:  # only the last area grows
            self._areas[-1].children = [child for child in self._areas[-1].children if child is not self._head.again]
        area = VBox([hides, self._head.again, box], layout=self._layout)
        at = 1 + next(at for at, child in enumerate(self._area.children) if child is self._last)
        self._area.children = (*self._area.children[:at], copy, *self._area.children[at:])
        self._last = copy
        self._areas.append(area)
        self._live.append(_live_output(area, CONTINUED))

    def _is_long(self, transcript: Transcript) -> bool:
        """Return whether the user may want to steer the turn, because it calls tools or takes long."""
        calls = any(isinstance(block, ToolBlock) for block in transcript.blocks)
        return calls or bool(transcript.turn_id and time.monotonic() > self._opened_at + STEERING_SECONDS)

    def rendered(self, transcript: Transcript) -> Sequence[Output]:
        # Where a draft cannot be added below the area, because another cell may have run, neither can a footer.
        return (answer_outputs if self._draft.wanted else whole_output)(transcript, self._displays)

    def finish(self, transcript: Transcript, outputs: Sequence[Output]) -> None:  # noqa: ARG002
        """Show the whole answer in the area as one page, and replace the area in the notebook by static outputs."""
        self._head.end()
        shown = [*self._areas[1:], *self._area.children]
        last = self._answer.show_only(self._draft.hidden + whole_html(outputs))
        self._area.children = (last,)
        self._slots.show(outputs)
        forget(shown, keep=[*within(last), self._layout])
        _finished.append(self._area)
        if len(_finished) > AREAS_KEPT:
            forget([_finished.popleft()])

    def release(self) -> None:
        pass

    def discard(self) -> None:
        if self._live:
            self._slots.show([NOTHING_STARTED])
        self._area.close()

    def _status_html(self, transcript: Transcript) -> str:
        lines = filter(None, (transcript.remark, notes_line(transcript), values_line(transcript)))
        shown = "".join(f"<br>{escape(line)}" for line in lines)
        line = escape(status_line(transcript, self._session, self._model, self._opened_at))
        notes = "".join(f"<br>{warning_html(text)}" for text in transcript.warnings)
        return status_html(f'{self._draft.hidden}<span {NO_MATH} style="{MUTED}">{line}{shown}</span>{notes}')

    def _show_status(self, transcript: Transcript) -> None:
        now = time.monotonic()
        shown = (activity(transcript), transcript.notes)
        if now >= self._status_due or shown != self._shown:
            self._head.show(self._status_html(transcript))
            self._status_due = now + STATUS_SECONDS
            self._shown = shown

    def _show_reasoning(self, transcript: Transcript) -> int:
        text = "\n\n".join(block.text for block in transcript.blocks if isinstance(block, ReasoningBlock))
        if not text:
            return 0
        html = framed(text_html(text if len(text) <= REASONING_LENGTH else "… " + text[-REASONING_LENGTH:]))
        if self._reasoning is None:
            from ipywidgets import Accordion

            self._reasoning = page(html)
            folded = Accordion([self._reasoning], titles=("Reasoning",), selected_index=None)
            self._area.children = (self._area.children[0], folded, *self._area.children[1:])
        elif html == self._reasoning.value:
            return 0
        else:
            self._reasoning.value = html
        return len(html)


def _live_output(area: Any, text: str) -> Output:
    return Output(area._repr_mimebundle_() | {"text/plain": text})
