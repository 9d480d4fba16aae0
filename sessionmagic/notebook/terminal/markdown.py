"""Write a growing answer as Markdown in a terminal. What was written is never changed again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol
from unicodedata import east_asian_width

from sessionmagic.notebook.terminal.writers import Characters, Lines
from sessionmagic.notebook.visible import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

CODE_LENGTH = 5_000
"""Characters of code that are coloured anew for each new line. What follows is coloured apart."""
CLEAR_LINE = "\r\x1b[K"
FAINT, NORMAL = "\x1b[2m", "\x1b[22m"


class MarkdownTerminal(Protocol):
    """A terminal that shows Markdown."""

    @property
    def width(self) -> int:
        """Characters of a line, now."""

    def lines(self, text: str, width: int) -> list[str]:
        """Return hostile Markdown as lines that are safe to write."""


class MarkdownWriter(Characters):
    """Writes each block of Markdown when later text cannot change it any more, a list by items and code by lines.

    All of it is whole lines, so that other code may write in between. Below them, one line says what the turn does now,
    until the writer is released.

    Args:
        terminal: The terminal.
        finished_blocks: Returns where each finished block at the start of a growing text ends.
        items_length: Returns how many characters are the finished items of a list, if it is one.
        cut_code: Returns how many characters are the whole lines of a code block that is not closed, if it is one, and
            the line that opens it again.
    """

    def __init__(
        self,
        terminal: MarkdownTerminal,
        finished_blocks: Callable[[str], list[int]],
        items_length: Callable[[str], int],
        cut_code: Callable[[str], tuple[int, str]],
    ) -> None:
        super().__init__()
        self._terminal = terminal
        self._finished_blocks, self._items_length, self._cut_code = finished_blocks, items_length, cut_code
        self._plain = Lines()
        """Writes what is not Markdown."""
        self._tail = ""
        """The Markdown that may still change."""
        self._width = 0
        """How wide the code block is that is being written; 0 if there is none."""
        self._code_lines = 0
        """How many lines of it were written."""
        self._apart = False
        """Whether a blank line comes before the next block of Markdown."""
        self._shows_status = True
        self._status = ""

    def write(self, text: str) -> None:
        if text:
            self._flush()
            self._clear_status()
            self._plain.write(text)

    def markdown(self, text: str) -> None:
        self._plain.end()
        self._tail += text
        self._write_settled()
        length, reopening = self._items_length(self._tail), ""
        if not length:
            length, reopening = self._cut_code(self._tail)
            if 0 < length <= CODE_LENGTH:
                self._write_lines(self._lines_of(self._tail[:length]))
                return
        if length:
            self._write_block(length)
            self._tail, self._apart = reopening + self._tail, False

    def status(self, line: str) -> None:
        room = max(self._terminal.width - 1, 1)
        line = one_line(line, room)
        if sum(2 if east_asian_width(character) in "WF" else 1 for character in line) > room:
            line = one_line(line, room // 2)
        if self._shows_status and line != self._status:
            sys.stdout.write(f"{CLEAR_LINE}{FAINT}{line}{NORMAL}" if line else CLEAR_LINE)
            sys.stdout.flush()
            self._status = line

    def end(self) -> None:
        self._flush()
        self._clear_status()
        self._plain.end()

    def released(self) -> Characters:
        self._clear_status()
        self._shows_status = False
        return self

    def _flush(self) -> None:
        if self._tail.strip():
            self._tail += "\n"
            self._write_settled()
            self._write_block(len(self._tail))
        self._tail, self._apart = "", False

    def _write_settled(self) -> None:
        """Write the blocks that do not change any more."""
        written = 0
        for end in self._finished_blocks(self._tail):
            self._write_block(end - written)
            self._apart, written = True, end

    def _write_block(self, length: int) -> None:
        """Write the beginning of the tail, which is one block or a part of one."""
        text, self._tail = self._tail[:length], self._tail[length:]
        self._write_lines(self._lines_of(text))
        self._width = self._code_lines = 0

    def _lines_of(self, text: str) -> list[str]:
        """Return rendered Markdown. The lines of an open code block have one width, or they could not be counted."""
        self._width = self._width or self._terminal.width
        return self._terminal.lines(text.strip("\n"), self._width)

    def _write_lines(self, lines: list[str]) -> None:
        """Write lines of a block, without those of an open code block that were written before."""
        new = lines[self._code_lines :]
        if not new:
            return
        if self._apart and not self._code_lines:
            new = ["", *new]
        self._clear_status()
        self._code_lines = len(lines)
        sys.stdout.write("".join(f"{line}\n" for line in new))
        sys.stdout.flush()
        self._plain.ended = True

    def _clear_status(self) -> None:
        self.status("")


def markdown_terminal() -> MarkdownTerminal | None:
    """Return stdout as a terminal that shows Markdown if it is one and rich is installed; else None."""
    try:
        from sessionmagic.notebook.terminal.rich_terminal import RichTerminal
    except ImportError:
        return None
    return RichTerminal.here()
