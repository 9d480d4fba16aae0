"""The messages of a model request in a form in which two requests can be compared."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    SystemPromptPart,
    TextContent,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)

from sessionmagic.home import without_machine
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.models.difference import PROMPT, RESULT, Said
from sessionmagic.models.recording import ANY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_ai.messages import ModelRequestPart, ModelResponsePart
    from pydantic_ai.tools import ToolDefinition

HASH_LENGTH = 12
PLAIN_KEPT = 100_000
"""How many texts that are compared as they are get remembered, by their hashes."""
CELL = re.compile(r"\b(In|Out) ?\[\d+\]")
"""The number of a cell, as IPython writes it before the cell and in tracebacks."""
_plain: set[tuple[int, int]] = set()
"""The texts that name no cell and nothing of this machine. Each request has all texts of the conversation again."""


def said_in(messages: Sequence[ModelMessage]) -> tuple[Said, ...]:
    """Return what messages say, without reasoning, ids, times and names of models, and without keys.

    Home directories and the like are left out, too, so that a recording can be replayed on another machine.
    """
    return tuple(said for message in messages for part in message.parts for said in _said(part))


def as_compared(text: str) -> str:
    """Return a text without keys, without the numbers of cells, and without what tells about this machine.

    A cell that runs again has another number, which `%agent fix` names.
    """
    text = without_keys(text, look=False)
    known = hash(text), len(text)
    if known in _plain:
        return text
    compared = CELL.sub(r"\1 [ ]", without_machine(text))
    if compared == text:
        if len(_plain) >= PLAIN_KEPT:
            _plain.clear()
        _plain.add(known)
    return compared


def said_to_judge(question: str, first: str, second: str) -> tuple[Said, ...]:
    """Return what a judge is asked: a question, and two answers to it."""
    return (_cleaned(PROMPT, question), _cleaned("first answer", first), _cleaned("second answer", second))


def said_for_title(prompt: str) -> tuple[Said, ...]:
    """Return what a model is asked that makes a title: the prompt with which a session begins."""
    return (_cleaned(PROMPT, prompt),)


def hashes_of(tools: Sequence[ToolDefinition]) -> dict[str, str]:
    """Return the names of tools, each with a hash of its definition; `ANY` for one that stands for a recorded tool."""
    return {
        tool.name: ANY
        if (tool.metadata or {}).get("stands_in")
        else hash_of([tool.description, tool.parameters_json_schema])
        for tool in tools
    }


def hash_of(value: Any) -> str:
    """Return a short hash of a value, which is the same for the same JSON."""
    return sha256(_json(value).encode(errors="replace")).hexdigest()[:HASH_LENGTH]


def _said(part: ModelRequestPart | ModelResponsePart) -> Iterator[Said]:
    match part:
        case UserPromptPart():
            items = [part.content] if isinstance(part.content, str) else part.content
            yield _cleaned(PROMPT, "\n\n".join(map(_item, items)))
        case SystemPromptPart():
            yield _cleaned("instructions", part.content)
        case ToolReturnPart():
            yield _cleaned(f"{RESULT}{part.tool_name}", part.model_response_str(wrap_if_error=False))
        case TextPart() if part.content.strip():
            yield _cleaned("answer", part.content)
        case ToolCallPart():
            yield _cleaned(f"call of {part.tool_name}", _arguments(part))
        case _ if hasattr(part, "model_response"):  # what is said of a call or an answer that was not valid
            yield _cleaned("correction", str(part.model_response()))


def _cleaned(who: str, text: str) -> Said:
    return Said(who, as_compared(text))


def _arguments(call: ToolCallPart) -> str:
    try:
        return _json(call.args_as_dict(raise_if_invalid=True))
    except (ValueError, AssertionError):
        return str(call.args)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _item(item: UserContent) -> str:
    match item:
        case str():
            return item
        case TextContent():
            return item.content
        case BinaryContent():
            return f"[{item.media_type} {sha256(item.data).hexdigest()[:HASH_LENGTH]}]"
        case _:
            return f"[{item.kind}]"
