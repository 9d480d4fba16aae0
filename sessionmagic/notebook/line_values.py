r"""Fill values into a magic's line: ``{name}``, ``$name`` and ``$`expr` ``, as IPython fills them into its own magics.

Unlike there, a value stays in the word that it is written in, whatever blanks, quotes or dashes it has, and a name that
is not defined is an error. Braces that hold no expression with a name in it, as in JSON and in ``\d{3}``, stay.
"""

from __future__ import annotations

import re
from inspect import isroutine
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.evaluation import (
    ASSIGN,
    Field,
    NotAValueError,
    compiled,
    evaluated,
    field_of,
    formatted,
    has_name,
)
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MARKS = range(0xF0000, 0xFFFFD)
"""Characters of a private plane. One of them takes the place of each reference while the line is split."""
MARK = re.compile(f"[{chr(MARKS.start)}-{chr(MARKS.stop)}]")
READ = 20_000
"""Characters of a line in which references are looked for. After them, only a text can come that is taken unchanged."""
BRACES_LENGTH = 500
"""Characters of the longest expression in braces."""
CLOSINGS = 8
"""How many closing braces are tried as the end of an expression, which may have braces of its own."""
_NAME = r"[^\W\d]\w*"
_START = re.compile(
    rf"(?P<escape>\\|)\$`(?P<quoted>[^`\n]+)`(?!\$(?!`))|(?P<dollars>\$\$?)(?P<name>{_NAME}(?:\.{_NAME})*)"
    rf"|(?<!\$)(?P<braces>\{{\{{?)|{MARK.pattern}"
)


class Reference(NamedTuple):
    """What is written in a line in place of a value, or so that it is not read as such."""

    typed: str
    field: Field | None
    literal: str
    """What stands for it if it is not a value."""
    escaped: str
    """How the same text is written so that it is not read as a value."""


class LineValues:
    """A line with marks in place of its references, and their values.

    Args:
        line: The line.
        names: What names mean in it.
        as_text: Makes the text of a value that is written without a format; by default, an f-string does.
    """

    def __init__(self, line: str, names: Mapping[str, Any], as_text: Callable[[Any], str] | None = None) -> None:
        self._names = names
        self._as_text = as_text
        self._references: list[Reference] = []
        self._texts: dict[int, str] = {}
        self.marked = self._marked(line[:READ]) + MARK.sub("\ufffd", line[READ:])

    @property
    def evaluated(self) -> list[str]:
        """The expressions whose values were filled in, each once."""
        fields = (self._references[number].field for number in self._texts)
        return list(dict.fromkeys(field.expression for field in fields if field is not None))

    def restored(self, text: str) -> str:
        """Return a part of the marked line as it was typed."""
        typed = {chr(MARKS[number]): reference.typed for number, reference in enumerate(self._references)}
        return MARK.sub(lambda mark: typed.get(mark[0], mark[0]), text)

    def filled(self, text: str) -> str:
        """Return a part of the marked line with its values. Raises `UsageError`."""
        return MARK.sub(lambda mark: self._text(_number(mark)), text)

    def _marked(self, line: str) -> str:
        parts, at = [], 0
        while found := _START.search(line, at):
            parts.append(line[at : found.start()])
            reference = _reference(found)
            if reference is None:  # braces of another kind
                parts.append("{")
                at = found.start() + 1
            else:
                parts.append(chr(MARKS[len(self._references)]))
                self._references.append(reference)
                at = found.start() + len(reference.typed)
        return "".join([*parts, line[at:]])

    def _text(self, number: int) -> str:
        reference = self._references[number]
        if reference.field is None:
            return reference.literal
        if number not in self._texts:
            self._texts[number] = self._value(reference, reference.field)
        return self._texts[number]

    def _value(self, reference: Reference, field: Field) -> str:
        shown = shortened(reference.typed)
        try:
            value = evaluated(compiled(field.expression, self._names), self._names)
            if self._as_text is not None and not field.conversion and not field.spec:
                return self._as_text(value)
            if isroutine(value):  # its text has its address, and would be a new session each time
                how = f"write its name alone, or call it: $`{shortened(field.expression)}()`"
                raise UsageError(f"{shown} is a function; {how}")
            return formatted(value, field)
        except NotAValueError as error:
            if error.action:
                raise UsageError(f"{shown} {error.action}, and only values can be filled in; {ASSIGN}") from error
            itself = f"write {shortened(reference.escaped)} for the text itself"
            raise UsageError(f"{shown} has no value: {error.why}; {itself}") from error


def _number(mark: re.Match[str]) -> int:
    return ord(mark[0]) - MARKS.start


def _reference(found: re.Match[str]) -> Reference | None:
    typed = found[0]
    if quoted := found["quoted"]:
        plain = typed.removeprefix("\\")
        field = None if found["escape"] else field_of(quoted) or Field(quoted)
        return Reference(typed, field, plain, f"\\{plain}")
    if name := found["name"]:
        return Reference(typed, None if found["dollars"] == "$$" else Field(name), f"${name}", f"$${name}")
    return _in_braces(found.string, found) if found["braces"] else Reference(typed, None, typed, typed)


def _in_braces(line: str, found: re.Match[str]) -> Reference | None:
    """Return the reference in the braces that open here, or None if no expression with a name is in them."""
    start, closing = found.end(), "}" * len(found["braces"])
    ends = (each.start() for each in re.finditer(closing, line[start : start + BRACES_LENGTH]))
    for length in islice(ends, CLOSINGS):
        content = line[start : start + length]
        field = field_of(content)
        if field is None or re.search(r"[\s\"']", field.spec):  # with blanks, it is an item of a dictionary
            continue
        if not has_name(field.expression):
            return None
        typed, literal = f"{found['braces']}{content}{closing}", f"{{{content}}}"
        return Reference(typed, None if closing == "}}" else field, literal, f"{{{literal}}}")
    return None
