"""The messages of a stored turn as they are sent, read once for as long as the record is the same object."""

from __future__ import annotations

import weakref
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sessionmagic.keys.cleaning import messages_without_keys
from sessionmagic.keys.shapes import is_loaded
from sessionmagic.turns.context_size import uncounted
from sessionmagic.turns.foreign import LeftOut, problem_with, without_foreign_parts
from sessionmagic.turns.messages import as_history, without_tool_images

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage

    from sessionmagic.conversation.session import TurnRecord
    from sessionmagic.turns.messages import Messages

LARGEST_KEPT = 100_000
"""Characters of the largest turn that is kept. Images would be held twice, and are rare enough to be read again."""


@dataclass(frozen=True, slots=True)
class ReadTurn:
    """A turn's messages as far as they can be sent, in both forms."""

    messages: Messages
    said: list[ModelMessage]
    """The same as objects of pydantic-ai, which nobody changes."""
    left_out: Counter[str] = field(default_factory=Counter)
    """What does not come from our own code."""
    problem: str | None = None
    """Why the messages cannot be read. Then there are none."""


Form = tuple[bool, bool]
"""Whether the images of tools stay in the messages, and what the provider has counted."""
_kept: dict[int, tuple[weakref.ref[TurnRecord], dict[Form, ReadTurn]]] = {}
"""What was read of each record that is still in use, by the record's `id`."""


def read(turn: TurnRecord, *, with_images: bool = True, with_counts: bool = True) -> ReadTurn:
    """Return a turn's messages as far as they can be sent. Those of a record that was read before cost nothing.

    Args:
        turn: The turn.
        with_images: Whether the images stay that were sent along with the results of tools.
        with_counts: Whether it stays what responses tell about the context that they were given in.
    """
    forms = _forms_of(turn)
    form = with_images, with_counts
    if (known := forms.get(form)) is not None:
        return known
    new = _read(turn.messages, with_images=with_images, with_counts=with_counts)
    if _is_at_most(turn.messages, LARGEST_KEPT):
        forms[form] = new
    return new


def _forms_of(turn: TurnRecord) -> dict[Form, ReadTurn]:
    key = id(turn)
    entry = _kept.get(key)
    if entry is None or entry[0]() is not turn:

        def forget(reference: weakref.ref[TurnRecord]) -> None:
            if (found := _kept.get(key)) is not None and found[0] is reference:
                del _kept[key]

        entry = _kept[key] = (weakref.ref(turn, forget), {})
    return entry[1]


def _read(stored: Messages, *, with_images: bool, with_counts: bool) -> ReadTurn:
    if problem := problem_with(stored):
        return ReadTurn([], [], problem=problem)
    left_out = LeftOut()
    messages = without_foreign_parts(stored, left_out)
    messages = messages if with_images else without_tool_images(messages)
    messages = messages if with_counts else uncounted(messages)
    if not is_loaded():  # another process may have stored a key whose shape only the scanner knows
        messages_without_keys(messages)
    return ReadTurn(messages, as_history(messages), left_out.counts)


def _is_at_most(value: Any, characters: int) -> bool:
    """Return whether the texts in a value have at most so many characters."""
    level = [value]
    while level:
        characters -= sum(len(each) for each in level if isinstance(each, str))
        if characters < 0:
            return False
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return True
