"""Parts of messages: an exception in words, a suggestion for an unknown word, and text made short and printable."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from sessionmagic.keys.cleaning import without_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

LIKENESS = 0.65
"""How similar a known word must be to be suggested, from 0 to 1. With difflib's 0.6, "nope" suggests "openai"."""
LONGEST_KEY = 5_000
"""Characters of the longest key that is found where a text is cut."""
LONGEST_WORD = 200
"""Characters of the longest word that is not cut in two."""
NO_ANSWER = "(no answer)"
"""What is shown for the empty answer of a turn that was stopped or has failed."""
SHOWN_LIMIT = 60
"""The number of characters that a message quotes of the user's own text."""


def words_of(error: BaseException) -> str:
    """Return the type and message of any exception, or only the type if its `__str__` raises."""
    try:
        return f"{type(error).__name__}: {error}"
    except BaseException:  # noqa: BLE001
        return type(error).__name__


def suggestion(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return the end of an error message: ``"; did you mean 'x'?"``, or other advice when no known word is close."""
    close = get_close_matches(word, list(known), n=1, cutoff=LIKENESS)
    advice = f"did you mean {close[0]!r}?" if close else otherwise
    return f"; {advice}" if advice else ""


def typed(word: str) -> str:
    """Return a word, such as a session's name, as a user types it: in quotes if necessary."""
    if re.fullmatch(r"[^\s'\"]+", word):
        return word
    return f'"{word}"' if '"' not in word else f"'{word}'"


def shortened(text: str, length: int = SHOWN_LIMIT) -> str:
    """Return a text cut to `length` characters; a text that is cut ends in "…".

    Keys are left out of it before, because half of one cannot be told from other text.
    """
    if len(text) <= length:
        return text
    text = without_keys(text[: length + LONGEST_KEY])
    return text if len(text) <= length else text[: length - 1] + "…"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``"1 turn"`` or ``"2 turns"``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def times(number: int) -> str:
    """Return in words how often something is there, such as ``"once"`` or ``"3 times"``."""
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def printable(text: str) -> str:
    """Return a text with a replacement character in place of each character that cannot be printed."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def between_words(text: str, at: int, step: int) -> int:
    """Return where a text can be cut near a place, so that no key is cut in two, of which half could be read.

    Args:
        text: The text.
        at: The place.
        step: 1 to look for a gap behind it, -1 to look before it.
    """
    for place in range(at, at + step * LONGEST_WORD, step):
        if not 0 < place < len(text):
            break
        if not (_in_word(text[place - 1]) and _in_word(text[place])):
            return place
    return at


def _in_word(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character in "_-+/=.")
