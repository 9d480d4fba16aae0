"""The surfaces on which a turn is seen: widgets while it runs and a static answer after, or plain text."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

from IPython.display import clear_output, display

from sessionmagic.notebook.answer import (
    MUTED,
    NO_MATH,
    WARNING,
    answer_html,
    answer_text,
    ending,
    footer,
    metadata,
    status_line,
    text_html,
)
from sessionmagic.notebook.rendering import settled_length
from sessionmagic.notebook.visible import escape, visible
from sessionmagic.transcript import ReasoningBlock, TextBlock, ToolBlock, Transcript

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.turn import Turn

TICK_SECONDS = 1.0
"""How often the elapsed time moves while the model says nothing."""
STATUS_SECONDS = 0.5
"""How often the status line moves at the most."""
BYTES_PER_SECOND = 120_000
"""What a running answer may send to the page: a long block is sent again less often, not cut."""
PAGE_LENGTH = 3_000
"""Characters of settled text after which the page that was sent stays as it is."""
TAIL_LENGTH = 12_000
"""Characters of one unfinished block that are shown while it grows."""
REASONING_LENGTH = 4_000


class View(Protocol):
    """A surface. Called from the loop thread, in the context of the launching cell."""

    def open(self) -> None:
        """Show at once that something is going on."""

    def update(self, transcript: Transcript) -> int:
        """Show the turn as it is now; return about how many bytes of the answer went to the page."""

    def finish(self, transcript: Transcript) -> None:
        """Show the turn as it will stay."""

    def discard(self) -> None:
        """Take everything away: there was no turn."""


async def follow(turn: Turn, view: View, hz: float) -> None:
    """Show a turn as it goes, the first word at once and then at most `hz` times a second, to its end."""
    seen = 0
    while not turn.finished:
        seen = await turn.news(seen, TICK_SECONDS)
        if turn.finished:
            break
        sent = view.update(turn.transcript)
        if sent:
            await turn.ended(max(1 / hz, sent / BYTES_PER_SECOND))
    view.finish(turn.transcript)


class StaticView:
    """Only the finished answer: for runs that nobody watches."""

    def open(self) -> None:
        pass

    def update(self, transcript: Transcript) -> int:  # noqa: ARG002
        return 0

    def finish(self, transcript: Transcript) -> None:
        show_answer(transcript, answer_html(transcript))

    def discard(self) -> None:
        pass


def show_answer(transcript: Transcript, html: str) -> None:
    """Display a turn as it stays in the saved notebook."""
    display(
        {"text/html": html, "text/plain": answer_text(transcript)},
        raw=True,
        metadata={"sessionmagic": metadata(transcript)},
    )


def show_prompt(prompt: str) -> None:
    """Display what was asked, above its answer."""
    display(
        {"text/html": f"<blockquote><pre>{escape(prompt)}</pre></blockquote>", "text/plain": visible(prompt)}, raw=True
    )


class TextView:
    """The answer as plain text while it comes: for terminals, and front ends without widgets.

    Args:
        replace: put the static answer in the text's place at the end, as a notebook can.
    """

    def __init__(self, *, replace: bool) -> None:
        self._replace = replace
        self._printed = 0

    def open(self) -> None:
        pass

    def update(self, transcript: Transcript) -> int:
        text = transcript.text
        fresh, self._printed = text[self._printed :], len(text)
        if fresh:
            sys.stdout.write(visible(fresh))
            sys.stdout.flush()
        return len(fresh)

    def finish(self, transcript: Transcript) -> None:
        self.update(transcript)
        if self._replace:
            clear_output(wait=True)
            show_answer(transcript, answer_html(transcript))
            return
        notes = [f"⚠ {text}" for text in transcript.warnings]
        lines = [*notes, ending(transcript), f"— {footer(transcript)}"]
        print("\n" + "\n".join(visible(line) for line in lines if line))

    def discard(self) -> None:
        pass


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
        self._layout = Layout(flex="1 1 auto")
        self._status = HTML(self._status_html(Transcript()), layout=self._layout)
        self._button = Button(
            description="Stop", icon="stop", tooltip="Stop the turn and keep what was said", layout=Layout(width="6em")
        )
        self._button.on_click(lambda _: stop())
        self._status_due = 0.0
        self._shown_turn = ""
        self._reasoning: Any = None
        self._page_style: Any = None
        self._answer = _Pages(self._page, VBox(layout=self._layout))
        self._area = VBox(
            [HBox([self._status, self._button], layout=self._layout), self._answer.box], layout=self._layout
        )
        _take_clicks_while_busy(self._button)

    def open(self) -> None:
        display(self._area)

    def update(self, transcript: Transcript) -> int:
        self._show_status(transcript)
        return self._show_reasoning(transcript) + self._answer.show(_flat(transcript))

    def finish(self, transcript: Transcript) -> None:
        final = answer_html(transcript)
        self._area.children = (self._page(final),)
        clear_output(wait=True)
        show_answer(transcript, final)

    def discard(self) -> None:
        clear_output()
        self._area.close()

    def _page(self, html: str) -> Any:
        """A page that shares its layout and style with all others: each would be two more messages."""
        from ipywidgets import HTMLMath

        shared = {"style": self._page_style} if self._page_style else {}
        page = HTMLMath(html, layout=self._layout, **shared)
        self._page_style = page.style
        return page

    def _status_html(self, transcript: Transcript) -> str:
        line = escape(status_line(transcript, self._session, self._model, self._opened_at))
        notes = "".join(
            f'<br><span {NO_MATH} style="{WARNING}">⚠ {escape(text)}</span>' for text in transcript.warnings
        )
        return f'<span {NO_MATH} style="{MUTED}">{line}</span>{notes}'

    def _show_status(self, transcript: Transcript) -> None:
        now = time.monotonic()
        if now >= self._status_due or transcript.turn_id != self._shown_turn:
            self._status.value = self._status_html(transcript)
            self._status_due = now + STATUS_SECONDS
            self._shown_turn = transcript.turn_id

    def _show_reasoning(self, transcript: Transcript) -> int:
        text = "\n\n".join(block.text for block in transcript.blocks if isinstance(block, ReasoningBlock))
        if not text:
            return 0
        html = text_html(text if len(text) <= REASONING_LENGTH else "… " + text[-REASONING_LENGTH:])
        if self._reasoning is None:
            from ipywidgets import Accordion

            self._reasoning = self._page(html)
            folded = Accordion([self._reasoning], titles=("Reasoning",), selected_index=None)
            self._area.children = (self._area.children[0], folded, self._answer.box)
        elif html == self._reasoning.value:
            return 0
        else:
            self._reasoning.value = html
        return len(html)


class _Pages:
    """A growing text on the page. What is settled is sent once; only the last page is sent again."""

    def __init__(self, page: Callable[[str], Any], box: Any) -> None:
        self._page = page
        self._settled = 0
        self._open = False
        self.box = box

    def show(self, text: str) -> int:
        """Show all of the text; return about how many bytes went to the page."""
        sent = 0
        tail = text[self._settled :]
        if len(tail) > PAGE_LENGTH and (length := settled_length(tail)):
            sent += self._put(text_html(tail[:length]))
            self._settled += length
            self._open = False
            tail = tail[length:]
        if len(tail) > TAIL_LENGTH:
            sent += self._put(f"<pre>… {escape(tail[-TAIL_LENGTH:])}</pre>")
        elif tail:
            sent += self._put(text_html(tail))
        return sent

    def _put(self, html: str) -> int:
        if not self._open:
            self.box.children = (*self.box.children, self._page(html))
            self._open = True
        elif html == self.box.children[-1].value:
            return 0
        else:
            self.box.children[-1].value = html
        return len(html)


def _flat(transcript: Transcript) -> str:
    """The turn as one growing Markdown text; a tool call is a line of its own."""
    parts = []
    for block in transcript.blocks:
        if isinstance(block, TextBlock):
            parts.append(block.text)
        elif isinstance(block, ToolBlock):
            parts.append(f"`{block.tool}` {block.outcome or '…'}")
    return "\n\n".join(parts)


def _take_clicks_while_busy(widget: Any) -> None:
    """Let ipykernel 7.4 handle this widget's messages on whatever subshell they arrive.

    It would send them to the shell that created the widget, which is the one that the cell keeps busy, so that
    a click on Stop would wait for the end of the turn.
    """
    comm = widget.comm
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, default: default  # noqa: SLF001, ARG005
