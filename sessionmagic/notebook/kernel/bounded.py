"""A text of bounded size, written in pieces, as a terminal would show it."""

from __future__ import annotations

from collections import deque

from sessionmagic.conversation.printed import as_shown
from sessionmagic.words import between_words, counted

TEXT_LIMIT = 10_000
"""Characters of text that are kept, half of them from the end.

This is less than the limit of a tool's result, so that a text is not cut a second time.
"""


class BoundedText:
    """The beginning and the end of what is written. Colours, and progress that was written over, take no room."""

    def __init__(self) -> None:
        self._head: list[str] = []
        self._head_room = TEXT_LIMIT // 2
        self._tail: deque[str] = deque()
        self._tail_length = 0
        self._cut = 0
        self._line = ""
        """The line that is being written, which may be written over."""
        self.mid_line = False
        """Whether a line has begun."""

    def write(self, text: str) -> None:
        """Write a piece."""
        if not text:
            return
        self.mid_line = not text.endswith("\n")
        self._line += text
        if "\n" in text or len(self._line) > TEXT_LIMIT:
            lines, end, line = as_shown(self._line).rpartition("\n")
            kept = line if len(line) > TEXT_LIMIT else ""
            self._keep(f"{lines}{end}{kept}")
            self._line = line[len(kept) :]
        elif "\r" in text:
            self._line = as_shown(self._line)

    def _keep(self, text: str) -> None:
        if head := text[: self._head_room]:
            self._head.append(head)
            self._head_room -= len(head)
        if tail := text[len(head) :][-TEXT_LIMIT:]:
            self._cut += len(text) - len(head) - len(tail)
            self._tail.append(tail)
            self._tail_length += len(tail)
            while self._tail_length - len(self._tail[0]) >= TEXT_LIMIT // 2:
                self._tail_length -= len(self._tail[0])
                self._cut += len(self._tail.popleft())

    @property
    def text(self) -> str:
        """The text, with a note of how many characters were cut."""
        line = as_shown(self._line)
        head = "".join([*self._head, line[: self._head_room]])
        tail = "".join([*self._tail, line[self._head_room :]])
        cut = self._cut + max(0, len(tail) - TEXT_LIMIT // 2)
        tail = tail[-TEXT_LIMIT // 2 :]
        if cut:
            begin, end = between_words(f"{head}_", len(head), -1), between_words(f"_{tail}", 1, 1) - 1
            cut += len(head) - begin + end
            head, tail = head[:begin], tail[end:]
        note = f"\n[cut: {counted(cut, 'character')}]\n" if cut else ""
        return f"{head}{note}{tail}".strip("\r\n")
