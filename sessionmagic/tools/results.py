"""What the model reads of a tool's result: text of limited size, and images."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from dataclasses import is_dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_ai.messages import BinaryContent, ToolReturn, UserContent
from pydantic_core import to_json

from sessionmagic.conversation.attachment import IMAGE_STARTS
from sessionmagic.loop import in_own_thread
from sessionmagic.words import between_words, counted, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_ai.messages import ToolReturnPart

SAFE_NUMBER = 2**53
"""Integers of this size and above are given as text, as many readers of JSON would round them."""
RESULT_LIMIT = 20_000
"""Characters of one result that the model reads."""
NOTE_LENGTH = 50
"""Characters by which a result may exceed the limit, so that one with a note of what was cut is not cut again."""
IMAGE_LIMIT = 3_500_000
"""Bytes of an image that is sent.

With an image of 5 MB in base64, some providers refuse the request, and so all later requests of the session.
"""
IMAGES = 10
"""How many images of one result are sent. They are sent again with every later request."""

_content: TypeAdapter[UserContent] = TypeAdapter(UserContent)
"""Checks that a value is content that pydantic-ai can send."""


async def as_read(value: Any) -> ToolReturn[Any]:
    """Return a tool's result as the model reads it: a plain value or text, and images beside it.

    The text is not cut yet; `bound` does that.
    """
    if isinstance(value, ToolReturn):
        text = await readable(value.return_value)
        content, notes = _sendable(value.content)
        if notes:
            text = "\n".join([str(text), *notes])
        return replace(value, return_value=text, content=content)
    parts = value if isinstance(value, list) else [value]
    if not any(isinstance(part, BinaryContent) for part in parts):
        return ToolReturn(await readable(value))
    texts = [
        f"[{part.media_type}, {counted(len(part.data), 'byte')}]"
        if isinstance(part, BinaryContent)
        else await readable(part)
        for part in parts
    ]
    images = [part for part in parts if isinstance(part, BinaryContent) and part.media_type in IMAGE_STARTS]
    return await as_read(ToolReturn("\n".join(map(str, texts)), content=images))


def without_images(content: str | Sequence[UserContent] | None) -> list[UserContent] | None:
    """Return the content beside a result for a model that cannot see images."""
    items = [content] if isinstance(content, str) else content or ()
    return [item for item in items if not (isinstance(item, BinaryContent) and item.is_image)] or None


def _sendable(content: str | Sequence[UserContent] | None) -> tuple[list[UserContent] | None, list[str]]:
    """Return the content beside a result that can be sent to the model, and notes on the rest."""
    sent: list[UserContent] = []
    notes: list[str] = []
    images = 0
    for item in [content] if isinstance(content, str) else content or ():
        if isinstance(item, str):
            sent.append(cut(item))
        elif not _can_be_sent(item):
            notes.append(f"[{getattr(item, 'media_type', type(item).__name__)}: cannot be sent to the model]")
        elif not isinstance(item, BinaryContent) or not item.is_image:
            sent.append(item)
        elif len(item.data) > IMAGE_LIMIT:
            notes.append(f"[{item.media_type} of {counted(len(item.data), 'byte')}: too large to be sent to the model]")
        elif (images := images + 1) <= IMAGES:
            sent.append(item)
    if images > IMAGES:
        notes.append(
            f"[images left out: {images - IMAGES:,}; only the first {IMAGES} of a result are sent to the model]"
        )
    return sent or None, notes


def _can_be_sent(item: object) -> bool:
    """Return whether an item can be in a prompt.

    Data that only claims to be an image cannot: the provider would refuse it in this request and in all later ones.
    """
    if isinstance(item, BinaryContent):
        start = IMAGE_STARTS.get(item.media_type)
        return item.data.startswith(start) if start else not item.is_image
    try:
        _content.validate_python(item)
    except ValidationError:
        return False
    return True


async def readable(value: Any) -> Any:
    """Return a short plain value as it is, and any other value as text."""
    if value is None:
        return ""
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < SAFE_NUMBER):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else json.dumps(value)
    return value if isinstance(value, str) else await in_own_thread(_text, value)


def bound(result: ToolReturnPart) -> None:
    """Limit the size of a result.

    This is also needed for the results that pydantic-ai writes, as its errors quote the arguments of the call.
    """
    try:
        text = result.model_response_str(wrap_if_error=False)
    except Exception:  # noqa: BLE001  a result with half a surrogate pair cannot be written as JSON
        result.content = text = repr(result.content)
    shortened = cut(text)
    if isinstance(result.content, str) or shortened != text:
        result.content = shortened


def cut(text: str) -> str:
    """Return a text, cut in its middle if it is too long.

    Characters that cannot be stored as UTF-8 are replaced.
    """
    if len(text) > RESULT_LIMIT + NOTE_LENGTH:
        begin = between_words(text, RESULT_LIMIT // 2, -1)
        end = between_words(text, len(text) - RESULT_LIMIT // 2, 1)
        text = f"{text[:begin]}\n[cut: {counted(end - begin, 'character')}]\n{text[end:]}"
    return text.encode(errors="replace").decode()


def _text(value: Any) -> str:
    """Return a value as JSON if it has such a form, or as its own text."""
    try:
        if isinstance(value, list | tuple | dict | set | frozenset | BaseModel) or is_dataclass(value):
            with suppress(Exception):  # it contains, for example, bytes that are not UTF-8
                return to_json(value, fallback=repr, inf_nan_mode="constants").decode()
            return repr(value)
        return str(value)
    except Exception as error:  # noqa: BLE001  a value without a text does not make the call fail
        return f"(a {type(value).__name__} that cannot be shown as text: {words_of(error)})"
