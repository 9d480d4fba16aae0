"""The text of a tool call in a terminal, which grows while the call runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sessionmagic.notebook.captions import tool_line, written
from sessionmagic.notebook.excerpts import last_lines
from sessionmagic.notebook.terminal.text import EXCERPT_LINES, block_text, indented, work_text
from sessionmagic.words import counted

if TYPE_CHECKING:
    from sessionmagic.conversation.transcript import ToolBlock

RUNNING_SECONDS = 1.0
"""A call that runs for longer is written before it has ended."""


class CallText:
    """The text of one call so far.

    A terminal cannot change what was written. So a short call is written when it has ended, and a longer one as it
    goes: its arguments, then the lines that it prints, and at the end its outcome and what is new in its result.
    """

    def __init__(self) -> None:
        self._text = ""
        self._lines = 0
        """How many of the lines that the call has printed were written, or passed over because they were too many."""
        self._last = ""
        """The last of them that is not blank."""
        self._began_at = 0.0
        self._asked = False
        """Whether the arguments were written when the call waited for approval."""

    def grown(self, block: ToolBlock) -> str:
        """Return the text as it is now. It begins with the text of before."""
        self._asked = self._asked or bool(block.approval_id)
        if block.outcome is not None:
            return self._ended(block)
        if block.is_running:
            now = time.monotonic()
            self._began_at = self._began_at or now
            if block.lines or now - self._began_at >= RUNNING_SECONDS:
                self._text = "\n".join(filter(None, [self._text or self._begun(block), *self._new_lines(block)]))
        return self._text

    def _begun(self, block: ToolBlock) -> str:
        call = "" if self._asked else written(block.args)
        return "\n".join([tool_line(block), *([f"{indented(call)}\n"] if call else [])])

    def _new_lines(self, block: ToolBlock) -> list[str]:
        """Return the lines that the call has printed since the last time; only some of them if they are many."""
        new, self._lines = block.lines - self._lines, block.lines
        if not new:
            return []
        lines = block.printed.split("\n")[:-1][-min(new, EXCERPT_LINES) :]
        self._last = next((line for line in reversed(lines) if line.strip()), self._last)
        left = new - len(lines)
        noted = [f"[{counted(left, 'more line')} printed]"] if left else []
        return [indented(line) for line in [*noted, *lines]]

    def _ended(self, block: ToolBlock) -> str:
        if not self._text:
            return block_text(block, with_call=not self._asked)
        work = f"{work_text(block.work)}\n" if block.work is not None else ""
        rest = work + self._rest(block.content)
        return "\n".join([self._text, tool_line(block), *([indented(rest)] if rest.strip() else [])])

    def _rest(self, content: str) -> str:
        """Return what comes in a result after the lines that were written; its end if they are not in it."""
        lines = content.split("\n")
        if not self._last:
            return content
        written = [at for at, line in enumerate(lines) if line == self._last]
        return "\n".join(lines[written[-1] + 1 :]) if written else last_lines(content, EXCERPT_LINES - 1)
