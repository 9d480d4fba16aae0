"""Put the user's values into a prompt: ``$`expr` `` in the text, ``--attach EXPR`` beside it."""

from __future__ import annotations

import io
import mimetypes
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.attachment import Attachment
from sessionmagic.exceptions import PromptError
from sessionmagic.notebook.kernel.values import describe

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPRESSION = re.compile(r"\$`([^`\n]+)`")
VALUE_LIMIT = 20_000
"""Characters of one value that are sent."""
ERROR_LENGTH = 200
SHOWN_LIMIT = 80
"""Characters of an expression that an error message quotes."""
FILE_LIMIT = 20_000_000
"""Bytes of the largest file that can be attached."""


def interpolate(prompt: str, namespace: Mapping[str, Any]) -> str:
    """Replace each ``$`expr` `` with a description of its value; every other character stays. Raises `PromptError`."""
    return EXPRESSION.sub(lambda match: _describe(match[1], namespace), prompt)


def _describe(expression: str, namespace: Mapping[str, Any]) -> str:
    value = _evaluate(expression, namespace)
    try:
        text = describe(value)
    except Exception as error:
        raise PromptError(f"the value of $`{expression}` cannot be described: {_one_line(error)}") from error
    if len(text) <= VALUE_LIMIT:
        return text
    return f"{text[:VALUE_LIMIT]}\n[cut: {len(text) - VALUE_LIMIT:,} more characters of {expression}]"


def _evaluate(expression: str, namespace: Mapping[str, Any]) -> Any:
    try:
        return eval(expression, dict(namespace))  # noqa: S307  the user's own code in the user's own kernel
    except Exception as error:
        raise PromptError(f"$`{expression[:SHOWN_LIMIT]}` cannot be evaluated: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    """Return an error of the user's code on one short line; its message may have any length."""
    try:
        message = " ".join(str(error).split())
    except Exception:  # noqa: BLE001  its __str__ may raise anything
        message = "(no message)"
    return f"{type(error).__name__}: {message[:ERROR_LENGTH]}"


def attach(expression: str, namespace: Mapping[str, Any]) -> Attachment:
    """Return what ``--attach`` names: a file, a figure, an image or a description of any other value.

    A variable comes before a file with the same name. Raises `PromptError`.
    """
    if "://" in expression:
        raise PromptError(
            f"--attach takes a file or a value, not an address; download {expression} and attach the file"
        )
    path = _as_file(expression)
    if path is not None and expression not in namespace:
        return _file(path)
    try:
        value = _evaluate(expression, namespace)
    except PromptError as error:
        shown = expression if len(expression) <= SHOWN_LIMIT else "…" + expression[1 - SHOWN_LIMIT :]
        raise PromptError(f"--attach: {shown} is neither a file nor a value ({error.__cause__})") from error
    if callable(getattr(value, "savefig", None)):
        return _png(expression, lambda buffer: value.savefig(buffer, format="png"))
    if callable(getattr(value, "save", None)) and hasattr(value, "mode"):
        return _png(expression, lambda buffer: value.save(buffer, format="PNG"))
    return Attachment(name=expression, content=_describe(expression, namespace))


def _as_file(expression: str) -> Path | None:
    try:
        path = Path(expression).expanduser()
        return path if path.is_file() else None
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
        raise PromptError(f"--attach: {name} cannot be drawn: {_one_line(error)}") from error
    return Attachment(name=name, content=buffer.getvalue(), media_type="image/png")
