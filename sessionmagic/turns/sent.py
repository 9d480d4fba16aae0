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

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic_ai.messages import (
    INTERRUPTED_TOOL_RETURN_CONTENT,
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

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

BRIDGE = "OK"
"""The assistant's text between the results of calls and what the user says next."""
GO_ON = "Go on."
"""The user's text where the assistant would otherwise begin, or speak twice."""

_OWN_ID = re.compile(r"[a-zA-Z0-9_-]{1,40}")
"""Ids of calls that every provider takes back if it has made them."""
_ANY_ID = re.compile(r"[a-zA-Z0-9]{9}")
"""Ids of calls that every provider takes. Mistral's models want exactly nine letters and digits."""
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SIGNED_ID = "__thought__"
"""LiteLLM hides Gemini's signature behind this mark in the id of a call, and needs the whole id back."""
_THE_PAST = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where messages are sent, as far as it decides what they may contain."""

    made: Callable[[ModelResponse], bool]
    """Returns whether a response came from there."""
    takes_back: Callable[[ThinkingPart], bool] = lambda _: True
    """Returns whether a piece of reasoning that came from there can be sent back."""
    takes_ids: Callable[[ModelResponse], bool] = lambda _: True
    """Returns whether the ids of the calls in a response that came from there can be sent back."""


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
    ids = _CallIds(to, set(used or ()))
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


def with_fitting_ids(
    messages: Sequence[ModelMessage], to: Destination, used: Collection[str] = ()
) -> list[ModelMessage]:
    """Return the messages with ids and names of calls that the provider takes, alike in calls and results.

    Args:
        messages: The messages.
        to: Where they are sent.
        used: The ids of the calls in messages before these.
    """
    ids = _CallIds(to, set(used))
    return [ids.fitted(each) if isinstance(each, ModelResponse) else ids.answering(each) for each in messages]


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


def _request(
    request: ModelRequest, response: ModelResponse | None, ids: _CallIds, *, first: bool
) -> list[ModelMessage]:
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


_Names: TypeAlias = dict[str, Any]
"""The id and the name of a call, as fields of its part and of its result's part."""


@dataclass(slots=True)
class _CallIds:
    """The ids of calls in the copy. Each is used once; the ids of earlier calls do not depend on later ones."""

    to: Destination
    used: set[str] = field(default_factory=set)
    calls: list[tuple[str, _Names]] = field(default_factory=list)
    """The calls of the latest response: the id under which each is stored, and the id and name that are sent."""

    def fitted(self, response: ModelResponse) -> ModelResponse:
        """Return a response with ids and names of calls that the provider takes."""
        self.calls = []
        if not any(isinstance(part, ToolCallPart) for part in response.parts):
            return response
        own = self.to.made(response) and self.to.takes_ids(response)
        parts: list[ModelResponsePart] = []
        for part in response.parts:
            if isinstance(part, ToolCallPart):
                names: _Names = {"tool_call_id": self._fitting(part.tool_call_id, own=own), "tool_name": _name(part)}
                self.calls.append((part.tool_call_id, names))
                parts.append(replace(part, **names))
            else:
                parts.append(part)
        return replace(response, parts=parts)

    def answering(self, request: ModelRequest) -> ModelRequest:
        """Return a request whose results have the ids and names of the latest response's calls."""
        calls = dict(self.calls)
        if not calls:
            return request
        parts = [
            replace(part, **calls.get(part.tool_call_id, {})) if isinstance(part, ToolReturnPart) else part
            for part in request.parts
        ]
        return replace(request, parts=parts)

    def results(self, request: ModelRequest, response: ModelResponse | None) -> list[ModelRequestPart]:
        """Return one result for each call of the response before a request, in the order of the calls."""
        if response is None or not self.calls:
            return []
        found = [part for part in request.parts if isinstance(part, ToolReturnPart)]
        results: list[ModelRequestPart] = []
        for stored_id, names in self.calls:
            result = next((part for part in found if part.tool_call_id == stored_id), None)
            if result is None:
                result = ToolReturnPart(
                    "", INTERRUPTED_TOOL_RETURN_CONTENT, outcome="interrupted", timestamp=response.timestamp
                )
            else:
                found.remove(result)
            results.append(replace(result, **names))
        return results

    def _fitting(self, call_id: str, *, own: bool) -> str:
        fits = (_OWN_ID if own else _ANY_ID).fullmatch(call_id) or (own and _SIGNED_ID in call_id)
        new, tries = (call_id, 0) if fits else (_short(call_id), 0)
        while new in self.used:
            tries += 1
            new = _short(f"{call_id}#{tries}")
        self.used.add(new)
        return new


def _short(text: str) -> str:
    """Return nine letters and digits that depend on the text alone."""
    number = int.from_bytes(sha256(text.encode(errors="replace")).digest()[:8])
    digits = ""
    for _ in range(9):
        number, digit = divmod(number, len(_DIGITS))
        digits += _DIGITS[digit]
    return digits


def _name(call: ToolCallPart) -> str:
    """Return the call's tool name. Models also invent names, which are stored as they were written."""
    if _NAME.fullmatch(call.tool_name):
        return call.tool_name
    return re.sub(r"[^a-zA-Z0-9_-]", "_", call.tool_name)[:64] or "_"
