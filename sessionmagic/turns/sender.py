"""The model as a turn asks it: every request that goes to it is a copy made by `sent`."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pydantic_ai.messages import (
    InstructionPart,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    RetryFeedbackPart,
    SystemPromptPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import CompletedStreamedResponse
from pydantic_ai.models.wrapper import WrapperModel

from sessionmagic.models.abilities import profile_of, streams
from sessionmagic.models.answer_text import REASONING_FIELDS
from sessionmagic.models.members import members_of
from sessionmagic.turns.key_scanner import ready_for_request
from sessionmagic.turns.quotation import is_quotation
from sessionmagic.turns.sent import Destination, as_sent, with_fitting_ids, without_foreign_details
from sessionmagic.turns.sent_request import SentRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from pydantic_ai import RunContext
    from pydantic_ai.messages import ModelResponse, ThinkingPart
    from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
    from pydantic_ai.settings import ModelSettings

    from sessionmagic.turns.sent_content import SentContent

NOTED = re.compile(r"[<\[\]]")
"""What each text has that pydantic-ai would change or note."""
HIDDEN = "-"
"""Stands for what the user typed while pydantic-ai prepares the messages."""


class Sender(WrapperModel):
    """A model that sends well-formed requests to another one.

    What is sent is a copy, so the messages that the run keeps, and that are stored, stay as they were. (The hook
    `before_model_request` cannot do this, as pydantic-ai 2.68 adds system messages afterwards, in
    `Model.prepare_messages`.)

    Args:
        wrapped: The other model.
        keep: Called with each request just before it is sent.
        content: Leaves keys out of what is sent.
    """

    def __init__(self, wrapped: Model, keep: Callable[[SentRequest], object], content: SentContent) -> None:
        super().__init__(wrapped)
        self._keep = keep
        self._content = content
        self._origins: dict[tuple[str | None, ...], bool] = {}
        self._destination = Destination(
            self._has_made, lambda part: takes_back(wrapped, part), lambda response: takes_ids(wrapped, response)
        )

    def prepare_messages(
        self, messages: list[ModelMessage], model_request_parameters: ModelRequestParameters | None = None
    ) -> list[ModelMessage]:
        """Let the wrapped model prepare the messages, except for what the user typed.

        pydantic-ai 2.68 adds system messages about a text with ``<system>`` in it, and puts an invisible joiner into
        ``<|im_end|>`` and the like. This guards against tools and documents, but the user may write what he likes.
        """
        own = with_fitting_ids(without_foreign_details(messages, self._destination), self._destination)
        prepared = self.wrapped.prepare_messages([_hidden(message) for message in own], model_request_parameters)
        return [_shown(message) for message in prepared]

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Send a request, and return the response."""
        await ready_for_request(model_request_parameters)
        messages, parameters = self._well_formed(messages, model_settings, model_request_parameters)
        return await self.wrapped.request(messages, model_settings, parameters)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Send a request, and stream the response. A model that cannot stream is asked for a whole one."""
        await ready_for_request(model_request_parameters)
        messages, parameters = self._well_formed(messages, model_settings, model_request_parameters)
        if not streams(self.wrapped):
            whole = await self.wrapped.request(messages, model_settings, parameters)
            yield CompletedStreamedResponse(whole, model_request_parameters=parameters, replay_events=True)
            return
        async with self.wrapped.request_stream(messages, model_settings, parameters, run_context) as response:
            yield response

    def _has_made(self, response: ModelResponse) -> bool:
        """Return what `made` does. It compares addresses, which is slow for thousands of responses."""
        origin = (response.provider_name, response.provider_url, response.model_name)
        if origin not in self._origins:
            self._origins[origin] = made(self.wrapped, response)
        return self._origins[origin]

    def _well_formed(
        self, messages: list[ModelMessage], settings: ModelSettings | None, parameters: ModelRequestParameters
    ) -> tuple[list[ModelMessage], ModelRequestParameters]:
        messages, parameters = with_one_system_message(as_sent(messages, self._destination), parameters)
        messages, parameters = self._content.messages(messages), self._content.parameters(parameters)
        self._keep(
            SentRequest(
                model=f"{self.system}:{self.model_name}",
                instructions=[part.content for part in parameters.instruction_parts or []],
                messages=messages,
                tools=[*parameters.function_tools, *parameters.output_tools],
                settings=dict(settings or {}),
            )
        )
        return messages, parameters


def made(model: Model, response: ModelResponse) -> bool:
    """Return whether a response came from the provider of a model, at the same address."""
    if response.provider_name is None:  # as with a model of the user's own
        return model.provider is None and response.model_name == model.model_name
    return model.accepts_server_state(response)


def takes_back(model: Model, part: ThinkingPart) -> bool:
    """Return whether a model can be sent a piece of reasoning that its own provider has made.

    One provider may have two APIs. With OpenAI's chat completions, pydantic-ai 2.68 takes the id of the part for the
    name of a JSON field, which the item id of the Responses API is not; and it turns reasoning that it cannot send
    back into text.
    """
    kinds = {kind.__name__ for kind in type(members_of(model)[0]).__mro__}
    profile = profile_of(model)
    mimics = profile.get("mimics_assistant_message_formatting", False)  # reasoning would become a user message
    if "OpenAIResponsesModel" in kinds:
        details = part.provider_details or {}
        return bool(part.signature or details.get("raw_content")) or part.id not in {None, "content", *REASONING_FIELDS}
    if "OpenAIChatModel" in kinds and "OpenRouterModel" not in kinds:
        fields = {*REASONING_FIELDS, profile.get("openai_chat_thinking_field")} - {None}
        return part.id in fields or (part.id == "content" and not mimics)
    return bool(part.signature) or not mimics


def takes_ids(model: Model, response: ModelResponse) -> bool:
    """Return whether a model takes back the ids of the calls in a response that its provider has made.

    A server of the user's own may serve models of several makers, or pass requests on to them. The ids of one are then
    refused by another, as Mistral's template does.
    """
    member = members_of(model)[0]
    return not getattr(member, "is_own", False) or response.model_name == member.model_name


def with_one_system_message(
    messages: list[ModelMessage], parameters: ModelRequestParameters
) -> tuple[list[ModelMessage], ModelRequestParameters]:
    """Join system prompts and instructions: some servers take only one system message."""
    first = next((message for message in messages if isinstance(message, ModelRequest)), None)
    prompts = [part for part in first.parts if isinstance(part, SystemPromptPart)] if first else []
    instructions = parameters.instruction_parts or []
    if len(prompts) + len(instructions) <= 1:
        return messages, parameters
    texts = [*(part.content for part in prompts), *(part.content for part in instructions)]
    joined = InstructionPart("\n\n".join(texts), dynamic=any(part.dynamic for part in instructions))
    others = [part for part in first.parts if not isinstance(part, SystemPromptPart)] if first else []
    return (
        [replace(message, parts=others) if message is first else message for message in messages],
        replace(parameters, instruction_parts=[joined]),
    )


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
