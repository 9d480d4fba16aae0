"""Messages as pydantic-ai prepares them for a model, except for what the user typed.

pydantic-ai 2.68 adds system messages about a text with ``<system>`` in it, and puts an invisible joiner into
``<|im_end|>`` and the like. This guards against tools and documents, but the user may write what he likes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from operator import is_
from typing import TYPE_CHECKING

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    RetryFeedbackPart,
    SystemPromptPart,
    ToolReturnPart,
    UserPromptPart,
    repair_messages,
)

from sessionmagic.turns.call_ids import with_fitting_ids
from sessionmagic.turns.quotation import is_quotation
from sessionmagic.turns.sent import without_foreign_details

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pydantic_ai.models import Model, ModelRequestParameters

    from sessionmagic.turns.destination import Destination

NOTED = re.compile(r"[<\[\]]")
"""What each text has that pydantic-ai would change or note."""
HIDDEN = "-"
"""Stands for what the user typed while pydantic-ai prepares the messages."""


def prepared(
    messages: Sequence[ModelMessage], model: Model, parameters: ModelRequestParameters, to: Destination
) -> list[ModelMessage]:
    """Return messages as they are prepared for a model.

    Args:
        messages: The whole conversation. A response at its end that the provider has suspended stays as it is.
        model: The model that is asked.
        parameters: The parameters of the request.
        to: Where it is sent.
    """
    last = messages[-1]
    suspended = [last] if isinstance(last, ModelResponse) and last.state == "suspended" else []
    hidden = _fitting(messages[: len(messages) - len(suspended)], to, ())
    ready = model.prepare_messages(hidden, parameters)
    return [*repair_messages([_shown(message) for message in ready]), *suspended]


def prepared_alone(
    messages: Sequence[ModelMessage],
    model: Model,
    parameters: ModelRequestParameters,
    to: Destination,
    used: Collection[str],
) -> list[ModelMessage] | None:
    """Return what `prepared` returns for messages in the middle of a conversation; None if only the whole tells.

    If the model's own preparation changes nothing in them, it adds nothing before or after them either.

    Args:
        messages: The messages.
        model: The model that is asked.
        parameters: The parameters of the request.
        to: Where it is sent.
        used: The ids of the calls before these messages.
    """
    if any(isinstance(part, SystemPromptPart) for message in messages for part in message.parts):
        return None
    hidden = _fitting(messages, to, used)
    ready = model.prepare_messages(hidden, parameters)
    if len(ready) != len(hidden) or not all(map(is_, ready, hidden)):
        return None
    return [_shown(message) for message in hidden]


def _fitting(messages: Sequence[ModelMessage], to: Destination, used: Collection[str]) -> list[ModelMessage]:
    """Return messages with what every server needs before they are prepared, and what the user typed hidden."""
    fitting = with_fitting_ids(without_foreign_details(repair_messages(messages), to), to, used)
    return [_hidden(message) for message in fitting]


@dataclass(repr=False)
class _Typed(UserPromptPart):
    """A prompt that the user typed, while pydantic-ai prepares the messages."""

    typed: str = field(kw_only=True)


def _hidden(message: ModelMessage) -> ModelMessage:
    """Return a message with what the user typed hidden from pydantic-ai.

    A prompt is what the user typed, unless it quotes others, and so is the first text of one with attachments. Beside
    the results of tools, a list is what the tools gave, except where all calls were interrupted and gave nothing.
    """
    if not isinstance(message, ModelRequest):
        return message
    has_results = any(isinstance(part, ToolReturnPart) and part.outcome != "interrupted" for part in message.parts)
    parts = [_hidden_part(part, has_results=has_results) for part in message.parts]
    return replace(message, parts=parts) if any(isinstance(part, _Typed) for part in parts) else message


def _hidden_part(part: ModelRequestPart, *, has_results: bool) -> ModelRequestPart:
    match part:
        case UserPromptPart(content=str(text)) if is_quotation(text):
            return part
        case UserPromptPart(content=str(text)) if NOTED.search(text):
            return _Typed(HIDDEN, typed=text, timestamp=part.timestamp)
        case UserPromptPart(content=[str(text), *others]) if not has_results and NOTED.search(text):
            return _Typed([HIDDEN, *others], typed=text, timestamp=part.timestamp)
        case RetryFeedbackPart() if part.retry.cause == "no_output":  # it would become a system message
            return UserPromptPart(part.model_response(), timestamp=part.timestamp)
        case _:
            return part


def _shown(message: ModelMessage) -> ModelMessage:
    """Return a message with what the user typed."""
    if not isinstance(message, ModelRequest) or not any(isinstance(part, _Typed) for part in message.parts):
        return message
    return replace(message, parts=[_shown_part(part) for part in message.parts])


def _shown_part(part: ModelRequestPart) -> ModelRequestPart:
    if not isinstance(part, _Typed):
        return part
    content = part.typed if isinstance(part.content, str) else [part.typed, *part.content[1:]]
    return UserPromptPart(content, timestamp=part.timestamp)
