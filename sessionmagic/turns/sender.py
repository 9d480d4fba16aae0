"""The model as a turn asks it: every request that goes to it is a copy made by `sent`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic_ai.messages import (
    InstructionPart,
    ModelMessage,
    ModelRequest,
    SystemPromptPart,
)
from pydantic_ai.models import CompletedStreamedResponse
from pydantic_ai.models.wrapper import WrapperModel

from sessionmagic.models.abilities import profile_of, streams
from sessionmagic.models.answer_text import REASONING_FIELDS
from sessionmagic.models.members import members_of
from sessionmagic.turns.beginnings import BEGINNINGS, Making
from sessionmagic.turns.destination import Destination
from sessionmagic.turns.key_scanner import ready_for_request
from sessionmagic.turns.prepared import prepared
from sessionmagic.turns.run_history import RunHistory
from sessionmagic.turns.sent import as_sent
from sessionmagic.turns.sent_request import SentRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from pydantic_ai import RunContext
    from pydantic_ai.messages import ModelResponse, ThinkingPart
    from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
    from pydantic_ai.settings import ModelSettings

    from sessionmagic.turns.sent_content import SentContent


class Sender(WrapperModel):
    """A model that sends well-formed requests to another one.

    What is sent is a copy, so the messages that the run keeps, and that are stored, stay as they were. (The hook
    `before_model_request` cannot do this, as pydantic-ai 2.68 adds system messages afterwards, in
    `Model.prepare_messages`.)

    Args:
        wrapped: The other model.
        keep: Called with each request just before it is sent.
        content: Leaves keys out of what is sent.
        history: The messages before those of the run; none by default.
    """

    def __init__(
        self,
        wrapped: Model,
        keep: Callable[[SentRequest], object],
        content: SentContent,
        history: RunHistory | None = None,
    ) -> None:
        super().__init__(wrapped)
        self._history = history or RunHistory()
        self._keep = keep
        self._content = content
        self._destination = Destination(
            remembering_made(wrapped),
            lambda part: takes_back(wrapped, part),
            lambda response: takes_ids(wrapped, response),
        )

    def prepare_messages(
        self,
        messages: list[ModelMessage],
        model_request_parameters: ModelRequestParameters | None = None,  # noqa: ARG002  (part of the interface)
    ) -> list[ModelMessage]:
        """Return the messages unchanged: they are prepared when they are sent, with the history before them."""
        return messages

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

    def _well_formed(
        self, messages: list[ModelMessage], settings: ModelSettings | None, parameters: ModelRequestParameters
    ) -> tuple[list[ModelMessage], ModelRequestParameters]:
        messages, parameters = self._whole(messages, parameters)
        parameters = self._content.parameters(parameters)
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

    def _whole(
        self, messages: list[ModelMessage], parameters: ModelRequestParameters
    ) -> tuple[list[ModelMessage], ModelRequestParameters]:
        """Return the messages of a request with the history before them, as they are sent."""
        history = self._history.messages
        making = Making(self.wrapped, parameters, self._destination, self._content)
        if history and (sent := BEGINNINGS.continued(history, messages, making)) is not None:
            return sent, with_one_system_message([], parameters)[1]
        ready = prepared([*history, *messages], self.wrapped, parameters, self._destination)
        sent, parameters = with_one_system_message(as_sent(ready, self._destination), parameters)
        return self._content.messages(sent), parameters


def remembering_made(model: Model) -> Callable[[ModelResponse], bool]:
    """Return a function that does what `made` does, which compares addresses: slow for thousands of responses."""
    known: dict[tuple[str | None, ...], bool] = {}

    def has_made(response: ModelResponse) -> bool:
        origin = (response.provider_name, response.provider_url, response.model_name)
        if origin not in known:
            known[origin] = made(model, response)
        return known[origin]

    return has_made


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
