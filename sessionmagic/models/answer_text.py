"""The text of a streamed answer: characters that are cut in two, and reasoning between tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REASONING_FIELDS = ("reasoning", "reasoning_content")
"""The fields of chat completions in which pydantic-ai looks for reasoning, besides the one that the profile names.

It keeps the field's name as the id of the part.
"""
HIGH_HALVES = ("\ud800", "\udbff")
"""The first and the last code unit that begins a character of two."""


class Halves:
    """Joins characters whose two UTF-16 halves come in two chunks."""

    def __init__(self) -> None:
        self._held = ""

    def join(self, text: str) -> str:
        """Return the text that is complete now. A half without its other half becomes U+FFFD."""
        text, self._held = self._held + text, ""
        if text and HIGH_HALVES[0] <= text[-1] <= HIGH_HALVES[1]:
            text, self._held = text[:-1], text[-1]
        try:
            text.encode()
        except UnicodeEncodeError:
            return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return text

    def rest(self) -> str:
        """Return what is left at the end of the stream."""
        held, self._held = self._held, ""
        return "\ufffd" if held else ""


@dataclass(frozen=True, slots=True)
class Reasoned:
    """Marks that the answer's text so far was reasoning: its closing tag has come without an opening one."""


class ReasoningTags:
    """Finds the reasoning that stands between tags at the start of an answer, however the text is split.

    pydantic-ai 2.68 takes a tag for one only if it is a chunk by itself, and does so anywhere in the answer. So `split`
    returns a real tag as a piece by itself, and never a quoted one.

    Args:
        opening: The tag that begins the reasoning.
        closing: The tag that ends it.
    """

    def __init__(self, opening: str, closing: str) -> None:
        self._opening = opening
        self._closing = closing
        self._state: Literal["start", "reasoning", "gap", "open answer", "answer"] = "start"
        """An answer is open while a closing tag may still come that has no opening one."""
        self._held = ""
        """Text that may turn out to be the beginning of a tag."""
        self._before = Before(opening)

    @property
    def holds_text(self) -> bool:
        """Whether text is held back that is not blank."""
        return bool(self._held.strip())

    def split(self, text: str) -> Iterable[str | Reasoned]:
        """Return the pieces of text that are certain now."""
        has_begun = self._state in ("open answer", "answer") and not self._held
        if not has_begun or not text or self._opening[:1] in text or self._closing[:1] in text:
            return self._split(text)
        if self._state == "open answer":  # the usual piece, in which no tag begins
            self._before.add(text)
            self._state = "answer" if self._before.has_opening else "open answer"
        return (text,)

    def _split(self, text: str) -> Iterator[str | Reasoned]:
        alone = text == self._closing
        self._held += text
        while self._held:
            before = (self._state, self._held)
            match self._state:
                case "start":
                    yield from self._start()
                case "reasoning":
                    yield from self._reason()
                case "gap":
                    self._held = self._held.lstrip()
                    self._state = "answer" if self._held else "gap"
                case "open answer":
                    yield from self._answer(alone=alone)
                case "answer":
                    yield from self._quoted(self._held)
                    self._held = ""
            if before == (self._state, self._held):
                return

    def rest(self) -> Iterator[str | Reasoned]:
        """Return what was held back, because the text ends here."""
        if self._state == "open answer" and self._held == self._closing and not self._before.quotes:
            yield Reasoned()
        else:
            yield from self._quoted(self._held)
        self._state, self._held = "reasoning" if self._state == "reasoning" else "answer", ""

    def _start(self) -> Iterator[str]:
        begun = self._held.lstrip()
        if begun.startswith(self._opening):
            yield self._opening
            self._state, self._held = "reasoning", begun[len(self._opening) :]
        elif not self._opening.startswith(begun):
            self._state = "open answer"

    def _reason(self) -> Iterator[str]:
        reasoning, tag, rest = self._held.partition(self._closing)
        if tag:
            yield from self._quoted(reasoning)
            yield self._closing
            self._state, self._held = "gap", rest
        else:
            certain = len(reasoning) - _length_of_beginning(reasoning, self._closing)
            yield from self._quoted(reasoning[:certain])
            self._held = reasoning[certain:]

    def _answer(self, *, alone: bool) -> Iterator[str | Reasoned]:
        text, tag, rest = self._held.partition(self._closing)
        certain = len(text) - (0 if tag else _length_of_beginning(text, self._closing))
        self._before.add(text[:certain])
        if self._before.has_opening:
            self._state = "answer"
        elif not tag:
            self._held = text[certain:]
            yield from self._quoted(text[:certain])
        elif self._before.is_blank:
            self._state, self._held = "gap", rest
        elif not self._before.quotes and (alone or rest.startswith(("\n", "\r")) or self._before.ends_a_line):
            yield from filter(None, [text])
            yield Reasoned()
            self._state, self._held = "gap", rest
        elif rest or self._before.quotes:
            self._before.add(tag)
            self._held = rest
            yield from self._quoted(text + tag)
        else:  # what follows tells whether it is quoted
            self._held = tag
            yield from self._quoted(text)

    def _quoted(self, text: str) -> Iterator[str]:
        """Return a text in pieces none of which is a tag by itself."""
        if text in (self._opening, self._closing):
            yield from (text[:1], text[1:])
        elif text:
            yield text


class Before:
    """What must be known of the text before a closing tag, to tell a real tag from a quoted one.

    Args:
        opening: The opening tag.
    """

    def __init__(self, opening: str) -> None:
        self._opening = opening
        self._end = ""
        self._ticks = 0
        self.has_opening = False
        """Whether the text has an opening tag: it is about tags."""
        self.is_blank = True

    def add(self, text: str) -> None:
        """Add text."""
        recent = self._end + text
        self.has_opening = self.has_opening or self._opening in recent
        self.is_blank = self.is_blank and not text.strip()
        self._ticks += text.count("`")
        self._end = recent[-len(self._opening) :]

    @property
    def quotes(self) -> bool:
        """Whether what comes next is quoted: in code, or after a quotation mark."""
        return self._ticks % 2 == 1 or self._end.endswith(("'", '"', "“", "‘", "«", "„"))

    @property
    def ends_a_line(self) -> bool:
        """Whether what comes next begins a line."""
        return self._end.endswith("\n")


def _length_of_beginning(text: str, tag: str) -> int:
    """Return how many characters at the end of the text may be the beginning of the tag."""
    return next((length for length in range(len(tag) - 1, 0, -1) if text.endswith(tag[:length])), 0)
