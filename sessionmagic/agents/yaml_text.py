"""YAML as docker-agent's parser (goccy/go-yaml) reads it: with the scalars of YAML 1.2.

``on``, ``no`` and dates are texts. ``1_000``, ``0x1f``, ``0o17``, ``0b11`` and ``017``, which is 15, are whole numbers.
PyYAML only finds the structure. It makes no Python objects, and stops at the limits of `nodes`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Any

from sessionmagic.agents.nodes import Node, check_scalar, check_size, fail
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{sign + dot: inf for sign in ("", "-", "+") for dot in (".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN")},
}
_WHOLE = re.compile(r"([-+]?)(?:0x([\da-fA-F_]+)|0o([0-7_]+)|0b([01_]+)|0([0-7_]+)|([1-9][\d_]*|0))", re.ASCII)
_BASES = (16, 8, 2, 8, 10)
_NUMBER = re.compile(r"[-+]?(?:\.\d[\d_]*|\d[\d_]*\.[\d_]*|\d[\d_]*(?=[eE]))(?:[eE][-+]?\d+)?", re.ASCII)
_LONGEST_NUMBER = 400
_MERGE = "<<"
"""The key whose mapping is merged, if it is written without quotes."""
_CORE = "tag:yaml.org,2002:"
_TEXT_TAGS = {"!", _CORE + "str"}
_TAGS = {None, *_TEXT_TAGS, *(_CORE + name for name in ("map", "seq", "int", "float", "bool", "null"))}
_BLOCK = re.compile(r"[!-~][ -~¡-퟿]*\n(?:[ -~¡-퟿]*[!-~]\n|\n)*")
"""A text of several lines that is written as a block, because nothing in it needs an escape."""


def scalar(text: str) -> Any:
    """Return what a word without quotes means: None, a boolean, a number, or the text itself."""
    if text in _WORDS or len(text) > _LONGEST_NUMBER:
        return _WORDS.get(text, text)
    if found := _WHOLE.fullmatch(text):
        sign, *digits = found.groups()
        for written, base in zip(digits, _BASES, strict=True):
            if written and written.strip("_"):
                return int(sign + written.replace("_", ""), base)
    return float(text.replace("_", "")) if _NUMBER.fullmatch(text) else text


class _MergeKey(str):
    """``<<``, written without quotes."""

    __slots__ = ()


@dataclass(slots=True)
class _Open:
    """A list or a dict that has begun."""

    value: Any
    line: int
    anchor: str | None
    key: tuple[str, int] | None = None
    lines: dict[str, int] = field(default_factory=dict)
    merged: list[Node] = field(default_factory=list)
    size: int = 1


def parsed(text: str, where: str) -> Node:
    """Return the content of a YAML document. Raises `AgentsFileError` if it is not valid, empty, or beyond the limits.

    Args:
        text: The document.
        where: The file, for messages.
    """
    import yaml

    builder = _Builder(where)
    try:
        for event in yaml.parse(text.removeprefix("\ufeff"), Loader=yaml.SafeLoader):
            builder.add(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = shortened(without_keys(" ".join(str(error.problem or error.context).split())), 200)
        advice = "; indent with spaces" if "'\\t'" in problem else ""
        fail(where, mark.line + 1 if mark else None, f"this is not valid YAML: {problem}{advice}")
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        fail(where, line, f"this is not valid YAML: the character {error.character:#06x} is not allowed; remove it")
    except (ValueError, OverflowError):  # PyYAML makes a character or a version number of too many digits
        fail(where, None, "this is not valid YAML: a number in an escape or a directive is too large; remove it")
    if builder.root is None or builder.root.value is None:
        fail(where, None, "the file is empty; write agents: and at least one agent")
    return builder.root


class _Builder:
    """Makes nodes of PyYAML's events."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.root: Node | None = None
        self._open: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._count = 0
        self._documents = 0

    def add(self, event: Any) -> None:
        line = event.start_mark.line + 1
        match type(event).__name__:
            case "DocumentStartEvent":
                self._documents += 1
                if self._documents > 1:
                    fail(self.where, line, "a second document begins; keep one document in the file")
            case "AliasEvent":
                node = self._anchored(event.anchor, line)
                self._counted(node.size, line)
                self._attach(node, line)
            case "ScalarEvent":
                self._counted(1, line)
                self._check_tag(event.tag, line)
                node = self._scalar(event, line)
                if event.anchor:
                    self._anchors[event.anchor] = node
                self._attach(node, line)
            case "SequenceStartEvent" | "MappingStartEvent" as kind:
                self._check_tag(event.tag, line)
                if event.anchor:
                    self._anchors[event.anchor] = None
                self._open.append(_Open({} if kind[0] == "M" else [], line, event.anchor))
                self._counted(1, line)
            case "SequenceEndEvent" | "MappingEndEvent":
                self._close()

    def _close(self) -> None:
        done = self._open.pop()
        for each in done.merged:
            done.value.update({key: item for key, item in each.value.items() if key not in done.value})
        node = Node(done.value, done.line, size=done.size)
        if done.anchor:
            self._anchors[done.anchor] = node
        self._attach(node, done.line)

    def _counted(self, values: int, line: int) -> None:
        self._count += values
        check_size(self.where, line, len(self._open), self._count)

    def _check_tag(self, tag: str | None, line: int) -> None:
        if tag not in _TAGS:
            shown = shortened(without_keys(str(tag).replace(_CORE, "!!")))
            fail(self.where, line, f"the tag {shown} is not known; remove it")

    def _scalar(self, event: Any, line: int) -> Node:
        is_word = event.style is None and event.tag not in _TEXT_TAGS
        value = scalar(event.value) if is_word else event.value
        check_scalar(self.where, line, value)
        return Node(_MergeKey(value) if is_word and value == _MERGE else value, line, event.value)

    def _anchored(self, name: str, line: int) -> Node:
        node = self._anchors.get(name)
        if node is None:
            shown = shortened(without_keys(name))
            problem = "contains itself" if name in self._anchors else "has no anchor"
            fail(self.where, line, f"the alias *{shown} {problem}; write the values themselves")
        return node

    def _attach(self, node: Node, line: int) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        parent.size += node.size
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif parent.key is None:
            parent.key = self._key(parent, node, line)
        else:
            self._entry(parent, *parent.key, node)
            parent.key = None

    def _key(self, parent: _Open, node: Node, line: int) -> tuple[str, int]:
        if not isinstance(node.value, str):
            shown = shortened(without_keys(node.text)) if node.text else "of an entry"
            fail(self.where, line, f"the key {shown} is not a text; put quotes around it")
        if node.value in parent.lines:
            first = parent.lines[node.value]
            fail(self.where, line, f"the key {shortened(without_keys(node.value))!r} is on line {first}, too; keep one")
        parent.lines[node.value] = line
        return node.value, line

    def _entry(self, parent: _Open, key: str, line: int, node: Node) -> None:
        if not isinstance(key, _MergeKey):
            parent.value[key] = replace(node, line=line)
            return
        merged = node.value if isinstance(node.value, list) else [node]
        if not all(isinstance(each.value, dict) for each in merged):
            fail(self.where, line, "<< merges what is not a mapping; name the anchor of one")
        parent.merged += merged


