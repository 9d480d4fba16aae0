"""Models that answer from a recording."""

from __future__ import annotations

from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models import CompletedStreamedResponse, Model
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.wrapper import WrapperModel

from sessionmagic.exceptions import ReplayError
from sessionmagic.models.members import members_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from pydantic_ai.messages import ModelMessage
    from pydantic_ai.models import ModelRequestParameters, StreamedResponse
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.tools import RunContext

    from sessionmagic.conversation.usage import RequestRecord
    from sessionmagic.models.recording import Answer, Purpose, Recording, Wanted

REPLAY_OF = "replay of "
"""How the name of the model begins that a recorded answer names."""


@dataclass(slots=True, kw_only=True)
class Asking:
    """A turn while it asks models, as far as recordings must know it."""

    asker: str
    """What asks, such as the cell."""
    reference: str
    """The model that the turn names."""
    settings: Mapping[str, Any]
    system: str
    purpose: Purpose = "answer"
    before: Sequence[ModelMessage] | None = None
    """For a summary, the messages that it summarizes, which are compared in place of the text that quotes them."""
    wanted: Callable[[], Wanted] | None = None
    """Returns the latest request."""
    repeat: int = 1
    """Which run of a comparison the turn is, counted from 1."""
    answer: Answer | None = None
    """The recorded answer to it; None if a model has answered."""
    live_tools: bool = False
    """Whether tools really run."""
    filled: bool = False
    """Whether a model was asked for what a recording does not have."""


ASKING: ContextVar[Asking | None] = ContextVar("asking", default=None)
"""The turn that asks models in this context."""


class ReplayModel(Model):
    """A model that gives recorded answers, and fails where there is none. It uses no network.

    Args:
        recording: The answers.
    """

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self.recording = recording

    @property
    def model_name(self) -> str:
        """What the model is called until it has answered."""
        return f"{REPLAY_OF}{self.recording.name}"

    @property
    def system(self) -> str:
        """The provider's name: ``replay``."""
        return "replay"

    async def request(
        self,
        messages: list[ModelMessage],  # noqa: ARG002  the request is compared as the turn makes it
        model_settings: ModelSettings | None,  # noqa: ARG002
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Return the recorded answer. Raises `ReplayError`."""
        return recorded(self.recording, model_request_parameters)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,  # noqa: ARG002  (part of the interface)
    ) -> AsyncGenerator[StreamedResponse]:
        """Stream the recorded answer, each part of it as one piece. Raises `ReplayError`."""
        response = await self.request(messages, model_settings, model_request_parameters)
        yield streamed(response, model_request_parameters)


class FillingModel(WrapperModel):
    """A model that is asked only for what a recording does not have.

    Args:
        wrapped: The model.
        recording: The recorded answers.
    """

    def __init__(self, wrapped: Model, recording: Recording) -> None:
        super().__init__(wrapped)
        self.recording = recording

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Return the recorded answer, or that of the model."""
        found = self._found(model_request_parameters)
        return found or await self.wrapped.request(messages, model_settings, model_request_parameters)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Stream the recorded answer, or that of the model."""
        if (found := self._found(model_request_parameters)) is not None:
            yield streamed(found, model_request_parameters)
            return
        async with self.wrapped.request_stream(
            messages, model_settings, model_request_parameters, run_context
        ) as stream:
            yield stream

    def _found(self, parameters: ModelRequestParameters) -> ModelResponse | None:
        """Return the recorded answer; None if the model is to be asked."""
        try:
            return recorded(self.recording, parameters)
        except ReplayError:
            if (asking := ASKING.get()) is not None:
                asking.answer, asking.filled = None, True
            return None


def recording_in(model: Model) -> Recording | None:
    """Return the recording that answers in place of a model, or before it is asked; None if there is none."""
    match model:
        case ReplayModel() | FillingModel():
            return model.recording
        case WrapperModel():
            return recording_in(model.wrapped)
        case FallbackModel():
            return next(filter(None, map(recording_in, model.models)), None)
        case _:
            return None


def is_replay(model: Model) -> bool:
    """Return whether a recording answers in place of a model, which is not asked for anything."""
    return all(isinstance(each, ReplayModel) for each in members_of(model))


def is_replayed(response: ModelResponse) -> bool:
    """Return whether a response was not given by a model, but taken from a recording."""
    return (response.model_name or "").startswith(REPLAY_OF)


def as_recorded(record: RequestRecord) -> RequestRecord:
    """Return the record of a request, with the times and the tools of the recorded answer if it has got one."""
    asking = ASKING.get()
    if asking is None or asking.answer is None or record.model is None or not record.model.startswith(REPLAY_OF):
        return record
    known = asking.answer.record
    return replace(
        record,
        first_token_seconds=known.first_token_seconds,
        seconds=known.seconds,
        arrivals=known.arrivals,
        offered=record.offered if known.offered is None else known.offered,
    )


def recorded_first_token(seconds: float) -> float:
    """Return the seconds to the first piece of the answer that comes in, as recorded if it is a recorded one."""
    asking = ASKING.get()
    recorded = asking.answer.record.first_token_seconds if asking is not None and asking.answer is not None else None
    return seconds if recorded is None else recorded


def streamed(response: ModelResponse, parameters: ModelRequestParameters) -> StreamedResponse:
    """Return a whole response as one that is streamed."""
    return CompletedStreamedResponse(response, model_request_parameters=parameters, replay_events=True)


def recorded(recording: Recording, parameters: ModelRequestParameters) -> ModelResponse:
    """Return the recorded answer to the latest request of this turn. Raises `ReplayError`."""
    asking = ASKING.get()
    if asking is None or asking.wanted is None:
        raise ReplayError(
            f"{recording.name} has no answers for grids; %config AgentMagics.replay = '' lets models answer"
        )
    asking.answer = answer = recording.find(asking.wanted(), asking.asker, asking.repeat)
    [response] = ModelMessagesTypeAdapter.validate_python([dict(answer.response)])
    assert isinstance(response, ModelResponse)  # noqa: S101  for the type checker
    name = answer.record.model or answer.reference
    response = replace(
        response,
        model_name=f"{REPLAY_OF}{name.removeprefix(REPLAY_OF)}",
        provider_name=None,
        provider_url=None,
        provider_details=None,
        provider_response_id=None,
    )
    return _as_call(response, parameters)


def _as_call(response: ModelResponse, parameters: ModelRequestParameters) -> ModelResponse:
    """Return a structured answer, which is stored as text, as the call of the tool that is to take it."""
    if not parameters.output_tools or any(isinstance(part, ToolCallPart) for part in response.parts):
        return response
    name = parameters.output_tools[0].name
    parts = [
        ToolCallPart(name, part.content, f"{name}-{place}") if isinstance(part, TextPart) else part
        for place, part in enumerate(response.parts)
    ]
    return replace(response, parts=parts)
