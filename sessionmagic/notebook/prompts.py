"""Put the user's values into a prompt: ``$`expr` `` in the text, ``--attach EXPR`` beside it.

An expression that does something else than making a value is refused before anything is evaluated.
"""

from __future__ import annotations

import ast
import io
import mimetypes
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.attachment import Attachment
from sessionmagic.exceptions import PromptError
from sessionmagic.notebook.expressions import action_of
from sessionmagic.notebook.kernel.values import describe, learn_keys
from sessionmagic.words import between_words, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import CodeType

EXPRESSION = re.compile(r"\$`([^`\n]+)`(?!\$(?!`))")
"""With a dollar after it, it is a formula: GitLab writes mathematics so. With ``$` `` after it, the next one begins."""
ASSIGN = "assign its value to a variable in a cell of its own and send that variable"
VALUE_LIMIT = 20_000
"""Characters of one value that are sent."""
ERROR_LENGTH = 200
SHOWN_LIMIT = 80
"""Characters of an expression that an error message quotes."""
FILE_LIMIT = 20_000_000
"""Bytes of the largest file that can be attached."""


def interpolate(prompt: str, namespace: Mapping[str, Any]) -> str:
    """Replace each ``$`expr` `` with a description of its value; every other character stays. Raises `PromptError`."""
    advice = f"{ASSIGN}, or send the text as typed with --raw"
    codes = {
        expression: _compiled(expression, namespace, f"$`{shortened(expression, SHOWN_LIMIT)}`", advice)
        for expression in expressions_in(prompt)
    }
    return EXPRESSION.sub(lambda match: _describe(match[1], _evaluate(match[1], codes[match[1]], namespace)), prompt)


def filled_in(text: str, namespace: Mapping[str, Any], *, raw: bool) -> tuple[str, list[str]]:
    """Return a text as `interpolate` does, and the expressions that it evaluated; with `raw`, the text as it is."""
    return (text, []) if raw else (interpolate(text, namespace), expressions_in(text))


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
        raise PromptError(f"the value of $`{expression}` cannot be described: {_one_line(error)}") from error
    if len(text) <= VALUE_LIMIT:
        return text
    end = between_words(text, VALUE_LIMIT, -1)
    return f"{text[:end]}\n[cut: {len(text) - end:,} more characters of {expression}]"


def _compiled(expression: str, namespace: Mapping[str, Any], shown: str, advice: str) -> CodeType:
    """Return the compiled expression. Raises `PromptError` if it is not valid, or does more than making a value."""
    try:
        tree = ast.parse(expression.strip(), "<string>", mode="eval")
        action = action_of(tree, namespace)
        if not action:
            return compile(tree, "<string>", "eval")
    except Exception as error:
        raise _not_evaluated(expression, error) from error
    raise PromptError(f"{shown} {action}, and only values can be sent; {advice}")


def _evaluate(expression: str, code: CodeType, namespace: Mapping[str, Any]) -> Any:
    learn_keys(namespace)
    try:
        return eval(code, dict(namespace))  # noqa: S307  the user's own code in the user's own kernel
    except Exception as error:
        raise _not_evaluated(expression, error) from error


def _not_evaluated(expression: str, error: Exception) -> PromptError:
    shown = shortened(expression, SHOWN_LIMIT)
    return PromptError(f"$`{shown}` cannot be evaluated: {_one_line(error)}; --raw sends the text as typed")


def _one_line(error: Exception) -> str:
    """Return an error of the user's code on one short line; its message may have any length."""
    try:
        message = " ".join(str(error).split())
    except Exception:  # noqa: BLE001  its __str__ may raise anything
        message = "(no message)"
    return f"{type(error).__name__}: {shortened(message, ERROR_LENGTH)}"


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
        code = _compiled(expression, namespace, f"{option}: {shown}", ASSIGN)
        return _evaluate(expression, code, namespace)
    except PromptError as error:
        if error.__cause__ is None:  # it is valid, but does more than making a value
            raise
        raise PromptError(f"{option}: {shown} is {otherwise} ({error.__cause__})") from error


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
        raise PromptError(f"--attach: {name} cannot be drawn: {_one_line(error)}") from error
    return Attachment(name=name, content=buffer.getvalue(), media_type="image/png")
