"""Leave keys out of a text that arrives in pieces."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING

from sessionmagic.keys.assigned import may_name_a_secret
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.keys.known import KEY_LENGTH, KNOWN

if TYPE_CHECKING:
    from sessionmagic.keys.cleaning import Note

HELD_LENGTH = 20_000
"""Characters that are held back at most."""
CONTEXT_LENGTH = 300
"""Characters before a piece that are read with it, so that a name and its value are seen together."""
NAME_LENGTH = 100
"""Characters before a word in which a name is looked for that makes it a secret."""
_IN_WORD = "".join(map(chr, range(ord("!"), ord("~") + 1)))
"""The characters of keys. Languages that write no spaces use others."""
_PLAIN_WORD = re.compile(r"[!-~]{1,4}|[(\[*_`'\"]{0,3}[A-Za-z][a-z]{0,11}[.,:;!?)\]*_`'\"]{0,4}")
"""A word that is passed on before it is complete, unless the text says that it may become a key."""
_PLAIN_WORDS = re.compile(rf"(?:\s|[^\0-\x7f]|(?<![!-~])(?:{_PLAIN_WORD.pattern})(?![!-~]))*+")
_AFTER_NAME = re.compile(
    r"""
    (?:(?:key|secret|token|passw\w*|kennwort|passphrase|pwd|(?<![a-z])pw|(?<![a-z])pass|credentials?|value)\d{0,3}
         (?:["'`\]]|\\)*,? | bearer | basic | authorization["']? | [?&][\w-]*)
    \*{0,2} (?:\s{0,3}:[\s\w.\[\]|]{0,40})? (?:\s{1,3}(?:is|ist|lautet))? [\s:：=*!>]{0,6}
    [bfru]{0,2}(?:["'`]|\\){0,3}\Z
    """,
    re.IGNORECASE | re.VERBOSE,
)
_NAME_PARTS = (
    "key",
    "secret",
    "token",
    "pass",
    "kennwort",
    "pwd",
    "pw",
    "credential",
    "value",
    "bearer",
    "basic",
    "authorization",
    "?",
    "&",
)
"""One of these is in each text in which `_AFTER_NAME` finds something. Looking for them is ten times faster."""
_PEM_BEGIN, _PEM_END = "-----BEGIN ", re.compile("-----END [A-Z ]+-----")


class StreamedText:
    """A text that arrives in pieces. A word that may be the beginning of a key is held back until it is complete."""

    def __init__(self) -> None:
        self._held = ""
        self._context = ""
        """The end of what was passed on, as it came."""
        self._shown = ""
        """The same, as it was passed on."""

    def add(self, piece: str, note: Note | None = None) -> str:
        """Take the next piece, and return what can be passed on."""
        self._held += piece
        at = len(self._held) if len(self._held) > HELD_LENGTH else self._safe_length()
        ready, self._held = self._held[:at], self._held[at:]
        return self._passed_on(ready, note)

    def end(self, note: Note | None = None) -> str:
        """Return what was held back."""
        ready, self._held = self._held, ""
        return self._passed_on(ready, note)

    def _safe_length(self) -> int:
        """Return up to where the held text has no unfinished key."""
        text = self._context + self._held
        start = len(text.rstrip(_IN_WORD))
        at = len(text) if start == len(text) or _is_plain(text[start:], text[:start]) else start
        begin = text.rfind(_PEM_BEGIN)
        end = _PEM_END.search(text, begin) if begin >= 0 else None
        if begin >= 0 and (end is None or end.end() > at):
            at = min(at, begin)
        for value in _with_blanks(tuple(KNOWN.names)):
            begun = text.rfind(value[:KEY_LENGTH])
            if begun >= 0 and value.startswith(text[begun:]):
                at = min(at, begun)
        return max(0, at - len(self._context))

    def _passed_on(self, ready: str, note: Note | None) -> str:
        if not ready:
            return ""
        raw = self._context + ready
        line = raw.rfind("\n") + 1
        context = raw[max(line, len(raw) - CONTEXT_LENGTH) :]
        if self._shown == self._context and _is_harmless(raw, ready):  # most pieces of an answer
            self._context = self._shown = context
            return ready
        cleaned = without_keys(raw, note, look=False)
        passed = cleaned[_same_length(cleaned, self._shown) :]
        self._context = context
        self._shown = context if cleaned == raw else without_keys(context, look=False)
        return passed


def _same_length(one: str, other: str) -> int:
    """Return how many characters at the beginning of two texts are the same."""
    if one.startswith(other):
        return len(other)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _is_plain(word: str, before: str) -> bool:
    """Return whether the last word of a text cannot be the beginning of a key, or too little of it to matter."""
    if not _PLAIN_WORD.fullmatch(word) or word.endswith(_beginnings(tuple(KNOWN.names))):
        return False
    before = before[-NAME_LENGTH:]
    folded = before.casefold()
    return not (any(part in folded for part in _NAME_PARTS) and _AFTER_NAME.search(before))


@lru_cache(maxsize=1)
def _beginnings(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value[:length] for value in values for length in range(2, KEY_LENGTH))


@lru_cache(maxsize=1)
def _with_blanks(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the keys of several lines or words."""
    return tuple(value for value in values if any(map(str.isspace, value)))


def _is_harmless(text: str, end: str) -> bool:
    """Return whether the end of a text is plain words that no name before them makes a key."""
    return (
        _PLAIN_WORDS.fullmatch(end) is not None
        and not may_name_a_secret(text)
        and not any(value in text for value in KNOWN.names)
    )
