"""The parts of an agents file as dataclasses, whose fields say how each key is read and written.

A field that is made by `key` is a key of the file, under the same name. What a part does not understand stays in it, so
that it is written again, and so that whoever must use it can be told.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from sessionmagic.agents.nodes import Node, fail
from sessionmagic.words import shortened, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Mapping

    Read = Callable[["Reading", Node, str], Any]
    """Takes a value and its path in the file, such as ``agents.root.model``, and returns what it says."""

R = TypeVar("R", bound="Record")


@dataclass(frozen=True, slots=True)
class FileWarning:
    """Something in an agents file that does not stop it from being loaded."""

    text: str
    """What it is, and what follows."""
    where: str = field(default="", compare=False)
    line: int | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.where}{'' if self.line is None else f':{self.line}'}: {self.text}"


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A key, or the type of a toolset, that we do not have."""

    path: str
    key: str
    value: Any
    what: str = "key"
    line: int | None = field(default=None, compare=False)

    @property
    def text(self) -> str:
        """The key or the type, and where it stands."""
        shown = self.value if self.what == "type" else self.key
        return f"the {self.what} {shortened(str(shown))} ({self.path})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A part of an agents file."""

    not_understood: tuple[NotUnderstood, ...] = ()
    lines: Mapping[str, int | None] = field(default_factory=dict, compare=False, repr=False)
    """The line of each key; empty in a Python dict."""


@dataclass(slots=True)
class Reading:
    """What is known while a file is read."""

    where: str
    strict: bool = False
    """Whether a warning is an error."""
    warnings: list[FileWarning] = field(default_factory=list)

    def warn(self, line: int | None, text: str) -> None:
        """Add a warning, or raise it as an `AgentsFileError` when strict."""
        if self.strict:
            fail(self.where, line, text)
        self.warnings.append(FileWarning(text, self.where, line))

    def wrong(self, node: Node, path: str, needed: str) -> NoReturn:
        """Raise an `AgentsFileError` for a value that is not of the form that its key needs."""
        match node.value:
            case dict():
                shown = "a mapping"
            case list():
                shown = "a list"
            case None:
                shown = "empty"
            case value:
                shown = shortened(repr(value))
        fail(self.where, node.line, f"{path} is {shown}; give {needed}")


def key(read: Read, default: Any = "", *, write: Callable[[Any], Any] | None = None) -> Any:
    """Return a dataclass field that is a key of the file.

    Args:
        read: Reads its value.
        default: Its value where the key is missing; a type such as `dict` makes a new one.
        write: Returns the value as the file has it, if that is another one.
    """
    metadata = {"read": read, "write": write or plain}
    if isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@cache
def keys_of(kind: Hashable) -> dict[str, Read]:
    """Return the keys that a class of parts understands, with what reads them."""
    return {each.name: each.metadata["read"] for each in fields(cast("Any", kind)) if "read" in each.metadata}


def read_record(
    kind: type[R], reading: Reading, node: Node, path: str, *, only: Collection[str] | None = None, **given: Any
) -> R:
    """Return a part of the file. Keys without a value count as missing.

    Args:
        kind: The class of the part.
        reading: What is known of the file.
        node: The value; it must be a mapping.
        path: Where it stands.
        only: The keys that are understood here, if not all are.
        given: Fields that are no keys.
    """
    if not isinstance(node.value, dict):
        reading.wrong(node, path, "a mapping")
    reads = {name: read for name, read in keys_of(cast("Hashable", kind)).items() if only is None or name in only}
    found: dict[str, Any] = {}
    others: list[NotUnderstood] = []
    for name, each in node.value.items():
        place = under(path, name)
        if name not in reads:
            others.append(NotUnderstood(path or "the file", name, each.plain, line=each.line))
            advice = suggestion(name, sorted(set(reads) - set(node.value)))
            reading.warn(each.line, f"{place} is not understood; {follows(path)}{advice}")
        elif each.value is not None:
            found[name] = reads[name](reading, each, place)
    lines = {name: each.line for name, each in node.value.items()}
    return kind(**found, **given, not_understood=tuple(others), lines=lines)


def under(path: str, name: str) -> str:
    """Return the path of a key of the part at a path."""
    return f"{path}.{shortened(name)}" if path else shortened(name)


def follows(path: str) -> str:
    """Return what follows when a key of this part of a file is not understood."""
    return "ignored" if path in {"", "metadata"} else "ignored, and an error when an agent needs it"


def record(kind: type[R]) -> Read:
    """Return what reads a mapping as a part of the file."""
    return lambda reading, node, path: read_record(kind, reading, node, path)


def plain(value: Any) -> Any:
    """Return a part of a file as its plain content: dicts, lists, texts and numbers. Defaults are left out."""
    if isinstance(value, Record):
        return {**_keys(value), **{each.key: each.value for each in value.not_understood}}
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return value


def _keys(value: Record) -> dict[str, Any]:
    found = {}
    for each in fields(value):
        default = each.default_factory() if each.default_factory is not MISSING else each.default
        if "write" in each.metadata and (current := getattr(value, each.name)) != default:
            found[each.name] = each.metadata["write"](current)
    return found


def parts_of(value: Any) -> Iterable[Record]:
    """Yield a part of a file, and all parts in it."""
    if isinstance(value, Record):
        yield value
        inner: Iterable[Any] = (getattr(value, each.name) for each in fields(value) if "read" in each.metadata)
    elif isinstance(value, dict):
        inner = value.values()
    else:
        inner = value if isinstance(value, tuple) else ()
    for each in inner:
        yield from parts_of(each)
