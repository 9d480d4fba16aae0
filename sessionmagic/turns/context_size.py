"""How much of a model's context messages fill, in tokens: as the provider has counted them, or estimated."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sessionmagic.turns.quotation import is_quotation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic_ai.tools import ToolDefinition
    from pydantic_ai.toolsets import AbstractToolset

    from sessionmagic.turns.messages import Messages

ContextKind = Literal["instructions", "tools", "history", "attachments", "tool results", "summaries"]
"""What fills a context. The history is what the user and the model have said, with the model's tool calls."""

BYTES_PER_TOKEN = 4
"""An estimate for texts in UTF-8. English has about four, and code fewer."""
IMAGE_TOKENS = 1_000
"""An estimate. Providers count from 250 to 1,600 for an image, depending on its size."""
FILE_BYTES_PER_TOKEN = 30
"""An estimate for PDFs and other files."""


@dataclass(frozen=True, slots=True)
class ContextSize:
    """The tokens of a context."""

    tokens: int
    estimated: bool
    """Whether some of the tokens were not counted by the provider."""


def tokens_in(text: str) -> int:
    """Return an estimate of the tokens of a text."""
    return -(-len(text.encode(errors="replace")) // BYTES_PER_TOKEN)


def tool_tokens(toolset: AbstractToolset[None] | None) -> int:
    """Return an estimate of the tokens of the definitions of functions; 0 for other tools."""
    from pydantic_ai.toolsets import FunctionToolset

    tools = toolset.tools.values() if isinstance(toolset, FunctionToolset) else ()
    return definition_tokens(tool.tool_def for tool in tools)


def definition_tokens(definitions: Iterable[ToolDefinition]) -> int:
    """Return an estimate of the tokens of tool definitions."""
    return sum(
        tokens_in(json.dumps([tool.name, tool.description, tool.parameters_json_schema], default=str))
        for tool in definitions
    )


def tokens_by_kind(messages: Messages) -> Counter[ContextKind]:
    """Return an estimate of the tokens of messages, by what they are."""
    counts: Counter[ContextKind] = Counter()
    for message in messages:
        holds_results = any(part["part_kind"] == "tool-return" for part in message["parts"])
        for part in message["parts"]:
            for kind, tokens in _sizes(part, holds_results=holds_results):
                counts[kind] += tokens
    return counts


def tokens_of(messages: Messages) -> int:
    """Return an estimate of the tokens of messages."""
    return tokens_by_kind(messages).total()


def size_of(messages: Messages, others: int) -> ContextSize:
    """Return the size of a context with these messages.

    The provider's count for the latest response says how much was sent with it and what came back. Only what follows is
    estimated.

    Args:
        messages: The messages.
        others: An estimate for the instructions and the tools, which such a count includes.
    """
    for place in range(len(messages) - 1, -1, -1):
        if counted := _counted(messages[place]):
            after = tokens_of(messages[place + 1 :])
            return ContextSize(counted + after, estimated=after > 0)
    return ContextSize(tokens_of(messages) + others, estimated=True)


def uncounted(messages: Messages) -> Messages:
    """Return messages without what their responses tell about the context that they were given in.

    Used for messages that are sent in another context: after a summary, instead of after the turns that it covers.
    """
    return [_uncounted(message) if message["kind"] == "response" else message for message in messages]


def _uncounted(response: dict[str, Any]) -> dict[str, Any]:
    details = {name: value for name, value in (response.get("provider_details") or {}).items() if name != "left_out"}
    return {**response, "usage": {}, "provider_details": details or None}


def _counted(message: dict[str, Any]) -> int:
    """Return the tokens that the provider has counted for a response and all that was sent with it; 0 if unknown."""
    if message["kind"] != "response" or message.get("state", "complete") != "complete":
        return 0
    usage = message.get("usage") or {}
    sent, received = usage.get("input_tokens"), usage.get("output_tokens")
    return sent + received if isinstance(sent, int) and sent > 0 and isinstance(received, int) else 0


def _sizes(part: dict[str, Any], *, holds_results: bool) -> Iterator[tuple[ContextKind, int]]:
    content = part.get("content")
    match part["part_kind"]:
        case "user-prompt" if isinstance(content, str):
            yield "summaries" if is_quotation(content) else "history", tokens_in(content)
        case "user-prompt":
            # The prompt comes first, then its attachments. Beside results, these are images of the tools.
            for place, item in enumerate(content or ()):
                is_prompt = place == 0 and isinstance(item, str) and not holds_results
                yield "history" if is_prompt else "tool results" if holds_results else "attachments", _item(item)
        case "tool-return":
            yield "tool results", tokens_in(content if isinstance(content, str) else json.dumps(content))
        case "tool-call":
            args = part.get("args") or ""
            yield "history", tokens_in(part["tool_name"] + (args if isinstance(args, str) else json.dumps(args)))
        case _:
            yield "history", tokens_in(content) if isinstance(content, str) else 0


def _item(item: object) -> int:
    match item:
        case str():
            return tokens_in(item)
        case {"media_type": str(kind)} if kind.startswith("image/"):
            return IMAGE_TOKENS
        case {"data": str(data)}:
            return len(data) * 3 // 4 // FILE_BYTES_PER_TOKEN  # base64
        case {"content": str(text)}:
            return tokens_in(text)
        case _:
            return 0
