"""A running turn as an area of ipywidgets under its cell."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from IPython.display import display

from sessionmagic.notebook.answer import MUTED, NO_MATH, WARNING, status_line, text_html
from sessionmagic.notebook.attention import answer_at_once
from sessionmagic.notebook.rendering import cut_fence, settled_length
from sessionmagic.notebook.view import show_answer
from sessionmagic.notebook.visible import escape
from sessionmagic.transcript import ReasoningBlock, TextBlock, ToolBlock, Transcript

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

STATUS_SECONDS = 0.5
"""How often the status line moves at the most."""
PAGE_LENGTH = 1_500
"""Characters of settled text after which the page that was sent stays as it is."""
TAIL_LENGTH = 12_000
"""Characters of one unfinished block that are shown while it grows."""
REASONING_LENGTH = 4_000
AREAS_KEPT = 10
"""Finished areas that a page still finds which is loaded anew; of those before it shows the static answers."""
PAGE_CLASSES = ("jp-RenderedHTMLCommon", "jp-OutputArea-output")
"""What JupyterLab gives a saved answer, so that the growing one looks the same."""


_finished: deque[list[Any]] = deque()


class WidgetView:
    """An area of widgets under the cell while the turn runs; then the static answer takes its place.

    The widgets stay alive with the final frame, because a page that was reloaded meanwhile shows only them.

    Args:
        session: the session's name, as far as it is known.
        model: the reference that was asked for, as far as it is known.
        stop: called when the Stop button is clicked.
    """

    def __init__(self, session: str, model: str, stop: Callable[[], object]) -> None:
        from ipywidgets import HTML, Button, HBox, Layout, VBox

        self._session = session
        self._model = model
        self._opened_at = time.time()
        self._layout = Layout(flex="1 1 auto")  # shared: each one of its own would be a message more
        self._status = HTML(self._status_html(Transcript()), layout=self._layout)
        self._button = Button(
            description="Stop", icon="stop", tooltip="Stop the turn and keep what was said", layout=Layout(width="6em")
        )
        self._stop = lambda _: stop()
        self._button.on_click(self._stop)
        self._handle: Any = None
        self._status_due = 0.0
        self._phase = ("", False)
        self._reasoning: Any = None
        self._answer = _Pages(VBox(layout=self._layout))
        self._area = VBox(
            [HBox([self._status, self._button], layout=self._layout), self._answer.box], layout=self._layout
        )
        answer_at_once(self._button)

    def open(self) -> None:
        self._handle = display(self._area, display_id=True)

    def update(self, transcript: Transcript) -> int:
        self._show_status(transcript)
        return self._show_reasoning(transcript) + self._answer.show(_flat(transcript))

    def finish(self, transcript: Transcript, html: str) -> None:
        self._button.on_click(self._stop, remove=True)
        shown = [self._status, self._button, self._reasoning, *self._area.children, *self._answer.box.children]
        last = self._answer.only(html)
        self._area.children = (last,)
        show_answer(transcript, html, self._handle.display_id)
        _forget([widget for widget in shown if widget not in (None, last)], keep=self._layout)
        _finished.append([self._area, last])
        if len(_finished) > AREAS_KEPT:
            _forget(_finished.popleft())

    def discard(self) -> None:
        self._handle.update({}, raw=True)
        self._area.close()

    def _status_html(self, transcript: Transcript) -> str:
        line = escape(status_line(transcript, self._session, self._model, self._opened_at))
        notes = "".join(
            f'<br><span {NO_MATH} style="{WARNING}">⚠ {escape(text)}</span>' for text in transcript.warnings
        )
        return f'<span {NO_MATH} style="{MUTED}">{line}</span>{notes}'

    def _show_status(self, transcript: Transcript) -> None:
        now = time.monotonic()
        phase = (transcript.turn_id, bool(transcript.blocks))
        if now >= self._status_due or phase != self._phase:
            self._status.value = self._status_html(transcript)
            self._status_due = now + STATUS_SECONDS
            self._phase = phase

    def _show_reasoning(self, transcript: Transcript) -> int:
        text = "\n\n".join(block.text for block in transcript.blocks if isinstance(block, ReasoningBlock))
        if not text:
            return 0
        html = _wrapped(text_html(text if len(text) <= REASONING_LENGTH else "… " + text[-REASONING_LENGTH:]))
        if self._reasoning is None:
            from ipywidgets import Accordion

            self._reasoning = _page(html)
            folded = Accordion([self._reasoning], titles=("Reasoning",), selected_index=None)
            self._area.children = (self._area.children[0], folded, self._answer.box)
        elif html == self._reasoning.value:
            return 0
        else:
            self._reasoning.value = html
        return len(html)


class _Pages:
    """A growing text on the page. What is settled is sent once; only the last page is sent again.

    A code block that outgrows a page goes on on the next one.
    """

    def __init__(self, box: Any) -> None:
        self._settled = 0
        self._reopening = ""
        self._open = True
        self.box = box
        self.box.children = (_page(""),)

    def only(self, html: str) -> Any:
        """Return the first page, with this on it. A page that was reloaded knows it already, as it would no new one."""
        first = self.box.children[0]
        first.value = _wrapped(html)
        return first

    def show(self, text: str) -> int:
        """Show all of the text; return about how many bytes went to the page."""
        sent = 0
        tail = self._reopening + text[self._settled :]
        if len(tail) > PAGE_LENGTH:
            length, reopening = settled_length(tail), ""
            if not length:
                length, reopening = cut_fence(tail)
            if length > len(self._reopening):
                sent += self._put(text_html(tail[:length]))
                self._open = False
                self._settled += length - len(self._reopening)
                self._reopening = reopening
                tail = reopening + tail[length:]
        if len(tail) > TAIL_LENGTH:
            sent += self._put(f"<pre>… {escape(tail[-TAIL_LENGTH:])}</pre>")
        elif len(tail) > len(self._reopening):
            sent += self._put(text_html(tail))
        return sent

    def _put(self, html: str) -> int:
        html = _wrapped(html)
        if not self._open:
            self.box.children = (*self.box.children, _page(html))
            self._open = True
        elif html == self.box.children[-1].value:
            return 0
        else:
            self.box.children[-1].value = html
        return len(html)


def _page(html: str) -> Any:
    """Return a page with a layout and style of its own: a page that was reloaded cannot resolve older ones in time."""
    from ipywidgets import HTMLMath

    return HTMLMath(html, style={"font_size": "var(--jp-content-font-size1)"}, _dom_classes=PAGE_CLASSES)


def _forget(widgets: Iterable[Any], keep: Any = None) -> None:
    """Let go of widgets that no page shows any more, without telling every page of each; `keep` is a shared layout."""
    parts = [part for widget in widgets for part in (widget, *_parts(widget)) if part is not keep]
    for part in parts:
        if part.comm is not None:
            part.comm.publish_msg = lambda *_, **__: None
            part.close()


def _parts(widget: Any) -> list[Any]:
    named = [getattr(widget, name, None) for name in ("style", "layout")]
    return [part for part in named if hasattr(part, "comm")]


def _wrapped(html: str) -> str:
    """Let a word that is longer than the line break, instead of widening the page."""
    return f'<div style="overflow-wrap:anywhere">{html}</div>'


def _flat(transcript: Transcript) -> str:
    """The turn as one growing Markdown text; a tool call is a line of its own."""
    parts = []
    for block in transcript.blocks:
        if isinstance(block, TextBlock):
            parts.append(block.text)
        elif isinstance(block, ToolBlock):
            parts.append(f"`{block.tool}` {block.outcome or '…'}")
    return "\n\n".join(parts)
