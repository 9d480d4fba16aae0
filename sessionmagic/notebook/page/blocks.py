"""A growing answer on the page: what is settled is sent once, and only the rest again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from sessionmagic.conversation.transcript import (
    Block,
    MessageBlock,
    QuestionBlock,
    ReasoningBlock,
    TextBlock,
    ToolBlock,
    Transcript,
)
from sessionmagic.notebook.page.answer import said_html, text_html
from sessionmagic.notebook.page.pieces import page, wrapped
from sessionmagic.notebook.page.question_row import QuestionRow
from sessionmagic.notebook.page.rendering import cut_fence, settled_length
from sessionmagic.notebook.page.tool_row import ToolRow
from sessionmagic.notebook.visible import escape

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.notebook.controls import Controls

PAGE_LENGTH = 1_500
"""Characters of settled text after which the page that was sent stays as it is."""
TAIL_LENGTH = 12_000
"""Characters of one unfinished block that are shown while it grows."""


class Blocks:
    """A turn's blocks on the page, one below the other; only the last one grows, and tool calls change."""

    def __init__(self, box: Any, controls: Controls) -> None:
        self.box = box
        self._controls = controls
        self._first = page("")
        self.box.children = (self._first,)
        self._shown: list[tuple[Block, Callable[[Any], int]]] = []
        """Each block as it was shown last, and what shows it as it is now."""

    def only(self, html: str) -> Any:
        """Return the first page, with this on it. A page that was reloaded knows it already, as it would no new one."""
        self._first.value = wrapped(html)
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
            case TextBlock():
                pages = Pages(self._add, None if self._shown else self._first)
                return lambda block: pages.show(block.text)
            case MessageBlock():
                return self._show_message
            case ToolBlock():
                row = ToolRow(self._controls)
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

    def _show_message(self, block: MessageBlock) -> int:
        html = wrapped(said_html(block.text))
        self._add(page(html))
        return len(html)

    def _add(self, widget: Any) -> None:
        self.box.children = (*self.box.children, widget)


class Pages:
    """A growing text on the page. What is settled is sent once; only the last page is sent again.

    A code block that outgrows a page goes on on the next one.
    """

    def __init__(self, add: Callable[[Any], object], first: Any) -> None:
        self._add = add
        self._page = first
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
        html = wrapped(html)
        if self._page is None:
            self._page = page(html)
            self._add(self._page)
        elif html == self._page.value:
            return 0
        else:
            self._page.value = html
        return len(html)
