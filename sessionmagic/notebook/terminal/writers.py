"""Write a growing answer to stdout: each character as it comes, or only whole lines."""

from __future__ import annotations

import sys

from sessionmagic.notebook.captions import LINE_LENGTH
from sessionmagic.notebook.visible import visible


class Characters:
    """Writes each character as it arrives."""

    def __init__(self) -> None:
        self._mid_line = False

    def write(self, text: str) -> None:
        """Write a text, with its control characters visible."""
        if text:
            self._mid_line = not text.endswith("\n")
            sys.stdout.write(visible(text))
            sys.stdout.flush()

    def markdown(self, text: str) -> None:
        """Write a piece of Markdown."""
        self.write(text)

    def status(self, line: str) -> None:
        """Show what the turn does now, if there is room for it; nothing if it is empty."""

    def end(self) -> None:
        """Write all that was held back, because something else may be written now."""

    def released(self) -> Characters:
        """Return a writer for the rest, which may be written while the user types at the prompt."""
        if self._mid_line:
            self.write("\n")
        return Lines()


class Lines(Characters):
    """Writes whole lines, for a terminal at its prompt, which writes over unfinished lines.

    A long line of prose is broken at a space, so that text does not wait for the end of a paragraph. Code,
    tables and indented lines are not broken.
    """

    def __init__(self) -> None:
        super().__init__()
        self._in_code = False
        self._begun = ""
        """The beginning of a line, held back until its end arrives."""
        self.ended = False
        """Whether the newline that comes next was written already."""

    def write(self, text: str) -> None:
        if self.ended and text:
            text, self.ended = text.removeprefix("\n"), False
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
            self._begun, self.ended = "", True

    def released(self) -> Characters:
        return self
