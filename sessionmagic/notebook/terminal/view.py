"""A running turn as plain text."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from IPython.display import clear_output

from sessionmagic.conversation.transcript import TextBlock, ToolBlock
from sessionmagic.notebook.captions import LINE_LENGTH
from sessionmagic.notebook.output import nothing
from sessionmagic.notebook.terminal.text import block_text, closing_text
from sessionmagic.notebook.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessionmagic.conversation.transcript import Transcript
    from sessionmagic.notebook.output import Displays, Output


class TextView:
    """A view that prints the answer as it arrives, for terminals and for front ends without widgets.

    Args:
        displays: Returns what the turn's tools have displayed.
        render: Given for a front end that can clear a cell's output. At the end, what it returns replaces the text.
        by_lines: Whether to print whole lines only, because a terminal at its prompt writes over unfinished lines.
    """

    def __init__(
        self,
        displays: Displays = nothing,
        render: Callable[[Transcript], Sequence[Output]] | None = None,
        *,
        by_lines: bool = False,
    ) -> None:
        self._displays = displays
        self._render = render
        self._out = _Lines() if by_lines else _Characters()
        self._printed: list[str] = []
        """The text printed so far of each block."""
        self._displayed: dict[str, int] = {}
        """How many displays of each call were shown."""
        self._asked: set[str] = set()
        """Ids of the calls whose arguments were printed when they waited for approval."""

    def open(self) -> None:
        pass

    def update(self, transcript: Transcript) -> int:
        written, displays = 0, self._displays(transcript)
        fresh = ""
        for at, block in enumerate(transcript.blocks):
            if isinstance(block, ToolBlock) and block.approval_id:
                self._asked.add(block.call_id)
            text = block_text(block, with_call=not isinstance(block, ToolBlock) or block.call_id not in self._asked)
            if at == len(self._printed):
                self._printed.append("")
            if text and not self._printed[at] and any(self._printed):
                fresh += "\n\n"
            if not text.startswith(self._printed[at]):  # a text has turned out to be a structured answer
                fresh, self._printed[at] = f"{fresh}\n\n", ""
            fresh += text[len(self._printed[at]) :]
            self._printed[at] = text
            if isinstance(block, ToolBlock) and block.outcome and block.call_id in displays:
                written += self._write_before(displays[block.call_id], block.call_id, fresh)
                fresh = ""
        self._out.write(fresh)
        # A question on stdin may follow, and all of the text must be printed before it.
        if transcript.blocks and not isinstance(transcript.blocks[-1], TextBlock):
            self._out.end()
        return written + len(fresh)

    def _write_before(self, displays: Sequence[Output], call_id: str, text: str) -> int:
        """Write the text up to a call and then what the call has displayed; return the length of the text."""
        shown = self._displayed.get(call_id, 0)
        self._displayed[call_id] = len(displays)
        self._out.write(text)
        if displays[shown:]:
            self._out.end()
        for output in displays[shown:]:
            output.display()
        return len(text)

    def rendered(self, transcript: Transcript) -> Sequence[Output]:
        return () if self._render is None else self._render(transcript)

    def finish(self, transcript: Transcript, outputs: Sequence[Output]) -> None:
        self.update(transcript)
        if self._render is not None:
            clear_output(wait=True)
            for output in outputs:
                output.display()
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
