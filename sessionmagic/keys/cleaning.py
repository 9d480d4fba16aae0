"""Leave keys out of texts, and out of values that contain texts: JSON, messages, records.

Two boundaries call it: the store, for all that it writes, and `turns.sender`, for all that goes to a model. The events
of a turn pass it too, as they are what is shown.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from sessionmagic.keys.assigned import is_secret, kind_of, without_assigned
from sessionmagic.keys.known import KNOWN
from sessionmagic.keys.shapes import keys_in

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    Note = Callable[[str], object]
    """Called with what was left out, such as "a password", and never with the secret itself."""

T = TypeVar("T")

LEFT_OUT = "[key left out]"
"""Stands in the place of a key. A model can read it, and no rule takes it for a key."""
CLEAN_KEPT = 100_000
"""How many texts without keys are remembered, by their hashes."""
NOT_TEXT = frozenset(
    {
        *("id", "parent", "previous_head", "head", "status", "error_code", "cell_id", "agent", "model", "requests"),
        *("kind", "part_kind", "state", "finish_reason", "outcome", "timestamp", "usage", "metadata", "tool_call_id"),
        *("run_id", "conversation_id", "model_name", "provider_name", "provider_url", "provider_response_id"),
        *("signature", "data", "media_type", "identifier"),
    }
)
"""The fields of records and messages that hold no text of a user, a tool or a model: ids, names and encoded bytes."""


class _Clean:
    """The texts that are known to have no keys, as long as no new key becomes known."""

    def __init__(self) -> None:
        self.names: Mapping[str, str] = KNOWN.names
        self.texts: set[tuple[int, int]] = set()

    def has(self, text: str, names: Mapping[str, str]) -> bool:
        if names is not self.names or len(self.texts) > CLEAN_KEPT:
            self.names, self.texts = names, set()
        return (hash(text), len(text)) in self.texts

    def add(self, text: str, names: Mapping[str, str]) -> None:
        if names is self.names:  # otherwise, another thread has learned a key meanwhile
            self.texts.add((hash(text), len(text)))


_clean = _Clean()


def without_keys(text: str, note: Note | None = None, *, others: Collection[str] = (), look: bool = True) -> str:
    """Return the text with `LEFT_OUT` in place of each key, password and token.

    Args:
        text: Any text: prose, code, JSON.
        note: Called for each kind of secret that was left out.
        others: Further values to leave out.
        look: Whether to look first for new keys in the environment.
    """
    if look:
        KNOWN.look()
    if others:  # with the known keys, as one of these may begin with another
        for secret in sorted({*others, *KNOWN.names}, key=len, reverse=True):
            text = text.replace(secret, LEFT_OUT)
    names = KNOWN.names
    if _clean.has(text, names):
        return text
    cleaned = _without_keys(text, names, note)
    if cleaned == text:
        _clean.add(text, names)
    return cleaned


def is_known_clean(text: str) -> bool:
    """Return whether a text was looked at before and has no keys. Much faster than looking again."""
    return _clean.has(text, KNOWN.names)


def _without_keys(text: str, names: Mapping[str, str], note: Note | None) -> str:
    tell = note or (lambda _: None)
    for value, name in names.items():
        if value in text:
            tell(name)
            text = text.replace(value, LEFT_OUT)
    for key in sorted(set(keys_in(text)), key=len, reverse=True):
        tell("a key")
        text = text.replace(key, LEFT_OUT)

    def replaced(_: str, kind: str) -> str:
        tell(kind)
        return LEFT_OUT

    return without_assigned(text, replaced)


def without_keys_in(value: T, note: Note | None = None, *, look: bool = True) -> T:
    """Return a value with all texts in it cleaned by `without_keys`; the value itself if there was nothing to do.

    Args:
        value: JSON, a dataclass, or a list of these.
        note: Called for each kind of secret that was left out.
        look: Whether to look first for new keys in the environment.
    """
    if look:
        KNOWN.look()
    cleaned: T = _walked(value, note, "")
    return cleaned


def _walked(value: Any, note: Note | None, name: str) -> Any:
    """Return a cleaned value; `name` is the field or the key under which it stands."""
    match value:
        case str():
            return _text(value, note, name)
        case list() | tuple():
            items = [_walked(item, note, name) for item in value]
            return value if all(map(_is, items, value)) else type(value)(items)
        case dict():
            skipped = NOT_TEXT if _is_of_a_message(value) else ()
            return _mapping(value, note, skipped)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return _record(value, note)
        case _:
            return value


def _text(text: str, note: Note | None, name: str) -> str:
    if name == "args" and text[:1] in "{[":  # the JSON of a call's arguments
        try:
            given = json.loads(text)
        except (ValueError, RecursionError):
            pass
        else:
            cleaned = _walked(given, note, "")
            return text if cleaned is given else json.dumps(cleaned, ensure_ascii=False)
    if name and text != LEFT_OUT and is_secret(name, text):
        if note:
            note(kind_of(name))
        return LEFT_OUT
    return without_keys(text, note, look=False)


def _mapping(value: dict[Any, Any], note: Note | None, skipped: Collection[str]) -> dict[Any, Any]:
    items = {
        (_walked(key, note, "") if isinstance(key, str) else key): (
            each if key in skipped or _is_encoded(key) else _walked(each, note, str(key))
        )
        for key, each in value.items()
    }
    same = len(items) == len(value) and all(map(_is, items.values(), value.values())) and items.keys() == value.keys()
    return value if same else items


def _record(value: Any, note: Note | None) -> Any:
    kind: Any = type(value)
    changes = {
        name: walked
        for name in _walked_fields(kind)
        if (walked := _walked(each := getattr(value, name), note, name if name == "args" else "")) is not each
    }
    if not changes:
        return value
    if "signature" in {field.name for field in fields(value)}:
        changes["signature"] = None  # it would no longer fit
    return replace(value, **changes)


@cache
def _walked_fields(kind: Any) -> tuple[str, ...]:
    names = [field.name for field in fields(kind)]
    return () if "data" in names else tuple(name for name in names if name not in NOT_TEXT)


def _is_of_a_message(value: dict[Any, Any]) -> bool:
    """Return whether a dict is a message, a part of one, or a file in one, in pydantic-ai's JSON form."""
    return "part_kind" in value or ("kind" in value and ("parts" in value or "data" in value or "url" in value))


def _is_encoded(name: object) -> bool:
    return isinstance(name, str) and ("signature" in name or "encrypted" in name)


def _is(one: object, other: object) -> bool:
    return one is other
