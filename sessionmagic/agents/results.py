"""What a model reads of a tool's result: in bounded size, without keys."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import is_dataclass, replace
from typing import Any

from pydantic import BaseModel
from pydantic_ai.messages import BinaryContent, ToolReturn
from pydantic_core import to_json

from sessionmagic.exceptions import words_of
from sessionmagic.keys import without_keys

SAFE_NUMBER = 2**53
"""Integers from here on are given as text: not every reader of JSON keeps them."""
RESULT_LIMIT = 20_000
"""Characters of one tool's result that the model reads."""


async def as_read(value: Any) -> ToolReturn[Any]:
    """Return a tool's result as the model reads it: a short value or text of bounded length, and images beside it."""
    if isinstance(value, ToolReturn):
        return replace(value, return_value=await bounded(value.return_value))
    images = value if isinstance(value, list) else [value]
    if images and all(isinstance(image, BinaryContent) for image in images):
        return ToolReturn(f"[{len(images)} image{'s' if len(images) > 1 else ''}]", content=images)
    return ToolReturn(await bounded(value))


async def bounded(value: Any) -> Any:
    """Return a value as it is when it is short and plain, or as text of bounded length."""
    if value is None:
        return ""
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < SAFE_NUMBER):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else json.dumps(value)
    return cut(value if isinstance(value, str) else await asyncio.to_thread(_text, value))


def cut(text: str) -> str:
    """Cut a result in its middle, and say so; keys are taken out, and what no file can hold is replaced."""
    text = without_keys(text)
    if len(text) > RESULT_LIMIT:
        half = RESULT_LIMIT // 2
        text = f"{text[:half]}\n[cut: {len(text) - 2 * half:,} characters]\n{text[-half:]}"
    return text.encode(errors="replace").decode()


def _text(value: Any) -> str:
    """Write a value as JSON, or as it writes itself when it is none."""
    try:
        if isinstance(value, list | tuple | dict | set | frozenset | BaseModel) or is_dataclass(value):
            return to_json(value, fallback=repr, inf_nan_mode="constants").decode()
        return str(value)
    except Exception as error:  # noqa: BLE001  the call has succeeded all the same
        return f"(a {type(value).__name__} that cannot be written: {words_of(error)})"