def written(value: Any) -> str:
    """Return a plain value as YAML, which `parsed` reads as the same value."""
    import yaml

    return str(yaml.emit(_events(value), allow_unicode=True, width=100))


def _events(value: Any) -> Iterator[Any]:
    import yaml

    yield yaml.StreamStartEvent()
    yield yaml.DocumentStartEvent(explicit=False)
    yield from _events_of(value)
    yield yaml.DocumentEndEvent(explicit=False)
    yield yaml.StreamEndEvent()


def _events_of(value: Any) -> Iterator[Any]:
    import yaml

    match value:
        case dict():
            yield yaml.MappingStartEvent(None, None, implicit=True, flow_style=False)
            for key, each in value.items():
                yield from _events_of(key)
                yield from _events_of(each)
            yield yaml.MappingEndEvent()
        case list() | tuple():
            yield yaml.SequenceStartEvent(None, None, implicit=True, flow_style=False)
            for each in value:
                yield from _events_of(each)
            yield yaml.SequenceEndEvent()
        case str():
            style = "|" if _BLOCK.fullmatch(value) else None if value.isprintable() else '"'
            is_word = scalar(value) is value and value != _MERGE
            yield yaml.ScalarEvent(None, None, (is_word, True), value, style=style)
        case None | bool():
            yield yaml.ScalarEvent(None, None, (True, False), "null" if value is None else str(value).lower())
        case _:
            yield yaml.ScalarEvent(None, None, (True, False), repr(value))
