"""Models of servers that speak OpenAI's chat completions, each in its own way."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

from pydantic_ai.messages import ModelResponseStreamEvent, PartStartEvent, TextPart, ThinkingPart
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIStreamedResponse
from pydantic_ai.profiles import DEFAULT_THINKING_TAGS
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from sessionmagic.models.answer_text import REASONING_FIELDS
from sessionmagic.models.chat_stream import REASONING_ENDS, MendedStream
from sessionmagic.models.clients import connected

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from openai import AsyncStream
    from openai.types.chat import ChatCompletionChunk
    from openai.types.chat.chat_completion_chunk import Choice
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
    from pydantic_ai.models.openai import OpenAIChatModelSettings
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.tools import RunContext

STRICT_TEMPLATES: OpenAIModelProfile = {
    "supports_inline_system_prompts": False,
    "openai_chat_supports_multiple_system_messages": False,
}
"""What servers with open models cannot be sent: their chat templates take one system message, and only as the first."""


class CompatibleStream(OpenAIStreamedResponse):
    """A response whose text may turn out to have been reasoning."""

    def _map_text_delta(self, choice: Choice) -> Iterable[ModelResponseStreamEvent]:
        if choice.delta.model_extra and REASONING_ENDS in choice.delta.model_extra:
            yield from self._text_was_reasoning()
        yield from super()._map_text_delta(choice)

    def _text_was_reasoning(self) -> Iterable[ModelResponseStreamEvent]:
        """Make reasoning of the text so far. pydantic-ai's parts manager has no public way to do that (2.68)."""
        parts = self._parts_manager.get_parts()
        texts = [index for index, part in enumerate(parts) if isinstance(part, TextPart)]
        if texts != [len(parts) - 1]:
            return
        text = cast("TextPart", parts[-1]).content
        part = ThinkingPart(text, id="content", provider_name=self.provider_name)
        self._parts_manager._replace_part(texts[0], part)  # noqa: SLF001
        self._parts_manager._stop_tracking_vendor_id(("content", self._content_generation))  # noqa: SLF001
        yield PartStartEvent(index=texts[0], part=part)


class CompatibleModel(OpenAIChatModel):
    """A model of a server that speaks OpenAI's chat completions. Its streams are mended, see `MendedStream`.

    Attributes:
        is_own: Whether the server is the user's own. Its responses then have the name of the model that was asked.
    """

    is_own = False

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Send a request, and return the whole response."""
        response = await super().request(messages, model_settings, model_request_parameters)
        return replace(response, model_name=self.model_name) if self.is_own else response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Send a request, and stream the response. Nothing reads it any more when the block is left."""
        async with super().request_stream(messages, model_settings, model_request_parameters, run_context) as response:
            try:
                yield response
            finally:
                await response.close_stream()

    async def _process_streamed_response(
        self,
        response: AsyncStream[ChatCompletionChunk],
        model_request_parameters: ModelRequestParameters,
        model_settings: OpenAIChatModelSettings | None = None,
    ) -> OpenAIStreamedResponse:
        profile = self.profile
        field = profile.get("openai_chat_thinking_field")
        mended = MendedStream(
            response,
            tools=[tool.name for tool in model_request_parameters.function_tools],
            tags=profile.get("thinking_tags", DEFAULT_THINKING_TAGS),
            reasoning_fields={*REASONING_FIELDS, *([field] if field else [])},
            model_name=self.model_name if self.is_own else None,
        )
        # Usage that comes again and again is the sum so far. pydantic-ai adds it up unless it is told so; here it only
        # reads the setting, as the request was sent before.
        settings: Any = {**(model_settings or {}), "openai_continuous_usage_stats": True}
        return await super()._process_streamed_response(cast("Any", mended), model_request_parameters, settings)

    @property
    def _streamed_response_cls(self) -> type[OpenAIStreamedResponse]:
        return _mixed(CompatibleStream, super()._streamed_response_cls)


def endpoint(name: str, model: str, base_url: str, key: str | None) -> CompatibleModel:
    """Return a model of the user's own server, which is a provider with that name."""
    make = partial(OpenAICompatibleProvider, name, base_url=base_url, api_key=key or "not-needed")
    made = CompatibleModel(model, provider=connected(make, base_url), profile=STRICT_TEMPLATES)
    made.is_own = True
    return made


def ollama(model: str, base_url: str) -> CompatibleModel:
    """Return a model of an Ollama server."""
    from pydantic_ai.models.ollama import OllamaModel
    from pydantic_ai.providers.ollama import OllamaProvider

    provider = connected(partial(OllamaProvider, base_url=base_url), base_url)
    made = _mended(OllamaModel(model, provider=provider, profile=STRICT_TEMPLATES))
    made.is_own = True
    return made


def with_mended_streams(model: Model) -> Model:
    """Return a model like this one whose streams are mended, if it speaks chat completions; else the model itself."""
    if not isinstance(model, OpenAIChatModel):
        return model
    return _mended(model)


def _mended(model: OpenAIChatModel) -> CompatibleModel:
    """Return a model like this one, which may be of a provider's subclass, whose streams are mended."""
    made: CompatibleModel = _mixed(CompatibleModel, type(model))(
        model.model_name, provider=model.provider, settings=model.settings, profile=model.profile
    )
    return made


@cache
def _mixed(mending: type[Any], kind: type[Any]) -> type[Any]:
    """Return a class that does what `kind` does, mended."""
    return mending if issubclass(mending, kind) else type(kind.__name__, (mending, kind), {})
