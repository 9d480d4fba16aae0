"""What was said in a turn, the user's prompt and the model's answer, and where words stand in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.conversation.session import TurnRecord

EXCERPT_LENGTH = 160
"""Characters of a sentence that is shown for a hit; a longer one is cut around the word."""
SENTENCE_END = re.compile(r"(?<=[.!?…])\s|\n")


@dataclass(frozen=True, slots=True)
class TurnKey:
    """Which turn of which session, by their ids."""

    session: str
    turn: str


def said_in(turn: TurnRecord) -> str:
    """Return what was said in a turn: the prompt, the user's later messages, and the answer."""
    texts = [turn.prompt]
    first = True
    for message in turn.messages:
        for part in message.get("parts", ()):
            content: Any = part.get("content")
            if part.get("part_kind") == "user-prompt":
                texts += [] if first else [content]
                first = False
            elif part.get("part_kind") == "text":
                texts.append(content)
    return "\n".join(text for text in texts if isinstance(text, str) and text)


def folded(text: str) -> str:
    """Return a text in the form in which texts and words are compared, without regard to upper and lower case."""
    return text.casefold().replace("\0", "\ufffd").encode(errors="replace").decode()


def has_words(text: str, words: Sequence[str]) -> bool:
    """Return whether a folded text has all these folded words, as they are written: none is a pattern."""
    return all(word in text for word in words)


def sentence_with(text: str, words: Sequence[str]) -> str:
    """Return the sentence of a text that has the most of these folded words, the first one if several have.

    It is on one line, and cut around the first of the words if it is long.
    """
    sentences = [(part, folded(part)) for part in SENTENCE_END.split(text)]
    sentence, _ = max(sentences, key=lambda each: sum(word in each[1] for word in words))
    line = " ".join(sentence.split())
    places = [folded(line).find(word) for word in words]  # near the words, as folding may change the length of a text
    at = min((place for place in places if place >= 0), default=0)
    start = max(0, min(at - EXCERPT_LENGTH // 2, len(line) - EXCERPT_LENGTH))
    shown = line[start : start + EXCERPT_LENGTH]
    return f"{'…' if start else ''}{shown}{'…' if start + EXCERPT_LENGTH < len(line) else ''}"
