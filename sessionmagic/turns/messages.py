"""Messages as pydantic-ai has them, as they are stored, and what they tell of a turn."""

from __future__ import annotations

from dataclasses import replace
from itertools import count, zip_longest
from typing import TYPE_CHECKING, Any

from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    ToolCallPart,
    UserContent,
    UserPromptPart,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sessionmagic.conversation.attachment import Attachment

Messages = list[dict[str, Any]]
"""pydantic-ai messages in their JSON form."""
NAME_LENGTH = 100
"""Characters of a call's tool that are kept: more than the name of any has, so that what is cut names none."""


def prompt_message(prompt: str | Sequence[UserContent]) -> Messages:
    """Return the prompt as the turn's first message."""
    return to_json([request_of(prompt)])


def content_of(prompt: str, attachments: Sequence[Attachment]) -> str | list[UserContent]:
    """Return what the model is asked: the prompt, then each attachment."""
    if not attachments:
        return prompt
    content: list[UserContent] = [prompt]
    for attachment in attachments:
        if isinstance(attachment.content, str):
            content.append(f"{attachment.name}:\n\n{attachment.content}")
        else:
            content.append(BinaryContent(attachment.content, media_type=attachment.media_type))
    return content


def request_of(prompt: str | Sequence[UserContent]) -> ModelRequest:
    """Return the prompt as a message."""
    return ModelRequest(parts=[UserPromptPart(prompt)])


def tidied(response: ModelResponse) -> ModelResponse:
    """Return a response whose calls have an id each, by which results belong to them, and names that can be read.

    Some models repeat an id, or write on and on where a name belongs.
    """
    parts: list[ModelResponsePart] = []
    used: list[str] = []
    for part in response.parts:
        own = tidied_call(part, used) if isinstance(part, ToolCallPart) else part
        used += [own.tool_call_id] if isinstance(own, ToolCallPart) else []
        parts.append(own)
    return replace(response, parts=parts)


def tidied_call(call: ToolCallPart, used: Collection[str]) -> ToolCallPart:
    """Return a call with another id if an earlier one of the same response has it; a name that is too long is cut."""
    numbers = count(2)
    call_id = call.tool_call_id
    while call_id in used:
        call_id = f"{call.tool_call_id}-{next(numbers)}"
    name = call.tool_name if len(call.tool_name) <= NAME_LENGTH else f"{call.tool_name[:NAME_LENGTH]}…"
    return replace(call, tool_call_id=call_id, tool_name=name)


def to_json(messages: list[ModelMessage]) -> Messages:
    """Return messages in the form in which they are stored."""
    stored: Messages = ModelMessagesTypeAdapter.dump_python(messages, mode="json")
    return stored


def as_history(stored: Messages) -> list[ModelMessage]:
    """Return stored messages as a history that the next run can go on from.

    A response whose tool calls never got a result is marked interrupted, on which pydantic-ai closes the calls;
    left as it is, it would run them again or refuse the next prompt.
    """
    messages = ModelMessagesTypeAdapter.validate_python(stored)
    for message, following in zip_longest(messages, messages[1:]):
        if isinstance(message, ModelResponse) and message.tool_calls and not _answers(following, message):
            message.state = "interrupted"
    return messages


def without_tool_images(stored: Messages) -> Messages:
    """Return stored messages without the images that stand beside the results of tools."""
    return [
        {**message, "parts": [left for part in message["parts"] if (left := _without_images(part))]}
        if any(part["part_kind"] == "tool-return" for part in message["parts"])
        else message
        for message in stored
    ]


def _without_images(part: dict[str, Any]) -> dict[str, Any] | None:
    """Return a part without its images; None when it has nothing else."""
    content = part.get("content")
    if part["part_kind"] != "user-prompt" or not isinstance(content, list):
        return part
    kept = [item for item in content if not _is_image(item)]
    return {**part, "content": kept} if kept else None


def _is_image(item: Any) -> bool:
    return isinstance(item, dict) and str(item.get("media_type")).startswith("image/")


def _answers(following: ModelMessage | None, response: ModelResponse) -> bool:
    answered = {getattr(part, "tool_call_id", None) for part in following.parts} if following else set()
    return all(call.tool_call_id in answered for call in response.tool_calls)


def doubt_about(response: ModelResponse) -> str | None:
    """Say why a response that ended without an error may not be what was asked for."""
    details = response.provider_details or {}
    match response.finish_reason:
        case _ if left_out := details.get("left_out"):
            return f"the conversation is longer than this model reads: its oldest {left_out} messages were left out"
        case "length":
            return "the answer was cut where the model reached its limit of tokens"
        case "content_filter":
            return "the answer was cut by the provider's filter"
        case _ if response.provider_url and not {"finish_reason", "refusal"} & set(details):
            # a cut connection may look like an end, for which pydantic-ai then makes up a reason
            return "the answer may be cut: the provider ended it without saying that it was whole"
    return None
