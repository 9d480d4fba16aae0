"""Messages: pydantic-ai's objects, and the JSON form in which they are stored."""

from __future__ import annotations

from dataclasses import replace
from itertools import count, zip_longest
from typing import TYPE_CHECKING, Any

from pydantic_ai.exceptions import IncompleteToolCall
from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)

from sessionmagic.turns.provider_words import on_one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sessionmagic.conversation.attachment import Attachment

Messages = list[dict[str, Any]]
"""Messages of pydantic-ai in their JSON form."""
NAME_LENGTH = 100
"""Characters to which the tool name in a call is cut. The name of every tool is shorter, so no tool has a cut name."""


def prompt_message(prompt: str | Sequence[UserContent]) -> Messages:
    """Return the prompt as the turn's first message."""
    return to_json([request_of(prompt)])


def content_of(prompt: str, attachments: Sequence[Attachment]) -> str | list[UserContent]:
    """Return the content of the user's message: the prompt, then the attachments."""
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
    """Return the prompt as a message of pydantic-ai."""
    return ModelRequest(parts=[UserPromptPart(prompt)])


def tidied(response: ModelResponse) -> ModelResponse:
    """Return the response with a unique id for each tool call, and with tool names of limited length.

    Results are matched to calls by their id, but some models repeat an id, or write a name that does not end.
    """
    parts: list[ModelResponsePart] = []
    used: list[str] = []
    for part in response.parts:
        new = tidied_call(part, used) if isinstance(part, ToolCallPart) else part
        used += [new.tool_call_id] if isinstance(new, ToolCallPart) else []
        parts.append(new)
    return replace(response, parts=parts)


def tidied_call(call: ToolCallPart, used: Collection[str]) -> ToolCallPart:
    """Return the call with an id that is not among the `used` ones, and with a tool name of limited length."""
    numbers = count(2)
    call_id = call.tool_call_id
    while call_id in used:
        call_id = f"{call.tool_call_id}-{next(numbers)}"
    name = call.tool_name if len(call.tool_name) <= NAME_LENGTH else f"{call.tool_name[:NAME_LENGTH]}…"
    return replace(call, tool_call_id=call_id, tool_name=name)


def check_whole(call: ToolCallPart) -> None:
    """Raise `IncompleteToolCall` if the arguments of a call were cut off.

    pydantic-ai does so only when the model has made the call again several times, each time to the token limit.
    """
    try:
        whole = bool(call.args) and call.args_as_dict(raise_if_invalid=True) is not None
    except (ValueError, AssertionError):
        whole = False
    if not whole:
        raise IncompleteToolCall("the token limit was reached in a tool call")


def to_json(messages: list[ModelMessage]) -> Messages:
    """Return messages in the JSON form in which they are stored."""
    stored: Messages = ModelMessagesTypeAdapter.dump_python(messages, mode="json")
    return stored


def as_history(stored: Messages) -> list[ModelMessage]:
    """Return stored messages as a history that a run can continue.

    A response with tool calls that never got a result is marked as interrupted; pydantic-ai then closes these calls.
    Without the mark it would run them again, or refuse the next prompt. A response that the provider had suspended
    when its turn ended is marked, too, as pydantic-ai refuses a prompt after it.
    """
    messages = ModelMessagesTypeAdapter.validate_python(stored)
    for message, following in zip_longest(messages, messages[1:]):
        if not isinstance(message, ModelResponse):
            continue
        if message.state == "suspended" or (message.tool_calls and not _answers(following, message)):
            message.state = "interrupted"
    return messages


def with_interrupted_results(messages: list[ModelMessage], printed: Mapping[str, str]) -> list[ModelMessage]:
    """Return the messages of a stopped run with a result for each call that has printed something before the stop.

    Args:
        messages: The messages of the run.
        printed: What the calls without a result have printed, by call id.
    """
    response = next((message for message in reversed(messages) if isinstance(message, ModelResponse)), None)
    results = [
        ToolReturnPart(call.tool_name, text, call.tool_call_id, outcome="interrupted")
        for call in (response.tool_calls if response is not None else ())
        if (text := printed.get(call.tool_call_id))
    ]
    if not results:
        return messages
    last = messages[-1]
    if isinstance(last, ModelRequest):
        return [*messages[:-1], replace(last, parts=[*last.parts, *results])]
    return [*messages, ModelRequest(results, state="interrupted")]


def without_tool_images(stored: Messages) -> Messages:
    """Return stored messages without the images that were sent along with tool results."""
    return [
        {**message, "parts": [left for part in message["parts"] if (left := _without_images(part))]}
        if any(part["part_kind"] == "tool-return" for part in message["parts"])
        else message
        for message in stored
    ]


def _without_images(part: dict[str, Any]) -> dict[str, Any] | None:
    """Return a part without its images, or None if nothing else is in it.

    A tool result is text; its images are a user prompt in the same message.
    """
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
    """Return a warning if the response may be incomplete although it ended without an error."""
    details = response.provider_details or {}
    match response.finish_reason:
        case _ if left_out := details.get("left_out"):
            return f"the conversation is longer than the model can read; oldest messages left out: {left_out}"
        case "length":
            return "the answer was cut off at the model's token limit; ask the model to continue"
        case "content_filter" if refusal := details.get("refusal"):
            return f"the model refused to say more: {on_one_line(str(refusal))}"
        case "content_filter":
            return "the answer was cut off by the provider's content filter"
        case _ if not response.tool_calls and not (response.text or "").strip():
            return "the answer is blank; ask again, or choose another model"
        case _ if response.provider_url and not {"finish_reason", "refusal"} & set(details):
            # pydantic-ai sets a finish reason of its own when the provider gives none, as after a lost connection.
            return "the answer may be incomplete: the provider ended it without a finish reason"
    return None
