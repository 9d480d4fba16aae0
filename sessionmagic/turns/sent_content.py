"""What a model request may contain: the messages, instructions and tools without keys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponsePart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)

from sessionmagic.keys.cleaning import is_known_clean, without_keys_in
from sessionmagic.keys.known import KNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_ai.models import ModelRequestParameters

    from sessionmagic.turns.left_out import LeftOut

T = TypeVar("T")


class SentContent:
    """The content of a turn's model requests.

    Args:
        left_out: Collects what is left out, and tells whether keys are meant to be sent.
    """

    def __init__(self, left_out: LeftOut) -> None:
        self.left_out = left_out

    def messages(self, messages: Sequence[ModelMessage]) -> list[ModelMessage]:
        """Return the messages without keys."""
        KNOWN.look()
        cleaned = [self._message(message) for message in messages]
        return list(messages) if self.left_out.sends_keys else cleaned

    def parameters(self, parameters: ModelRequestParameters) -> ModelRequestParameters:
        """Return the parameters of a request without keys in the instructions and the tools."""
        parts = parameters.instruction_parts or []
        instructions = [self._clean(part, "instructions") for part in parts]
        tools = [self._clean(tool, f"description of {tool.name}") for tool in parameters.function_tools]
        same = _same(instructions, parts) and _same(tools, parameters.function_tools)
        if same or self.left_out.sends_keys:
            return parameters
        changes: dict[str, Any] = {"function_tools": tools}
        if parameters.instruction_parts is not None:
            changes["instruction_parts"] = instructions
        return replace(parameters, **changes)

    def _message(self, message: ModelMessage) -> ModelMessage:
        of_tools = any(isinstance(part, ToolReturnPart) for part in message.parts)
        parts = [self._part(part, of_tools=of_tools) for part in message.parts]
        changes: dict[str, Any] = {} if _same(parts, message.parts) else {"parts": parts}
        if isinstance(message, ModelRequest) and message.instructions:
            instructions = self._clean(message.instructions, "instructions")
            changes |= {} if instructions is message.instructions else {"instructions": instructions}
        return replace(message, **changes) if changes else message

    def _part(self, part: ModelRequestPart | ModelResponsePart, *, of_tools: bool) -> Any:
        match part:
            case UserPromptPart(content=str(text)) | TextPart(content=text, provider_details=None):
                if is_known_clean(text):
                    return part
            case UserPromptPart(content=content):
                cleaned = self._content(content, of_tools=of_tools)
                return part if _same(cleaned, content) else replace(part, content=cleaned)
            case _:
                pass
        return self._clean(part, _place_of(part))

    def _clean(self, value: T, place: str) -> T:
        return without_keys_in(value, self.left_out.noting(place), look=False)

    def _content(self, content: Sequence[UserContent], *, of_tools: bool) -> list[UserContent]:
        """Return a prompt and what was attached to it, or what tools have returned beside their results."""
        others = "result of a tool" if of_tools else "attachment"
        places = [others if of_tools else "prompt", *[others] * (len(content) - 1)]
        return [self._clean(item, place) for item, place in zip(content, places, strict=True)]


def _place_of(part: ModelRequestPart | ModelResponsePart) -> str:
    """Return where the content of a part stands, in the words of a warning."""
    match part:
        case UserPromptPart():
            return "prompt"
        case SystemPromptPart():
            return "instructions"
        case ToolReturnPart():
            return f"result of {part.tool_name}"
        case ToolCallPart():
            return f"arguments of {part.tool_name}"
        case TextPart():
            return "answer"
        case ThinkingPart():
            return "reasoning"
        case _:
            return part.part_kind.replace("-", " ")


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return all(new is old for new, old in zip(one, other, strict=True))
