"""Evaluate an expression that the user has written into a prompt or a line, if it only makes a value."""

from __future__ import annotations

import ast
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from sessionmagic.notebook.expressions import action_of
from sessionmagic.notebook.kernel.values import learn_keys
from sessionmagic.words import shortened, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType

ASSIGN = "assign its value to a variable in a cell of its own and send that variable"
ERROR_LENGTH = 200
COLONS = 8
"""How many colons are tried as the beginning of a format, as an expression may have some of its own."""
_CONVERSION = re.compile(r"(.+)!([rsa])", re.DOTALL)
_CONVERT: dict[str, Callable[[object], str]] = {"r": repr, "s": str, "a": ascii}


class NotAValueError(Exception):
    """An expression has no value, or does more than making one.

    Args:
        why: The error of its evaluation on one line; empty if it was not evaluated.
        action: What it does, as ``uses open``; empty if it does nothing.
    """

    def __init__(self, why: str = "", action: str = "") -> None:
        super().__init__(why or action)
        self.why = why
        self.action = action


class Field(NamedTuple):
    """An expression with what an f-string may have after it: ``price!r`` or ``price:.2f``."""

    expression: str
    conversion: str = ""
    spec: str = ""


def field_of(text: str) -> Field | None:
    """Return the field that a text is, or None if it is none. A colon within the expression is part of it."""
    if _is_expression(text):
        return Field(text)
    colons = (found.start() for found in re.finditer(":", text))
    for colon in [*islice(colons, COLONS), len(text)]:
        expression, spec = text[:colon], text[colon + 1 :]
        converted = _CONVERSION.fullmatch(expression)
        if converted is not None and _is_expression(converted[1]):
            return Field(converted[1], converted[2], spec)
        if _is_expression(expression):
            return Field(expression, spec=spec)
    return None


def has_name(expression: str) -> bool:
    """Return whether any name is in a valid expression, so that its value is not written out."""
    return any(isinstance(node, ast.Name) for node in ast.walk(ast.parse(expression.strip(), mode="eval")))


def compiled(expression: str, names: Mapping[str, Any]) -> CodeType:
    """Return the compiled expression. Raises `NotAValueError` if it is not valid, or does more than making a value."""
    try:
        tree = ast.parse(expression.strip(), "<string>", mode="eval")
        action = action_of(tree, names)
        if not action:
            return compile(tree, "<string>", "eval")
    except Exception as error:
        raise NotAValueError(one_line(error)) from error
    raise NotAValueError(action=action)


def evaluated(code: CodeType, names: Mapping[str, Any]) -> Any:
    """Return the value of a compiled expression. Raises `NotAValueError`."""
    learn_keys(names)
    try:
        return eval(code, dict(names))  # noqa: S307  the user's own code in the user's own kernel
    except NameError as error:
        raise NotAValueError(one_line(error) + suggestion(error.name or "", names)) from error
    except Exception as error:
        raise NotAValueError(one_line(error)) from error


def formatted(value: Any, field: Field) -> str:
    """Return a value as text, as an f-string does. Raises `NotAValueError`."""
    try:
        return format(_CONVERT[field.conversion](value) if field.conversion else value, field.spec)
    except Exception as error:
        raise NotAValueError(one_line(error)) from error


def one_line(error: Exception) -> str:
    """Return an error of the user's code on one short line; its message may have any length."""
    try:
        message = " ".join(str(error).split())
    except Exception:  # noqa: BLE001  its __str__ may raise anything
        message = "(no message)"
    return f"{type(error).__name__}: {shortened(message, ERROR_LENGTH)}"


def _is_expression(text: str) -> bool:
    try:
        ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return bool(text.strip())
