"""What reads the values of keys. Each reader takes what is known of the file, the value and its path.

A reader raises `AgentsFileError` for a value of another form.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sessionmagic.agents.nodes import fail
from sessionmagic.agents.records import under
from sessionmagic.conversation.names import UNSEEN
from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models.blends import members_in
from sessionmagic.words import shortened, suggestion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.agents.nodes import Node
    from sessionmagic.agents.records import Read, Reading

TEXT_LIMIT = 200_000
"""Characters of a text, such as an instruction. That is about 50,000 tokens."""
NAME_LIMIT = 100
"""Characters of the name of an agent, a model or the like."""
LONGEST = 365 * 24 * 3600.0
"""Seconds of the longest duration."""
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_DURATION = re.compile(rf"\+?(?:0|(?:{_PART.pattern})+)", re.ASCII)


def text(reading: Reading, node: Node, path: str) -> str:
    """Return a text. A number or a boolean is what was written."""
    if isinstance(node.value, dict | list) or node.value is None:
        reading.wrong(node, path, "a text")
    found = node.value if isinstance(node.value, str) else node.text
    if len(found) > TEXT_LIMIT:
        fail(reading.where, node.line, f"{path} has {len(found):,} characters; use at most {TEXT_LIMIT:,}")
    return found


def flag(reading: Reading, node: Node, path: str) -> bool:
    """Return true or false."""
    if not isinstance(node.value, bool):
        reading.wrong(node, path, "true or false")
    return bool(node.value)


def number(least: float, most: float | None = None) -> Read:
    """Return what reads a number."""

    def read(reading: Reading, node: Node, path: str) -> float:
        _check_range(reading, node, path, (int, float), "a number", least, most)
        found: float = node.value
        return found

    return read


def whole(least: int, most: int | None = None) -> Read:
    """Return what reads a whole number."""

    def read(reading: Reading, node: Node, path: str) -> int:
        _check_range(reading, node, path, (int,), "a whole number", least, most)
        found: int = node.value
        return found

    return read


def _check_range(  # noqa: PLR0913, PLR0917
    reading: Reading, node: Node, path: str, kinds: Any, what: str, least: float, most: float | None
) -> None:
    value = node.value
    if isinstance(value, bool) or not isinstance(value, kinds) or value < least or (most is not None and value > most):
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        reading.wrong(node, path, f"{what} {limits}")


def one_of(words: Sequence[str]) -> Read:
    """Return what reads one of a few words."""

    def read(reading: Reading, node: Node, path: str) -> str:
        found = text(reading, node, path)
        if found not in words:
            fail(
                reading.where,
                node.line,
                f"{path} is {shortened(repr(found))}{suggestion(found, words, f'give {listed(words)}')}",
            )
        return found

    return read


def listed(words: Sequence[str]) -> str:
    """Return words as a sentence lists them."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def texts(reading: Reading, node: Node, path: str) -> tuple[str, ...]:
    """Return the texts of a list. One text stands for a list of it."""
    return _one_or_more(text, reading, node, path)


def reference(reading: Reading, node: Node, path: str) -> str:
    """Return a reference to a model, in which commas join the members of an alloy."""
    found = text(reading, node, path)
    try:
        members_in(found)
    except ModelReferenceError as error:
        fail(reading.where, node.line, f"{path}: {error}")
    return found


def references(reading: Reading, node: Node, path: str) -> tuple[str, ...]:
    """Return the references of a list. One reference stands for a list of it."""
    return _one_or_more(reference, reading, node, path)


def _one_or_more(read: Read, reading: Reading, node: Node, path: str) -> tuple[str, ...]:
    if isinstance(node.value, list):
        return tuple(read(reading, each, f"{path}[{index}]") for index, each in enumerate(node.value))
    return (read(reading, node, path),)


def list_of(read: Read) -> Read:
    """Return what reads a list, as a tuple."""

    def read_all(reading: Reading, node: Node, path: str) -> tuple[Any, ...]:
        if not isinstance(node.value, list):
            reading.wrong(node, path, "a list")
        return tuple(read(reading, each, f"{path}[{index}]") for index, each in enumerate(node.value))

    return read_all


def dict_of(read: Read) -> Read:
    """Return what reads a mapping whose keys are names or anything else. Keys without a value count as missing."""

    def read_all(reading: Reading, node: Node, path: str) -> dict[str, Any]:
        if not isinstance(node.value, dict):
            reading.wrong(node, path, "a mapping")
        given = {name: each for name, each in node.value.items() if each.value is not None}
        return {name: read(reading, each, under(path, name)) for name, each in given.items()}

    return read_all


def anything(_reading: Reading, node: Node, _path: str) -> Any:
    """Return whatever it is."""
    return node.plain


def anything_named(reading: Reading, node: Node, path: str) -> dict[str, Any]:
    """Return a mapping with whatever is in it."""
    if not isinstance(node.value, dict):
        reading.wrong(node, path, "a mapping")
    found: dict[str, Any] = node.plain
    return found


def seconds(reading: Reading, node: Node, path: str) -> float:
    """Return the seconds, to the millisecond, of a duration as Go writes it: ``1m30s``. A number means seconds."""
    value = node.value
    if isinstance(value, str) and (_DURATION.fullmatch(value.strip()) or not value.strip()):
        value = sum(float(amount) * _SECONDS[unit] for amount, unit in _PART.findall(value))
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST:
        reading.wrong(node, path, "a duration such as 30s or 1m30s, of at most a year")
    return round(float(value), 3)


def duration(amount: float) -> str:
    """Return seconds as a file has them."""
    return f"{amount:.0f}s" if amount == int(amount) else f"{amount * 1000:.0f}ms"


def check_name(reading: Reading, node: Node, name: str, what: str) -> None:
    """Raise an `AgentsFileError` if this cannot be the name of an agent, a model or the like."""
    if not name.strip() or name != name.strip() or UNSEEN.search(name) or len(name) > NAME_LIMIT:
        advice = f"use up to {NAME_LIMIT} visible characters, without blanks at the ends"
        fail(reading.where, node.line, f"{shortened(name)!r} is not a valid name of {what}; {advice}")


def named(read: Read, what: str) -> Read:
    """Return what reads a mapping by names. An entry without a value is read as an empty mapping.

    Args:
        read: Reads an entry; it finds its name at the end of the path.
        what: What the names are of, with its article.
    """

    def read_all(reading: Reading, node: Node, path: str) -> dict[str, Any]:
        if not isinstance(node.value, dict):
            reading.wrong(node, path, "a mapping of names")
        for name, each in node.value.items():
            check_name(reading, each, name, what)
        return {name: read(reading, each, f"{path}.{name}") for name, each in node.value.items()}

    return read_all
