"""The copy of the messages that goes to a model: valid for the strictest server. What is stored stays as it was.

pydantic-ai 2.68 closes calls that got no result and joins requests that follow each other. The rest is done here, by
one rule for all providers, as each of these is refused by some server:

- User and assistant take turns, and the user begins. Parts of one role are joined.
- What the user says after the results of calls follows a short text of the assistant. pydantic-ai does the same for
  Mistral, with the same text.
- A system message stands at the beginning and nowhere else.
- No text of the assistant is blank. A response with neither text nor calls is left out.
- Each call has exactly one result, in the next message, and an id and a name that every provider takes.
- Reasoning, ids of items and other details go back to the provider they came from, and to no other.

The functions are pure: they take messages and return new ones. A message that needs no change is returned as it is,
because a long conversation is sent many times.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    RetryFeedbackPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)

from sessionmagic.turns.call_ids import CallIds

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sessionmagic.turns.destination import Destination

BRIDGE = "OK"
"""The assistant's text between the results of calls and what the user says next."""
GO_ON = "Go on."
"""The user's text where the assistant would otherwise begin, or speak twice."""

_THE_PAST = datetime(2000, 1, 1, tzinfo=UTC)


def as_sent(
    messages: Sequence[ModelMessage], to: Destination, used: Collection[str] | None = None
) -> list[ModelMessage]:
    """Return the messages in the form in which they are sent.

    Args:
        messages: The whole conversation. The last one is a request, or a response that the provider has suspended.
        to: Where they are sent.
        used: If these messages only go on with a conversation, the ids of its calls so far. The last message before
            them is a response without calls, and the first of them is a request.
    """
    ids = CallIds(to, set(used or ()))
    sent: list[ModelMessage] = []
    response: ModelResponse | None = None
    for message in _alternating(without_foreign_details(messages, to)):
        if isinstance(message, ModelRequest):
            sent += _request(message, response, ids, first=used is None and not sent)
            response = None
        else:
            sent.append(ids.fitted(message))
            response = message
    return sent


def without_foreign_details(messages: Sequence[ModelMessage], to: Destination) -> list[ModelMessage]:
    """Return the messages without blank texts, and without what only the provider of a response can read.

    Responses that have nothing left are left out.
    """
    kept: list[ModelMessage] = []
    for message in messages:
        if isinstance(message, ModelRequest) or is_suspended(message, messages):
            kept.append(message)
            continue
        own = to.made(message)
        parts = [part for each in message.parts if (part := _own(each, to) if own else _foreign(each)) is not None]
        if all(isinstance(part, ThinkingPart) for part in parts):
            continue
        if not own:
            message = replace(message, provider_response_id=None, provider_details=None)  # noqa: PLW2901
        kept.append(replace(message, parts=parts) if len(parts) < len(message.parts) or not own else message)
    return kept


def is_suspended(response: ModelResponse, messages: Sequence[ModelMessage]) -> bool:
    """Return whether the provider is asked to go on with a response, which is then the last message."""
    return response.state == "suspended" and response is messages[-1]


def _own(part: ModelResponsePart, to: Destination) -> ModelResponsePart | None:
    """Return a part for the provider that has made it; None if it is left out."""
    if isinstance(part, ThinkingPart):
        return part if to.takes_back(part) else None
    return None if _is_blank(part) else part


def _foreign(part: ModelResponsePart) -> ModelResponsePart | None:
    """Return a part for a provider that has not made it; None if it is left out."""
    if not isinstance(part, TextPart | ToolCallPart) or _is_blank(part):
        return None
    return replace(part, id=None, provider_name=None, provider_details=None)


def _is_blank(part: ModelResponsePart) -> bool:
    return isinstance(part, TextPart) and not part.content.strip()


def _alternating(messages: Iterable[ModelMessage]) -> list[ModelMessage]:
    """Return the messages with neighbours of one role joined, the first one a request."""
    joined: list[ModelMessage] = []
    for message in messages:
        last = joined[-1] if joined else None
        if isinstance(message, ModelRequest):
            if isinstance(last, ModelRequest):
                parts = [*last.parts, *message.parts]
                instructions = message.instructions or last.instructions
                joined[-1] = replace(message, parts=parts, instructions=instructions)
            else:
                joined.append(message)
        elif isinstance(last, ModelResponse) and not last.tool_calls and message.state != "suspended":
            joined[-1] = replace(message, parts=[*last.parts, *message.parts])
        else:
            if not isinstance(last, ModelRequest):  # the results of the calls are added to it
                joined.append(ModelRequest(parts=[], timestamp=message.timestamp))
            joined.append(message)
    return joined


def _request(request: ModelRequest, response: ModelResponse | None, ids: CallIds, *, first: bool) -> list[ModelMessage]:
    """Return a request as it is sent: the results of the calls of the response before it, then what the user says."""
    results = ids.results(request, response)
    if not results and _is_one_text(request):
        return [request]
    others = [part for part in request.parts if not isinstance(part, ToolReturnPart)]
    leading = _leading_system_prompts(others) if first else 0
    said = _said(others[leading:])
    if not said and not results:
        said = [UserPromptPart(GO_ON, timestamp=request.timestamp or _THE_PAST)]
    if not said or not results:
        return [replace(request, parts=[*others[:leading], *results, *said])]
    bridge = ModelResponse(parts=[TextPart(BRIDGE)], timestamp=request.timestamp or _THE_PAST)
    return [replace(request, parts=results), bridge, replace(request, parts=said)]


def _is_one_text(request: ModelRequest) -> bool:
    match request.parts:
        case [UserPromptPart(content=str(text))]:
            return bool(text.strip())
    return False


def _leading_system_prompts(parts: Sequence[ModelRequestPart]) -> int:
    return next((i for i, part in enumerate(parts) if not isinstance(part, SystemPromptPart)), len(parts))


def _said(parts: Sequence[ModelRequestPart]) -> list[ModelRequestPart]:
    """Return what the user says as one part. Parts of other kinds follow it unchanged."""
    content: list[UserContent] = []
    others: list[ModelRequestPart] = []
    timestamp = _THE_PAST
    for part in parts:
        match part:
            case UserPromptPart():
                content += [part.content] if isinstance(part.content, str) else part.content
            case RetryFeedbackPart():
                content.append(part.model_response())
            case SystemPromptPart():
                # pydantic-ai writes it like this for models that take no system message in the middle.
                content.append(f"<system>{part.content}</system>")
            case _:
                others.append(part)
                continue
        timestamp = part.timestamp
    content = [item for item in content if not isinstance(item, str) or item.strip()] or content[:1]
    texts = [item for item in content if isinstance(item, str)]
    if not content:
        return others
    return [UserPromptPart("\n\n".join(texts) if len(texts) == len(content) else content, timestamp=timestamp), *others]
