"""What a model reads of a tool's result: in bounded size, without keys."""

from __future__ import annotations

import asyncio
import json
import math
from contextlib import suppress
from dataclasses import is_dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_ai.messages import BinaryContent, ToolReturn, UserContent
from pydantic_core import to_json

from sessionmagic.conversation.attachment import IMAGE_STARTS
from sessionmagic.keys import without_keys
from sessionmagic.words import words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_ai.messages import ToolReturnPart

SAFE_NUMBER = 2**53
"""Integers from here on are given as text: not every reader of JSON keeps them."""
RESULT_LIMIT = 20_000
"""Characters of one tool's result that the model reads."""
NOTE_LENGTH = 50
"""No less than that is cut, so that what is cut already is not cut again."""
IMAGE_LIMIT = 3_500_000
"""Bytes of an image that is sent: with one of 5 MB in base64 some providers refuse this request and all later ones."""
IMAGES = 10
"""Images of one result that are sent, and then with every later request."""

_content: TypeAdapter[UserContent] = TypeAdapter(UserContent)
"""What models see."""


async def as_read(value: Any) -> ToolReturn[Any]:
    """Return a tool's result as the model reads it: a short value or text, to be bound, and images beside it."""
    if isinstance(value, ToolReturn):
        said = await readable(value.return_value)
        content, left_out = _sent(value.content)
        if left_out:
            said = "\n".join([str(said), *left_out])
        return replace(value, return_value=said, content=content)
    parts = value if isinstance(value, list) else [value]
    if not any(isinstance(part, BinaryContent) for part in parts):
        return ToolReturn(await readable(value))
    said = [
        f"[{part.media_type}, {len(part.data):,} bytes]" if isinstance(part, BinaryContent) else await readable(part)
        for part in parts
    ]
    images = [part for part in parts if isinstance(part, BinaryContent) and part.media_type in IMAGE_STARTS]
    return await as_read(ToolReturn("\n".join(map(str, said)), content=images))


def without_images(content: str | Sequence[UserContent] | None) -> list[UserContent] | None:
    """Return what stands beside a result, for a model that sees no images."""
    items = [content] if isinstance(content, str) else content or ()
    return [item for item in items if not (isinstance(item, BinaryContent) and item.is_image)] or None


def _sent(content: str | Sequence[UserContent] | None) -> tuple[list[UserContent] | None, list[str]]:
    """Return what stands beside a result, as far as it can be sent, and notes on the rest."""
    sent: list[UserContent] = []
    left_out: list[str] = []
    images = 0
    for item in [content] if isinstance(content, str) else content or ():
        if isinstance(item, str):
            sent.append(cut(item))
        elif not _can_be_sent(item):
            left_out.append(f"[{getattr(item, 'media_type', type(item).__name__)} that cannot be sent to the model]")
        elif not isinstance(item, BinaryContent) or not item.is_image:
            sent.append(item)
        elif len(item.data) > IMAGE_LIMIT:
            left_out.append(f"[{item.media_type} of {len(item.data):,} bytes: too large to be sent to the model]")
        elif (images := images + 1) <= IMAGES:
            sent.append(item)
    if images > IMAGES:
        left_out.append(f"[{images - IMAGES:,} more: only {IMAGES} images of one result are sent to the model]")
    return sent or None, left_out


def _can_be_sent(item: object) -> bool:
    """Whether something can stand in a prompt: no image that is none, as a provider would refuse it again and again."""
    if isinstance(item, BinaryContent):
        start = IMAGE_STARTS.get(item.media_type)
        return item.data.startswith(start) if start else not item.is_image
    try:
        _content.validate_python(item)
    except ValidationError:
        return False
    return True


async def readable(value: Any) -> Any:
    """Return a value as it is when it is short and plain, or as text."""
    if value is None:
        return ""
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < SAFE_NUMBER):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else json.dumps(value)
    return value if isinstance(value, str) else await asyncio.to_thread(_text, value)


def bound(result: ToolReturnPart) -> None:
    """Cut what a result says, whoever wrote it: pydantic-ai's own errors quote the arguments that they are about."""
    try:
        text = result.model_response_str(wrap_if_error=False)
    except Exception:  # noqa: BLE001  what an error quotes has half a character
        result.content = text = repr(result.content)
    said = cut(text)
    if isinstance(result.content, str) or said != text:
        result.content = said


def cut(text: str) -> str:
    """Cut a result in its middle, and say so; keys are taken out, and what no file can hold is replaced."""
    text = without_keys(text)
    if len(text) > RESULT_LIMIT + NOTE_LENGTH:
        half = RESULT_LIMIT // 2
        text = f"{text[:half]}\n[cut: {len(text) - 2 * half:,} characters]\n{text[-half:]}"
    return text.encode(errors="replace").decode()


def _text(value: Any) -> str:
    """Write a value as JSON, or as it writes itself when it is none."""
    try:
        if isinstance(value, list | tuple | dict | set | frozenset | BaseModel) or is_dataclass(value):
            with suppress(Exception):  # such as bytes that are no text, within
                return to_json(value, fallback=repr, inf_nan_mode="constants").decode()
            return repr(value)
        return str(value)
    except Exception as error:  # noqa: BLE001  the call has succeeded all the same
        return f"(a {type(value).__name__} that cannot be written: {words_of(error)})"
