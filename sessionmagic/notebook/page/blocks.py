"""A growing answer on the page: finished text is sent once, and only the rest is sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from sessionmagic.conversation.transcript import (
    Block,
    MessageBlock,
    QuestionBlock,
    ReasoningBlock,
    SummaryBlock,
    TextBlock,
    ToolBlock,
    Transcript,
    ValueBlock,
)
from sessionmagic.notebook.page.answer import summary_html, text_html, user_text_html, value_html
from sessionmagic.notebook.page.growing import cut_block, settled_length
from sessionmagic.notebook.page.parts import parts_of
from sessionmagic.notebook.page.pieces import column, page
from sessionmagic.notebook.page.question_row import QuestionRow
from sessionmagic.notebook.page.tool_row import ToolRow
from sessionmagic.notebook.page.wide import framed
from sessionmagic.notebook.visible import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sessionmagic.notebook.controls import Controls

PAGE_LENGTH = 1_500
"""Length at which finished text moves to its own widget and is no longer resent."""
TAIL_LENGTH = 12_000
"""Length at which an unfinished block is cut, so that a frame never renders more than that anew."""


class Blocks:
    """The blocks of a turn, one below the other, in one box for each of the turn's parts.

    Text only grows, and only in the last block, unless it turns out to have been reasoning or a structured answer; then
    all blocks are shown anew. Tool calls and questions may change anywhere.
    """

    def __init__(self, box: Any, controls: Controls, agent: str = "") -> None:
        self.boxes = [box]
        """The boxes of the parts."""
        self.calls = [""]
        """For each box, the id of the call whose displays follow it; empty if there is none."""
        self._controls = controls
        self._agent = agent
        """The sub-agent whose work this is; empty for a turn."""
        self._first = page("")
        box.children = (self._first,)
        self._shown: list[tuple[Block, Callable[[Any], int]]] = []
        """Each block as it was last shown, with the function that shows a newer version of it."""
        self._widgets: list[tuple[Any, ...]] = []
        """The widgets of each block."""

    def show_only(self, html: str) -> Any:
        """Show only this HTML, in the first widget, which a reloaded page already has. Return that widget."""
        self._first.value = framed(html)
        return self._first

    def show(self, transcript: Transcript, displaying: Collection[str] = ()) -> int:
        """Show the blocks as they are now; return roughly how many bytes were sent to the page.

        Reasoning is left out, because it is shown separately.

        Args:
            transcript: The turn.
            displaying: The ids of the calls that have displayed something. Each of them ends a part.
        """
        blocks = [block for block in transcript.blocks if not isinstance(block, ReasoningBlock)]
        if self._loses_text(blocks):
            self.show_only("")
            self._shown, self._widgets = [], []
        sent = 0
        for at, block in enumerate(blocks):
            if at == len(self._shown):
                self._widgets.append(())
                self._shown.append((TextBlock(""), self._begin(block)))
            before, show = self._shown[at]
            if block is not before:
                sent += show(block)
                self._shown[at] = (block, show)
        self._arrange(blocks, displaying)
        return sent

    def _arrange(self, blocks: Sequence[Block], displaying: Collection[str]) -> None:
        """Put the widgets of the blocks into the boxes of their parts."""
        parts = parts_of(blocks, displaying)
        while len(self.boxes) < len(parts):
            self.boxes.append(column())
            self.calls.append("")
        left = iter(self._widgets)
        for at, box in enumerate(self.boxes):
            part = parts[at] if at < len(parts) else None
            widgets = tuple(widget for _ in (part.blocks if part else ()) for widget in next(left))
            widgets = widgets if at or self._first in widgets else (self._first, *widgets)
            self.calls[at] = part.call_id if part else ""
            if not _same(box.children, widgets):
                box.children = widgets

    def _loses_text(self, blocks: Sequence[Block]) -> bool:
        """Return whether a block has become one of another kind, or the last text is not in its place any more."""
        before_and_now = zip(self._shown, blocks, strict=False)
        if len(blocks) < len(self._shown) or any(type(was) is not type(now) for (was, _), now in before_and_now):
            return True
        if not self._shown or not isinstance(before := self._shown[-1][0], TextBlock):
            return False
        now = blocks[len(self._shown) - 1]
        return not (isinstance(now, TextBlock) and now.text.startswith(before.text))

    def _begin(self, block: Block) -> Callable[[Any], int]:
        match block:
            case TextBlock():
                first = None if self._shown else self._first
                if first is not None:
                    self._add(first)
                pages = Pages(self._add, first)
                return lambda block: pages.show(block.text)
            case ValueBlock():
                growing = page("")
                self._add(growing)
                return lambda block: _put(growing, value_html(block))
            case MessageBlock():
                return lambda block: self._show_html(user_text_html(block.text))
            case SummaryBlock():
                return lambda block: self._show_html(summary_html(block))
            case ToolBlock():
                row = ToolRow(self._controls, self._agent, lambda box, agent: Blocks(box, self._controls, agent))
                self._add(row.box)
                return row.show
            case QuestionBlock():
                question = QuestionRow(self._controls)
                self._add(question.box)
                return question.show
            case ReasoningBlock():
                raise AssertionError
            case _:
                assert_never(block)

    def _show_html(self, html: str) -> int:
        html = framed(html)
        self._add(page(html))
        return len(html)

    def _add(self, widget: Any) -> None:
        self._widgets[-1] = (*self._widgets[-1], widget)


def _put(widget: Any, html: str) -> int:
    widget.value = framed(html)
    return len(html)


def _same(before: Sequence[Any], now: Sequence[Any]) -> bool:
    return len(before) == len(now) and all(one is other for one, other in zip(before, now, strict=True))


class Pages:
    """A growing text in a column of widgets, called pages, of which only the last one is sent again.

    A page ends where Markdown blocks end, because later text cannot change them any more. A code block that is longer
    than a page is cut at a line and opened again on the next page. Other blocks are cut only when they are very long.
    A paragraph may then look like two, and a list like two lists; the final answer shows them whole.

    Args:
        add: Adds a page to the column.
        first: An empty page to begin with; None to add one.
    """

    def __init__(self, add: Callable[[Any], object], first: Any) -> None:
        self._add = add
        self._page = first
        """The page that is sent again; None if the next text begins a new one."""
        self._settled = 0
        """Characters of the text that are on earlier pages."""
        self._reopening = ""
        """The lines that reopen the code block or table that the last page has cut."""

    def show(self, text: str) -> int:
        """Show the whole text; return roughly how many bytes were sent to the page."""
        sent = 0
        tail = self._reopening + text[self._settled :]
        if len(tail) > PAGE_LENGTH:
            length, reopening = settled_length(tail), ""
            if not length:
                length, reopening = cut_block(tail, TAIL_LENGTH)
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
        html = framed(html)
        if self._page is None:
            self._page = page(html)
            self._add(self._page)
        elif html == self._page.value:
            return 0
        else:
            self._page.value = html
        return len(html)
