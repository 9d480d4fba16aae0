"""Put the user's values into a prompt: ``$`expr` `` in the text, ``--attach EXPR`` beside it.

An expression that does something else than making a value is refused before anything is evaluated.
"""

from __future__ import annotations

import io
import mimetypes
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sessionmagic.conversation.attachment import Attachment
from sessionmagic.exceptions import PromptError, UsageError
from sessionmagic.notebook.captions import NOTE_BEGINS
from sessionmagic.notebook.evaluation import (
    ASSIGN,
    Field,
    NotAValueError,
    compiled,
    evaluated,
    field_of,
    formatted,
    one_line,
)
from sessionmagic.notebook.kernel.values import DESCRIBED, described
from sessionmagic.notebook.line_values import LineValues
from sessionmagic.notebook.settings import LEAST_LIMIT
from sessionmagic.words import counted, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType

    from sessionmagic.notebook.kernel.described import Described

EXPRESSION = re.compile(r"(\\?)\$`([^`\n]+)`(?!\$(?!`))")
"""With a backslash before it, it is the text itself. With a dollar after it, it is a formula: GitLab writes mathematics
so. With ``$` `` after it, the next one begins."""
SHOWN_LIMIT = 80
"""Characters of an expression that an error message quotes."""
SIZE_SHOWN = 1_000
"""The size of a value's text is shown if it has more characters."""
FILE_LIMIT = 20_000_000
"""Bytes of the largest file that can be attached."""


class Filled(NamedTuple):
    """A text with its values."""

    text: str
    expressions: list[str]
    """Those that were evaluated, each with a note of how much of its value is sent if that is not all."""
    images: list[Attachment]
    """The values that are pictures. The text says where each belongs."""


class Attached(NamedTuple):
    """What ``--attach`` has named."""

    attachment: Attachment
    value: str
    """The expression, as in `Filled`; empty for a file."""


def filled_in(text: str, namespace: Mapping[str, Any], *, raw: bool, limit: int = DESCRIBED) -> Filled:
    """Replace each ``$`expr` `` with a description of its value; every other character stays. Raises `PromptError`.

    Args:
        text: The text.
        namespace: The user's variables.
        raw: Whether to leave the text as it is.
        limit: The most characters of one value.
    """
    written = [] if raw else dict.fromkeys(typed for escape, typed in EXPRESSION.findall(text) if not escape)
    fields = {typed: field_of(typed) or Field(typed) for typed in written}
    codes = {typed: _compiled(typed, field, namespace) for typed, field in fields.items()}
    sent = {typed: _sent(typed, field, codes[typed], namespace, limit) for typed, field in fields.items()}
    return Filled(
        text if raw else EXPRESSION.sub(lambda match: match[0][1:] if match[1] else sent[match[2]].text, text),
        [listed for each in sent.values() for listed in each.expressions],
        [image for each in sent.values() for image in each.images],
    )


def checked_limit(limit: int) -> int:
    """Return the characters of ``--value-limit``. Raises `UsageError` if a description cannot be so short."""
    if limit < LEAST_LIMIT:
        raise UsageError(f"--value-limit {limit:,} is too short to describe a value; give at least {LEAST_LIMIT:,}")
    return limit


def filled_message(text: str, namespace: Mapping[str, Any], *, raw: bool, limit: int) -> Filled:
    """Return a text as `filled_in` does, if it has no pictures. Raises `PromptError`."""
    filled = filled_in(text, namespace, raw=raw, limit=limit)
    for image in filled.images:
        raise PromptError(f"$`{image.name}` is a picture, which only a prompt can hold; put it into a %%agent cell")
    return filled


def filled_option(text: str, namespace: Mapping[str, Any], *, raw: bool) -> tuple[str, list[str]]:
    """Return a text that an option holds, with ``{name}`` and ``$name`` replaced too, and what was evaluated."""
    if raw:
        return text, []
    values = LineValues(text, namespace, lambda value: _described("the value", value, DESCRIBED).text)
    return values.filled(values.marked), values.evaluated


def _sent(typed: str, field: Field, code: CodeType, namespace: Mapping[str, Any], limit: int) -> Filled:
    """Return one value as it is sent."""
    value = _evaluate(typed, code, namespace)
    if field.conversion or field.spec:
        try:
            value = formatted(value, field)
        except NotAValueError as error:
            raise _unfit(typed, error) from error
    if (image := _image(f"$`{typed}`", typed, value)) is not None:
        return Filled(f"[picture: {typed}]", [typed], [image])
    described = _described(f"the value of $`{typed}`", value, limit)
    return Filled(described.text, [_noted(typed, described)], [])


def _noted(expression: str, described: Described) -> str:
    is_said = len(described.text) <= SIZE_SHOWN or described.shown.endswith("characters")
    note = ", ".join(filter(None, [described.shown, "" if is_said else counted(len(described.text), "character")]))
    return f"{expression}{NOTE_BEGINS}{note}" if note else expression


def _described(what: str, value: Any, limit: int) -> Described:
    try:
        return described(value, limit)
    except Exception as error:
        raise PromptError(f"{what} cannot be described: {one_line(error)}") from error


def _compiled(typed: str, field: Field, namespace: Mapping[str, Any]) -> CodeType:
    try:
        return compiled(field.expression, namespace)
    except NotAValueError as error:
        raise _unfit(typed, error) from error


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


def attach(expression: str, namespace: Mapping[str, Any], limit: int = DESCRIBED) -> Attached:
    """Return what ``--attach`` names: a file, a figure, an image or a description of any other value.

    A variable comes before a file with the same name. Raises `PromptError`.
    """
    if "://" in expression:
        raise PromptError(
            f"--attach takes a file or a value, not an address; download {expression} and attach the file"
        )
    path = _as_file(expression, namespace)
    if path is not None:
        return Attached(_file(path), "")
    value = value_of("--attach", expression, namespace, "neither a file nor a value")
    if (image := _image(f"--attach: {expression}", expression, value)) is not None:
        return Attached(image, expression)
    described = _described(f"--attach: {expression}", value, limit)
    return Attached(Attachment(name=expression, content=described.text), _noted(expression, described))


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


def _image(what: str, name: str, value: Any) -> Attachment | None:
    """Return a figure, what is drawn on one, or an image as an attachment, or None for another value."""
    kind = type(value)
    if callable(getattr(kind, "savefig", None)):
        return _png(what, name, lambda buffer: value.savefig(buffer, format="png"))
    if callable(getattr(kind, "get_figure", None)) and (figure := value.get_figure()) is not None:
        return _png(what, name, lambda buffer: figure.savefig(buffer, format="png"))
    if callable(getattr(kind, "save", None)) and hasattr(value, "mode"):
        return _png(what, name, lambda buffer: value.save(buffer, format="PNG"))
    return None


def _png(what: str, name: str, save: Callable[[io.BytesIO], object]) -> Attachment:
    buffer = io.BytesIO()
    try:
        save(buffer)
    except Exception as error:
        raise PromptError(f"{what} cannot be drawn: {one_line(error)}") from error
    return Attachment(name=name, content=buffer.getvalue(), media_type="image/png")
