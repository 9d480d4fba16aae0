"""A file's content as nodes: plain values that know on which line they stand.

They are made of YAML (`yaml_text`) or of a Python dict, within limits that hold for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, NoReturn

from sessionmagic.exceptions import AgentsFileError
from sessionmagic.keys.assigned import is_secret
from sessionmagic.keys.cleaning import LEFT_OUT, without_keys
from sessionmagic.keys.known import KNOWN
from sessionmagic.words import printable

if TYPE_CHECKING:
    from collections.abc import Callable

DEPTH = 64
"""How deep values may be nested."""
NODES = 10_000
"""How many values there may be, with those of an alias counted each time it is used."""
WHOLE = 2**63
"""Whole numbers are smaller than this, in either direction."""
SURROGATES = frozenset(map(chr, range(0xD800, 0xE000)))


@dataclass(frozen=True, slots=True)
class Node:
    """A value, and where it stands."""

    value: Any
    """None, a boolean, a number, a text, a list of nodes, or a dict of nodes by their keys."""
    line: int | None = None
    """The line of its key, or else its own; None in a Python dict."""
    text: str = ""
    """What was written, if it is not a list or a dict: ``1_000`` for 1000."""
    size: int = 1
    """How many values it has, with itself."""

    @property
    def plain(self) -> Any:
        """The value as Python has it."""
        match self.value:
            case dict():
                return {key: each.plain for key, each in self.value.items()}
            case list():
                return [each.plain for each in self.value]
            case _:
                return self.value


def fail(where: str, line: int | None, problem: str) -> NoReturn:
    """Raise an `AgentsFileError` whose message begins with the place."""
    place = where if line is None else f"{where}:{line}"
    raise AgentsFileError(f"{printable(place)}: {printable(problem)}")


def check_scalar(where: str, line: int | None, value: Any) -> None:
    """Raise an `AgentsFileError` for a number or a text that cannot be stored or shown."""
    match value:
        case bool():
            return
        case int() if not -WHOLE <= value < WHOLE:
            fail(where, line, "a whole number is too long; write it as a text in quotes")
        case float() if not isfinite(value):
            fail(where, line, "infinity and NaN are not numbers here; leave the key out")
        case str() if not SURROGATES.isdisjoint(value):
            fail(where, line, "a text has half of a character (a surrogate); write the whole character")
        case _:
            return


def check_size(where: str, line: int | None, depth: int, count: int) -> None:
    """Raise an `AgentsFileError` if this is too deep, or too much."""
    if depth > DEPTH:
        fail(where, line, f"values are nested more than {DEPTH} deep; write it flatter")
    if count > NODES:
        fail(where, line, f"there are more than {NODES:,} values, counting what aliases repeat; make it smaller")


def node_of(value: Any, where: str) -> Node:
    """Return the node of a Python value made of dicts, lists, texts, numbers, booleans and None.

    Raises `AgentsFileError` for other types, for keys that are not texts, and beyond the limits.
    """
    return _made(value, where, 1, [0])


def _made(value: Any, where: str, depth: int, count: list[int]) -> Node:
    count[0] += 1
    check_size(where, None, depth, count[0])
    match value:
        case None | bool():
            return Node(value, text="" if value is None else str(value).lower())
        case str():
            text = str.__str__(value)
            check_scalar(where, None, text)
            return Node(text, text=text)
        case int() | float():
            number = int(value) if isinstance(value, int) else float(value)
            check_scalar(where, None, number)
            return Node(number, text=repr(number))
        case Mapping():
            for key in value:
                if not isinstance(key, str):
                    fail(where, None, f"a key is of type {type(key).__name__}; use texts as keys")
                check_scalar(where, None, key)
            return Node({str.__str__(key): _made(each, where, depth + 1, count) for key, each in value.items()})
        case list() | tuple():
            return Node([_made(each, where, depth + 1, count) for each in value])
        case _:
            fail(
                where, None, f"a value is of type {type(value).__name__}; use dicts, lists, texts, numbers and booleans"
            )


def without_secrets(node: Node, where: str, tell: Callable[[int | None, str], object]) -> Node:
    """Return a node with `LEFT_OUT` in place of each key and password.

    Args:
        node: The content of a file.
        where: The file.
        tell: Called with the line and the path of each value that had one, also if it was left out earlier.

    Raises `AgentsFileError` if the name of a key in the file is a secret itself.
    """
    KNOWN.look()

    def cleaned(each: Node, path: str, name: str) -> Node:
        match each.value:
            case dict():
                if any(without_keys(key, look=False) != key for key in each.value):
                    fail(where, each.line, f"a key under {path or 'the top'} is a secret; remove it from the file")
                inner = {key: cleaned(item, f"{path}.{key}" if path else key, key) for key, item in each.value.items()}
                return replace(each, value=inner)
            case list():
                items = [cleaned(item, f"{path}[{number}]", "") for number, item in enumerate(each.value)]
                return replace(each, value=items)
            case str() | int() | float() if not isinstance(each.value, bool):
                text = each.text or str(each.value)
                secret = isinstance(each.value, str) and text != LEFT_OUT and is_secret(name, text)
                shown = LEFT_OUT if secret else without_keys(text, look=False)
                if LEFT_OUT in shown:
                    tell(each.line, path)
                return each if shown == text else replace(each, value=shown, text=shown)
            case _:
                return each

    return cleaned(node, "", "")
