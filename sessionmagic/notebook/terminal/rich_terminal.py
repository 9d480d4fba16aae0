"""Render hostile Markdown for a terminal with rich. Imported only where rich is installed."""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markdown import CodeBlock, Markdown, TableElement
from rich.syntax import Syntax
from rich.text import Text

from sessionmagic.notebook.visible import visible

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from rich.console import ConsoleOptions, RenderResult

LONGEST = 20_000
"""Characters of a block; a longer one is written as it is."""
DEEPEST = 15
"""Levels of nested blocks; the parser drops those that are some levels deeper."""
INDENT = 3
"""Characters by which a level is indented."""
LEAST_WIDTH = 4
"""Characters that each column of a table needs. A table without that room is written row by row."""
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


class RichTerminal:
    """A terminal that shows Markdown."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @classmethod
    def here(cls) -> RichTerminal | None:
        """Return stdout as such a terminal; None if it is a file, a pipe, or a terminal that only shows text."""
        console = Console(force_jupyter=False, highlight=False)
        shows = console.is_terminal and sys.stdout.isatty()
        return None if console.is_dumb_terminal or console.legacy_windows or not shows else cls(console)

    @property
    def width(self) -> int:
        """Characters of a line, now."""
        return self._console.width

    def lines(self, text: str, width: int) -> list[str]:
        """Return Markdown as lines to write, or the text as it is if it cannot be rendered.

        Nothing is hidden: raw HTML, images and backslashes are text, and the address of each link follows it.
        """
        text = visible(text)
        if len(text) <= LONGEST:
            try:
                with self._console.capture() as captured:
                    self._console.print(_Document(text, width), width=width, end="")
                return _without_margins([line.rstrip() for line in captured.get().split("\n")])
            except Exception:  # noqa: BLE001, S110  the text breaks the parser or the renderer
                pass
        return text.split("\n")


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])
    return parser.disable(["image", "html_block", "html_inline", "escape", "reference"])


class _Table(TableElement):
    """A table whose long words are broken; rich would cut them."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rows = [self.header.row if self.header else None, *(self.body.rows if self.body else ())]
        cells = [[cell.content for cell in row.cells] for row in rows if row is not None]
        if LEAST_WIDTH * max(map(len, cells), default=0) > options.max_width:
            yield Text("\n").join(Text(" | ").join(row) for row in cells)
            return
        for table in super().__rich_console__(console, options):
            for column in getattr(table, "columns", ()):
                column.overflow = "fold"
            yield table


class _Code(CodeBlock):
    """A code block without a margin, so that the code can be copied."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Syntax(str(self.text).rstrip(), self.lexer_name, theme=self.theme, word_wrap=True)


class _Document(Markdown):
    elements = Markdown.elements | {"table_open": _Table, "fence": _Code, "code_block": _Code}

    def __init__(self, text: str, width: int) -> None:
        super().__init__("", hyperlinks=False)
        self.parsed = _parser().parse(text)
        levels = [token.level for token in self.parsed if token.type in ("list_item_open", "blockquote_open")]
        if max(levels, default=0) >= min(DEEPEST, width // INDENT):
            raise ValueError("nested too deeply")
        for token in self.parsed:
            for part in token.children or ():  # entities may stand for control characters
                part.content = visible(part.content)
                part.attrs = {name: visible(str(value)) for name, value in part.attrs.items()}


def _without_margins(lines: list[str]) -> list[str]:
    """Return lines without blank ones at the beginning and the end."""
    shown = [at for at, line in enumerate(lines) if _STYLE.sub("", line).strip()]
    return lines[shown[0] : shown[-1] + 1] if shown else []
