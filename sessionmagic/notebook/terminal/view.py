"""A running turn as plain text."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from IPython.display import clear_output

from sessionmagic.conversation.transcript import TextBlock, ToolBlock
from sessionmagic.notebook.captions import LINE_LENGTH
from sessionmagic.notebook.static import show_answer
from sessionmagic.notebook.terminal.text import block_text, closing_text
from sessionmagic.notebook.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.conversation.transcript import Transcript


class TextView:
    """A view that prints the answer as it arrives, for terminals and for front ends without widgets.

    Args:
        show_again: Given for a front end that can clear a cell's output. At the end, the static answer replaces the
            text, and this is called with the session's name and the turn's id, to show the tools' displays again.
        by_lines: Whether to print whole lines only, because a terminal at its prompt writes over unfinished lines.
    """

    def __init__(self, show_again: Callable[[str, str], object] | None = None, *, by_lines: bool = False) -> None:
        self._show_again = show_again
        self._out = _Lines() if by_lines else _Characters()
        self._printed: list[str] = []
        """The text printed so far of each block."""
        self._asked: set[str] = set()
        """Ids of the calls whose arguments were printed when they waited for approval."""

    def open(self) -> None:
        pass

    def update(self, transcript: Transcript) -> int:
        fresh = ""
        for at, block in enumerate(transcript.blocks):
            if isinstance(block, ToolBlock) and block.approval_id:
                self._asked.add(block.call_id)
            text = block_text(block, with_call=not isinstance(block, ToolBlock) or block.call_id not in self._asked)
            if at == len(self._printed):
                self._printed.append("")
            if text and not self._printed[at] and any(self._printed):
                fresh += "\n\n"
            fresh += text[len(self._printed[at]) :]
            self._printed[at] = text
        self._out.write(fresh)
        # A question on stdin may follow, and all of the text must be printed before it.
        if transcript.blocks and not isinstance(transcript.blocks[-1], TextBlock):
            self._out.end()
        return len(fresh)

    def finish(self, transcript: Transcript, html: str) -> None:
        self.update(transcript)
        if self._show_again is not None:
            clear_output(wait=True)
            show_answer(transcript, html)
            self._show_again(transcript.session, transcript.turn_id)
            return
        self._out.end()
        self._out.write(f"\n{closing_text(transcript)}\n")

    def discard(self) -> None:
        pass


class _Characters:
    """Prints each character as it arrives."""

    def write(self, text: str) -> None:
        """Print a text, with its control characters visible."""
        if text:
            sys.stdout.write(visible(text))
            sys.stdout.flush()

    def end(self) -> None:
        """End the line that has begun, if part of it was held back."""


class _Lines(_Characters):
    """Prints whole lines, for a terminal at its prompt, which writes over unfinished lines.

    A long line of prose is broken at a space, so that text does not wait for the end of a paragraph. Code,
    tables and indented lines are not broken.
    """

    def __init__(self) -> None:
        self._in_code = False
        self._begun = ""
        """The beginning of a line, held back until its end arrives."""
        self._ended = False
        """Whether `end` has already printed the next newline."""

    def write(self, text: str) -> None:
        if self._ended and text:
            text, self._ended = text.removeprefix("\n"), False
        lines, end, self._begun = (self._begun + text).rpartition("\n")
        shown = lines + end
        fences = sum(line.lstrip().startswith(("```", "~~~")) for line in lines.split("\n"))
        self._in_code ^= fences % 2 == 1
        prose = not self._in_code and not self._begun.startswith((" ", "\t", "|"))
        while prose and len(self._begun) > LINE_LENGTH and " " in self._begun[:LINE_LENGTH]:
            words, _, _ = self._begun[:LINE_LENGTH].rpartition(" ")
            shown += f"{words}\n"
            self._begun = self._begun[len(words) + 1 :]
        super().write(shown)

    def end(self) -> None:
        if self._begun:
            super().write(f"{self._begun}\n")
            self._begun, self._ended = "", True
