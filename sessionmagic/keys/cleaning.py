"""Leave keys out of texts, and out of values that contain texts: JSON, messages, records.

Two boundaries call it: the store, for all that it writes, and `turns.sender`, for all that goes to a model. The events
of a turn pass it too, as they are what is shown.
"""

from __future__ import annotations

import base64
import json
import re
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from sessionmagic.keys.assigned import is_secret, kind_of, without_assigned
from sessionmagic.keys.known import KNOWN, without_known
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
        *("kind", "part_kind", "state", "finish_reason", "outcome", "timestamp", "usage", "tool_call_id"),
        *("run_id", "conversation_id", "model_name", "provider_name", "provider_url", "provider_response_id"),
        *("signature", "media_type", "identifier", "notebook", "fingerprint", "origin", "covers", "caller"),
    }
)
"""The fields of our records and of messages that hold no text of a user, a tool or a model: ids and names."""
READABLE = re.compile(r"text/|application/(?:.*\+)?(?:json|xml|yaml|x-yaml|toml)")
"""Media types of files that are sent as text."""


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

    def replaced(_: str, kind: str) -> str:
        tell(kind)
        return LEFT_OUT

    text = without_known(text, names, replaced)
    for key in sorted(set(keys_in(text)), key=len, reverse=True):
        tell("a key")
        text = text.replace(key, LEFT_OUT)
    return without_assigned(text, replaced)


def without_keys_in(value: T, note: Note | None = None, *, look: bool = True) -> T:
    """Return a value with all texts in it cleaned by `without_keys`; the value itself if there was nothing to do.

    Args:
        value: JSON, a part of a message, a record, or a list of these.
        note: Called for each kind of secret that was left out.
        look: Whether to look first for new keys in the environment.
    """
    if look:
        KNOWN.look()
    cleaned: T = _walked(value, note)
    return cleaned


def messages_without_keys(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return messages in pydantic-ai's JSON form without keys. Their ids and encoded bytes stay as they are."""
    KNOWN.look()
    cleaned: list[dict[str, Any]] = _walked(messages, None, ours=True)
    return cleaned


def _walked(value: Any, note: Note | None, name: str = "", *, ours: bool = False) -> Any:
    """Return a cleaned value.

    Args:
        value: The value.
        note: As above.
        name: The field or the key under which it stands.
        ours: Whether its dicts are messages. Others come from a user, a tool or a model, and all of them is text.
    """
    match value:
        case str():
            return _text(value, note, name)
        case list() | tuple():
            items = [_walked(item, note, ours=ours) for item in value]
            same = all(map(_is, items, value))
            return value if same else items if isinstance(value, list) else tuple(items)
        case dict():
            return _mapping(value, note, ours=ours)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return _record(value, note)
        case _:
            return value


def _text(text: str, note: Note | None, name: str) -> str:
    if name == "args" and text[:1] in "{[":  # the JSON of a call's arguments
        with suppress(ValueError, RecursionError):
            given = json.loads(text)
            cleaned = _walked(given, note)
            return text if cleaned is given else json.dumps(cleaned, ensure_ascii=False)
    if name and text != LEFT_OUT and is_secret(name, text):
        if note:
            note(kind_of(name))
        return LEFT_OUT
    return without_keys(text, note, look=False)


def _mapping(value: dict[Any, Any], note: Note | None, *, ours: bool) -> dict[Any, Any]:
    items: dict[Any, Any] = {}
    for key, each in value.items():
        if ours and (key in NOT_TEXT or _is_encoded(key)):
            items[key] = each
        elif key == "data" and value.get("kind") == "binary" and "media_type" in value:
            items[key] = _base64(each, str(value["media_type"]), note)
        elif ours:
            items[key] = _walked(each, note, key, ours=not _holds_json(value, key))
        else:
            name = value["name"] if key == "value" and isinstance(value.get("name"), str) else str(key)
            items[_walked(key, note)] = _walked(each, note, name)
    same = len(items) == len(value) and all(map(_is, items.values(), value.values())) and items.keys() == value.keys()
    return value if same else items


def _holds_json(part: dict[Any, Any], key: Any) -> bool:
    """Return whether the field of a message's part holds what a tool was given or has returned."""
    return key == "args" or (key == "content" and "tool_name" in part)


def _record(value: Any, note: Note | None) -> Any:
    kind: Any = type(value)
    names = _walked_fields(kind)
    if "data" in names:  # a file
        if not isinstance(value.data, bytes) or not READABLE.match(str(getattr(value, "media_type", ""))):
            return value
        data = _bytes(value.data, note)
        return value if data is value.data else replace(value, data=data)
    changes: dict[str, Any] = {}
    for name in names:
        each = getattr(value, name)
        walked = _walked(each, note, name if name == "args" else "", ours=_is_ours(value, name))
        if walked is not each:
            changes[name] = walked
    if not changes:
        return value
    if "signature" in {field.name for field in fields(value)}:
        changes["signature"] = None  # it would no longer fit
    return replace(value, **changes)


@cache
def _walked_fields(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name not in NOT_TEXT)


def _is_ours(record: Any, name: str) -> bool:
    """Return whether the dicts in a field of a record are messages, or details that a provider has added to one."""
    kind: Any = type(record)
    return name == "provider_details" or (name == "messages" and "prompt" in _walked_fields(kind))


def _base64(data: Any, media_type: str, note: Note | None) -> Any:
    if not isinstance(data, str) or not READABLE.match(media_type):
        return data
    try:
        content = base64.b64decode(data, altchars=b"-_") if set("-_") & set(data) else base64.b64decode(data)
    except ValueError:
        return data
    cleaned = _bytes(content, note)
    return data if cleaned is content else base64.b64encode(cleaned).decode()


def _bytes(content: bytes, note: Note | None) -> bytes:
    text = content.decode(errors="surrogateescape")
    cleaned = without_keys(text, note, look=False)
    return content if cleaned == text else cleaned.encode(errors="surrogateescape")


def _is_encoded(name: object) -> bool:
    return isinstance(name, str) and ("signature" in name or "encrypted" in name)


def _is(one: object, other: object) -> bool:
    return one is other
