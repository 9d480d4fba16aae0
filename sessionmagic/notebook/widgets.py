"""A running turn as an area of ipywidgets under its cell."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, assert_never

from IPython.display import display

from sessionmagic.notebook.answer import MUTED, NO_MATH, OPENED, WARNING, call_html, status_line, text_html, tool_html
from sessionmagic.notebook.attention import answer_at_once
from sessionmagic.notebook.rendering import cut_fence, settled_length
from sessionmagic.notebook.view import show_answer
from sessionmagic.notebook.visible import escape
from sessionmagic.transcript import Block, MessageBlock, ReasoningBlock, TextBlock, ToolBlock, Transcript

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sessionmagic.events import Answer

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


_finished: deque[Any] = deque()


class WidgetView:
    """An area of widgets under the cell while the turn runs; then the static answer takes its place.

    The widgets stay alive with the final frame, because a page that was reloaded meanwhile shows only them.

    Args:
        session: the session's name, as far as it is known.
        model: the reference that was asked for, as far as it is known.
        stop: called when the Stop button is clicked.
        answer: called with a question's id, the answer and a reason when a tool call is approved or rejected.
    """

    def __init__(
        self, session: str, model: str, stop: Callable[[], object], answer: Callable[[str, Answer, str], object]
    ) -> None:
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
        self._phase = ("", False, False)
        self._reasoning: Any = None
        self._answer = _Blocks(VBox(layout=self._layout), answer)
        self._area = VBox(
            [HBox([self._status, self._button], layout=self._layout), self._answer.box], layout=self._layout
        )
        answer_at_once(self._button)

    def open(self) -> None:
        self._handle = display(self._area, display_id=True)

    def update(self, transcript: Transcript) -> int:
        self._show_status(transcript)
        return self._show_reasoning(transcript) + self._answer.show(transcript)

    def finish(self, transcript: Transcript, html: str) -> None:
        self._button.on_click(self._stop, remove=True)
        shown = self._area.children
        last = self._answer.only(html)
        self._area.children = (last,)
        show_answer(transcript, html, self._handle.display_id)
        _forget(shown, keep=[*_within(last), self._layout])
        _finished.append(self._area)
        if len(_finished) > AREAS_KEPT:
            _forget([_finished.popleft()])

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
        phase = (transcript.turn_id, bool(transcript.blocks), transcript.waits_for_an_answer)
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


class _Blocks:
    """A turn's blocks on the page, one below the other; only the last one grows, and tool calls change."""

    def __init__(self, box: Any, answer: Callable[[str, Answer, str], object]) -> None:
        self.box = box
        self._answer = answer
        self._first = _page("")
        self.box.children = (self._first,)
        self._shown: list[tuple[Block, Callable[[Any], int]]] = []
        """Each block as it was shown last, and what shows it as it is now."""

    def only(self, html: str) -> Any:
        """Return the first page, with this on it. A page that was reloaded knows it already, as it would no new one."""
        self._first.value = _wrapped(html)
        return self._first

    def show(self, transcript: Transcript) -> int:
        """Show the blocks as they are now; return about how many bytes went to the page."""
        blocks = [block for block in transcript.blocks if not isinstance(block, ReasoningBlock)]
        sent = 0
        for at, block in enumerate(blocks):
            if at == len(self._shown):
                self._shown.append((TextBlock(""), self._begin(block)))
            before, show = self._shown[at]
            if block is not before:
                sent += show(block)
                self._shown[at] = (block, show)
        return sent

    def _begin(self, block: Block) -> Callable[[Any], int]:
        match block:
            case TextBlock() | MessageBlock():
                pages = _Pages(self._add, None if self._shown else self._first)
                quote = "> " if isinstance(block, MessageBlock) else ""
                return lambda block: pages.show(quote + block.text)
            case ToolBlock():
                row = ToolRow(self._answer)
                self._add(row.box)
                return row.show
            case ReasoningBlock():
                raise AssertionError
            case _:
                assert_never(block)

    def _add(self, widget: Any) -> None:
        self.box.children = (*self.box.children, widget)


class _Pages:
    """A growing text on the page. What is settled is sent once; only the last page is sent again.

    A code block that outgrows a page goes on on the next one.
    """

    def __init__(self, add: Callable[[Any], object], page: Any) -> None:
        self._add = add
        self._page = page
        """The page that is sent again; None when the next text begins one."""
        self._settled = 0
        self._reopening = ""

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
                self._page = None
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
        if self._page is None:
            self._page = _page(html)
            self._add(self._page)
        elif html == self._page.value:
            return 0
        else:
            self._page.value = html
        return len(html)


class ToolRow:
    """A tool call on the page, with buttons while it waits for a yes."""

    def __init__(self, answer: Callable[[str, Answer, str], object]) -> None:
        from ipywidgets import VBox

        self._answer = answer
        self._page = _page("")
        self._asked = ""
        self.box = VBox([self._page])

    def show(self, block: ToolBlock) -> int:
        """Show the call as it is now."""
        self._page.value = html = tool_html(block)
        if block.approval_id != self._asked:
            self._asked = block.approval_id
            self.box.children = (self._page, self._question(block)) if block.approval_id else (self._page,)
        return len(html)

    def _question(self, block: ToolBlock) -> Any:
        from ipywidgets import Button, HBox, Layout, Text, VBox

        call = _page(f'<div style="{OPENED}">{call_html(block.args)}<p {NO_MATH}>{escape(block.why)}</p></div>')
        reason = Text(placeholder="why not, for the model", layout=Layout(width="16em"))

        def button(words: str, answer: Answer, tooltip: str, style: str = "") -> Any:
            made = Button(description=words, tooltip=tooltip, button_style=style, layout=Layout(width="auto"))
            made.on_click(lambda _: self._answer(block.approval_id, answer, reason.value))
            answer_at_once(made)
            return made

        answer_at_once(reason)
        buttons = [
            button("Approve", "once", "Run this call", "primary"),
            button(f"Always {block.tool}", "tool", "Run every call of this tool in this session"),
            button("Always everything", "all", "Run every call in this session without asking"),
            button("Reject", "reject", "Do not run it; the model is told, with the reason", "warning"),
        ]
        return VBox([call, HBox([*buttons, reason], layout=Layout(flex_flow="row wrap"))])


def _page(html: str) -> Any:
    """Return a page with a layout and style of its own: a page that was reloaded cannot resolve older ones in time."""
    from ipywidgets import HTMLMath

    return HTMLMath(html, style={"font_size": "var(--jp-content-font-size1)"}, _dom_classes=PAGE_CLASSES)


def _forget(widgets: Iterable[Any], keep: Sequence[Any] = ()) -> None:
    """Let go of widgets that no page shows any more, and of all within them, without telling every page of each."""
    for part in [part for widget in widgets for part in _within(widget)]:
        if part.comm is not None and all(part is not kept for kept in keep):
            part.comm.publish_msg = lambda *_, **__: None
            part.close()


def _within(widget: Any) -> Iterator[Any]:
    yield widget
    for part in (getattr(widget, "style", None), getattr(widget, "layout", None), *getattr(widget, "children", ())):
        if hasattr(part, "comm"):
            yield from _within(part)


def _wrapped(html: str) -> str:
    """Let a word that is longer than the line break, instead of widening the page."""
    return f'<div style="overflow-wrap:anywhere">{html}</div>'
