"""A model request as it went out, and its form as text for the user."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)

from sessionmagic.keys.cleaning import without_keys
from sessionmagic.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_ai.messages import ModelRequestPart, ModelResponsePart
    from pydantic_ai.tools import ToolDefinition

HIDDEN_SETTINGS = {"extra_headers", "extra_body"}
"""Settings that may hold keys which are not in the environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRequest:
    """A model request as it went out."""

    model: str
    """The provider and the model."""
    instructions: Sequence[str]
    messages: Sequence[ModelMessage]
    tools: Sequence[ToolDefinition]
    """The offered tools."""
    settings: dict[str, Any]
    at: float = field(default_factory=time.time)
    """Seconds since the epoch."""

    def text(self) -> str:
        """Return the request as text: the instructions, each message, the offered tools and the settings.

        Keys are left out, and files are replaced by their type and size.
        """
        clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.at))
        blocks = [f"sent to {self.model} at {clock}", *(f"system: {text}" for text in self.instructions)]
        blocks += [block for message in self.messages for block in _blocks(message)]
        if self.tools:
            blocks.append(f"tools: {', '.join(tool.name for tool in self.tools)}")
        if settings := [f"{name}={_setting(name, value)}" for name, value in self.settings.items()]:
            blocks.append(f"settings: {', '.join(settings)}")
        return without_keys("\n\n".join(blocks))


def _blocks(message: ModelMessage) -> Iterator[str]:
    if isinstance(message, ModelRequest):
        yield from map(_request_block, message.parts)
    else:
        yield from map(_response_block, message.parts)


def _request_block(part: ModelRequestPart) -> str:
    match part:
        case UserPromptPart():
            items = [part.content] if isinstance(part.content, str) else part.content
            text = "\n\n".join(map(_item, items))
            return f"user: {text}"
        case SystemPromptPart():
            return f"system: {part.content}"
        case ToolReturnPart():
            return f"result of {part.tool_name} ({part.tool_call_id}): {part.model_response_str()}"
        case _:
            return f"{part.part_kind}: {part}"


def _response_block(part: ModelResponsePart) -> str:
    match part:
        case TextPart():
            return f"assistant: {part.content}"
        case ThinkingPart():
            return f"assistant's reasoning: {part.content or '(not readable)'}"
        case ToolCallPart():
            return f"assistant calls {part.tool_name} ({part.tool_call_id}): {part.args_as_json_str()}"
        case _:
            return f"assistant's {part.part_kind}"


def _setting(name: str, value: object) -> str:
    return "•••" if name in HIDDEN_SETTINGS else repr(value)


def _item(item: UserContent) -> str:
    match item:
        case str():
            return item
        case TextContent():
            return item.content
        case BinaryContent():
            return f"[{item.media_type}, {counted(len(item.data), 'byte')}]"
        case _:
            return f"[{item.kind}]"
