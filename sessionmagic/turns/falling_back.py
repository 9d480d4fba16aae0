"""Ask the next model of a chain when one has failed before it said anything. pydantic-ai makes the attempts."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import RetryModelRequest
from pydantic_ai.messages import (
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
)
from pydantic_ai.models.wrapper import WrapperModel

from sessionmagic.models.abilities import without_retries
from sessionmagic.turns.fallback import EmptyAnswerError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from pydantic_ai.messages import ModelMessage, ModelResponseStreamEvent
    from pydantic_ai.models import ModelRequestContext, ModelRequestParameters, StreamedResponse
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.tools import RunContext

    from sessionmagic.turns.fallback import Chain
    from sessionmagic.turns.model_requests import ModelRequests


@dataclass
class FallingBack(AbstractCapability[None]):
    """A capability that makes a failed model request again, of the same model or of the next one.

    With it, a response is passed on once it says something (`SayingSomething`), so nothing is said twice when another
    model is asked. A response that breaks off later ends the turn.

    Args:
        agent: The name of the agent that asks.
        chain: The models.
        requests: Records the requests.
    """

    agent: str
    chain: Chain
    requests: ModelRequests

    async def prepare_model_request(
        self,
        ctx: RunContext[None],  # noqa: ARG002  (part of the interface)
        request_context: ModelRequestContext,
    ) -> ModelRequestContext:
        """Turn the request to the model that is asked, with its own settings and without the retries of its SDK."""
        asked = self.chain.asked
        if request_context.model is not asked.model:
            raise RetryModelRequest(asked.model)  # pydantic-ai then opens its connections
        settings = {**asked.settings, **without_retries(asked.model)}
        request_context.model_settings = cast("ModelSettings", settings)
        return request_context

    async def on_model_request_error(
        self,
        ctx: RunContext[None],  # noqa: ARG002
        *,
        request_context: ModelRequestContext,  # noqa: ARG002
        error: Exception,
    ) -> ModelResponse:
        """Ask again, or ask the next model. Raises the error of the turn if neither shall be done."""
        self.requests.fail(error, error.response if isinstance(error, EmptyAnswerError) else None)
        model, seconds = self.chain.after(error)
        await asyncio.sleep(seconds)
        self.requests.begin(self.agent, model)
        raise RetryModelRequest(model.model)


class SayingSomething(WrapperModel):
    """A model whose response is passed on once it says something; one that says nothing raises `EmptyAnswerError`."""

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Send a request, and stream the response. One that continues another may say nothing."""
        async with self.wrapped.request_stream(
            messages, model_settings, model_request_parameters, run_context
        ) as response:
            if not isinstance(messages[-1], ModelResponse):
                await _hear(response)
            yield response


async def _hear(response: StreamedResponse) -> None:
    """Wait until a response says something. It then still has all its events."""
    events = aiter(response)
    heard: list[ModelResponseStreamEvent] = []
    async for event in events:
        heard.append(event)
        if _says_something(event):
            break
    else:
        whole = response.get()
        if whole.state != "suspended":
            raise EmptyAnswerError(whole)

    async def all_events() -> AsyncIterator[ModelResponseStreamEvent]:
        for event in heard:
            yield event
        async for event in events:
            yield event

    # pydantic-ai 2.68 has no public way to look ahead. It puts its own iterator, which looks at one event, here too.
    response._event_iterator = all_events()  # noqa: SLF001


def _says_something(event: ModelResponseStreamEvent) -> bool:
    """Return whether an event brings text, reasoning or a call. Some providers begin with a text that is empty."""
    match event:
        case PartStartEvent(part=TextPart(content="") | ThinkingPart(content="")):
            return False
        case PartDeltaEvent(delta=TextPartDelta(content_delta=said) | ThinkingPartDelta(content_delta=said)):
            return bool(said)
        case _:
            return isinstance(event, PartStartEvent | PartDeltaEvent)
