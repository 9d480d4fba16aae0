"""Put the user's values into a prompt: ``$`expr` `` in the text, ``--attach EXPR`` beside it.

An expression that does something else than making a value is refused before anything is evaluated.
"""

from __future__ import annotations

import io
import mimetypes
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.attachment import Attachment
from sessionmagic.exceptions import PromptError
from sessionmagic.notebook.evaluation import ASSIGN, NotAValueError, compiled, evaluated, one_line
from sessionmagic.notebook.kernel.values import describe
from sessionmagic.notebook.line_values import LineValues
from sessionmagic.words import between_words, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import CodeType

EXPRESSION = re.compile(r"\$`([^`\n]+)`(?!\$(?!`))")
"""With a dollar after it, it is a formula: GitLab writes mathematics so. With ``$` `` after it, the next one begins."""
VALUE_LIMIT = 20_000
"""Characters of one value that are sent."""
SHOWN_LIMIT = 80
"""Characters of an expression that an error message quotes."""
FILE_LIMIT = 20_000_000
"""Bytes of the largest file that can be attached."""


def interpolate(prompt: str, namespace: Mapping[str, Any]) -> str:
    """Replace each ``$`expr` `` with a description of its value; every other character stays. Raises `PromptError`."""
    codes = {expression: _compiled(expression, namespace) for expression in expressions_in(prompt)}
    return EXPRESSION.sub(lambda match: _describe(match[1], _evaluate(match[1], codes[match[1]], namespace)), prompt)


def filled_in(text: str, namespace: Mapping[str, Any], *, raw: bool) -> tuple[str, list[str]]:
    """Return a text as `interpolate` does, and the expressions that it evaluated; with `raw`, the text as it is."""
    return (text, []) if raw else (interpolate(text, namespace), expressions_in(text))


def filled_option(text: str, namespace: Mapping[str, Any], *, raw: bool) -> tuple[str, list[str]]:
    """Return a text that an option holds, with ``{name}`` and ``$name`` replaced too, as `filled_in` does."""
    if raw:
        return text, []
    values = LineValues(text, namespace, lambda value: _describe("the value", value))
    return values.filled(values.marked), values.evaluated


def expressions_in(prompt: str) -> list[str]:
    """Return the expressions of each ``$`expr` `` in a prompt, each once."""
    return list(dict.fromkeys(EXPRESSION.findall(prompt)))


def expressions_attached(attached: Iterable[str], namespace: Mapping[str, Any]) -> list[str]:
    """Return those arguments of ``--attach`` that are expressions, and not files, each once."""
    return list(dict.fromkeys(each for each in attached if _as_file(each, namespace) is None))


def _describe(expression: str, value: Any) -> str:
    try:
        text = describe(value)
    except Exception as error:
        raise PromptError(f"the value of $`{expression}` cannot be described: {one_line(error)}") from error
    if len(text) <= VALUE_LIMIT:
        return text
    end = between_words(text, VALUE_LIMIT, -1)
    return f"{text[:end]}\n[cut: {len(text) - end:,} more characters of {expression}]"


def _compiled(expression: str, namespace: Mapping[str, Any]) -> CodeType:
    try:
        return compiled(expression, namespace)
    except NotAValueError as error:
        raise _unfit(expression, error) from error


def _evaluate(expression: str, code: CodeType, namespace: Mapping[str, Any]) -> Any:
    try:
        return evaluated(code, namespace)
    except NotAValueError as error:
        raise _unfit(expression, error) from error


def _unfit(expression: str, error: NotAValueError) -> PromptError:
    shown = f"$`{shortened(expression, SHOWN_LIMIT)}`"
    if error.action:
        return PromptError(
            f"{shown} {error.action}, and only values can be sent; {ASSIGN}, or send the text as typed with --raw"
        )
    return PromptError(f"{shown} cannot be evaluated: {error.why}; --raw sends the text as typed")


def attach(expression: str, namespace: Mapping[str, Any]) -> Attachment:
    """Return what ``--attach`` names: a file, a figure, an image or a description of any other value.

    A variable comes before a file with the same name. Raises `PromptError`.
    """
    if "://" in expression:
        raise PromptError(
            f"--attach takes a file or a value, not an address; download {expression} and attach the file"
        )
    path = _as_file(expression, namespace)
    if path is not None:
        return _file(path)
    value = value_of("--attach", expression, namespace, "neither a file nor a value")
    if callable(getattr(value, "savefig", None)):
        return _png(expression, lambda buffer: value.savefig(buffer, format="png"))
    if callable(getattr(value, "save", None)) and hasattr(value, "mode"):
        return _png(expression, lambda buffer: value.save(buffer, format="PNG"))
    return Attachment(name=expression, content=_describe(expression, value))


def value_of(option: str, expression: str, namespace: Mapping[str, Any], otherwise: str = "not a value") -> Any:
    """Return the value of an expression that an option names. Raises `PromptError`.

    Args:
        option: The option, such as ``--attach``.
        expression: The expression.
        namespace: The user's variables.
        otherwise: What an expression is that cannot be evaluated.
    """
    shown = expression if len(expression) <= SHOWN_LIMIT else "…" + expression[1 - SHOWN_LIMIT :]
    try:
        return evaluated(compiled(expression, namespace), namespace)
    except NotAValueError as error:
        if error.action:
            raise PromptError(f"{option}: {shown} {error.action}, and only values can be sent; {ASSIGN}") from error
        raise PromptError(f"{option}: {shown} is {otherwise} ({error.why})") from error


def _as_file(expression: str, namespace: Mapping[str, Any]) -> Path | None:
    """Return the file that ``--attach`` names, if any. A variable with the same name comes first."""
    try:
        path = Path(expression).expanduser()
        return path if expression not in namespace and path.is_file() else None
    except (OSError, RuntimeError, ValueError):  # not a possible path
        return None


def _file(path: Path) -> Attachment:
    size = path.stat().st_size
    if size > FILE_LIMIT:
        raise PromptError(f"--attach: {path} has {size:,} bytes; attach at most {FILE_LIMIT:,} bytes")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PromptError(f"--attach: cannot read {path}: {error.strerror}") from error
    media_type = mimetypes.guess_type(path)[0] or "text/plain"
    if media_type.startswith("image/") or media_type == "application/pdf":
        return Attachment(name=path.name, content=content, media_type=media_type)
    try:
        return Attachment(name=path.name, content=content.decode())
    except UnicodeDecodeError:
        raise PromptError(
            f"--attach: {path} is not text, an image or a PDF; read it in a cell and attach the value"
        ) from None


def _png(name: str, save: Any) -> Attachment:
    buffer = io.BytesIO()
    try:
        save(buffer)
    except Exception as error:
        raise PromptError(f"--attach: {name} cannot be drawn: {one_line(error)}") from error
    return Attachment(name=name, content=buffer.getvalue(), media_type="image/png")
