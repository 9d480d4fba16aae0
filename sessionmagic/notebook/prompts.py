"""What the user's values become in a prompt: ``$`expr` `` in the text, ``--attach EXPR`` beside it."""

from __future__ import annotations

import io
import mimetypes
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.attachment import Attachment
from sessionmagic.exceptions import PromptError
from sessionmagic.notebook.kernel.values import described

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPRESSION = re.compile(r"\$`([^`\n]+)`")
VALUE_LIMIT = 20_000
"""Characters of one value that are sent."""
ERROR_LENGTH = 200
SHOWN_LIMIT = 80
FILE_LIMIT = 20_000_000


def interpolate(prompt: str, namespace: Mapping[str, Any]) -> str:
    """Replace each ``$`expr` `` by its value; every other character stays as it is. Raises `PromptError`."""
    return EXPRESSION.sub(lambda found: describe(found[1], namespace), prompt)


def describe(expression: str, namespace: Mapping[str, Any]) -> str:
    """Return an expression's value as a model reads it: text as it is, frames as schema, shape and head."""
    value = _evaluate(expression, namespace)
    try:
        text = described(value)
    except Exception as error:
        raise PromptError(f"the value of $`{expression}` cannot be described: {_words(error)}") from error
    if len(text) <= VALUE_LIMIT:
        return text
    return f"{text[:VALUE_LIMIT]}\n[cut: {len(text) - VALUE_LIMIT:,} more characters of {expression}]"


def _evaluate(expression: str, namespace: Mapping[str, Any]) -> Any:
    try:
        return eval(expression, dict(namespace))  # noqa: S307  the user's own code in the user's own kernel
    except Exception as error:
        raise PromptError(f"$`{expression[:SHOWN_LIMIT]}` cannot be evaluated: {_words(error)}") from error


def _words(error: Exception) -> str:
    """Say on one short line what went wrong in the user's code, whose message may be of any length."""
    try:
        message = " ".join(str(error).split())
    except Exception:  # noqa: BLE001  a message that cannot be made
        message = "(no message)"
    return f"{type(error).__name__}: {message[:ERROR_LENGTH]}"


def attach(expression: str, namespace: Mapping[str, Any]) -> Attachment:
    """Return what ``--attach`` names: a file, or a figure, image, frame or other value. Raises `PromptError`."""
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
    return Attachment(name=expression, content=describe(expression, namespace))


def _as_file(expression: str) -> Path | None:
    try:
        path = Path(expression).expanduser()
        return path if path.is_file() else None
    except (OSError, RuntimeError, ValueError):  # no path at all
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
        raise PromptError(f"--attach: {path} is not text, an image or a PDF") from None


def _png(name: str, save: Any) -> Attachment:
    buffer = io.BytesIO()
    try:
        save(buffer)
    except Exception as error:
        raise PromptError(f"--attach: {name} cannot be drawn: {_words(error)}") from error
    return Attachment(name=name, content=buffer.getvalue(), media_type="image/png")
