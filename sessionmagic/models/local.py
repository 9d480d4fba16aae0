"""The local model: a pydantic-ai `Model` over GGUF weights that llama.cpp runs inside this process."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_ai.exceptions import UserError
from pydantic_ai.messages import (
    CachePoint,
    ModelRequest,
    SystemPromptPart,
    TextContent,
    TextPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, StreamedResponse
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.usage import RequestUsage

from sessionmagic.models.llama import Generation, shared_engine
from sessionmagic.models.weights import DEMO_MODEL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from pydantic_ai import RunContext
    from pydantic_ai.messages import ModelMessage, ModelRequestPart, ModelResponse, ModelResponseStreamEvent
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

# A model this small repeats itself for ever without a penalty.
_DEFAULTS = {"temperature": 0.2, "top_p": 0.9, "repeat_penalty": 1.1, "max_tokens": 512}
_HONOURED = {"temperature", "top_p", "top_k", "max_tokens", "seed", "presence_penalty", "frequency_penalty"}


class LocalModel(Model):
    """A GGUF model in this process, one answer at a time; requests of other tasks wait for their turn.

    The weights are loaded at the first request, in a thread, once per process for the same path and
    parameters. When a conversation outgrows the context, its oldest messages are left out of the request,
    and the response says so; the system prompt and the last user message never are: if these alone don't fit, it
    is `ModelContextWindowExceededError`. Other failures of llama.cpp are `ModelAPIError`. Tools are not offered
    to the model; structured output is enforced by a grammar. Thinking, tool calls and files in older messages
    are skipped; a file in the message to be answered raises `UserError`. Sampling settings are honoured, and
    with a ``seed`` the same request gets the same answer.
    """

    unsupported_settings = frozenset({"timeout", "max_retries", "extra_headers", "extra_body"})

    def __init__(
        self,
        path: Path | str,
        *,
        threads: int = 1,
        context_length: int = 2048,
        settings: ModelSettings | None = None,
    ) -> None:
        """Name the weights; ``context_length`` (tokens) is cut down to what the model was trained for."""
        profile = ModelProfile(
            supports_tools=False,
            supports_image_input=False,
            supports_json_schema_output=True,
            default_structured_output_mode="native",
            native_output_requires_schema_in_instructions=True,
            # llama.cpp reads a "<|im_end|>" in a message as the end of that message.
            may_tokenize_special_tokens_in_content=True,
            context_window=context_length,
        )
        super().__init__(settings=settings, profile=profile)
        self.path = Path(path)
        self.threads = threads
        self.context_length = context_length

    @property
    def model_name(self) -> str:
        """``SmolLM2-135M-Instruct``, or another file's name without ``.gguf``."""
        return DEMO_MODEL if self.path.stem.startswith(DEMO_MODEL) else self.path.stem

    @property
    def system(self) -> str:
        """The provider's name: ``local``."""
        return "local"

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Return the whole answer."""
        async with self.request_stream(messages, model_settings, model_request_parameters) as stream:
            async for _ in stream:
                pass
            return stream.get()

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,  # noqa: ARG002  (part of the interface)
    ) -> AsyncGenerator[StreamedResponse]:
        """Stream the answer token by token; leaving the context, closing or cancelling stops the model."""
        settings, parameters = self.prepare_request(model_settings, model_request_parameters)
        generation = Generation(self.model_name, _chat(messages, parameters), _body(settings, parameters))
        try:
            shared_engine(self.path, self.threads, self.context_length).submit(generation)
            # The first chunk comes before the first token; an error is raised here, where a fallback sees it.
            first = await generation.next()
            yield LocalStreamedResponse(parameters, _generation=generation, _first=first)
        finally:
            generation.abandon()


@dataclass
class LocalStreamedResponse(StreamedResponse):
    """The answer of a `LocalModel` while it is written."""

    _generation: Generation
    _first: dict[str, Any] | None
    _timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        manager, chunk = self._parts_manager, self._first
        while chunk is not None:
            self._count(chunk)
            for choice in chunk.get("choices") or ():
                delta = choice.get("delta") or {}
                if thought := delta.get("reasoning_content"):
                    for event in manager.handle_thinking_delta(vendor_part_id="thought", content=thought):
                        yield event
                if text := delta.get("content"):
                    for event in manager.handle_text_delta(vendor_part_id="text", content=text):
                        yield event
                if reason := choice.get("finish_reason"):
                    self.finish_reason = "length" if reason == "length" else "stop"
            chunk = await self._generation.next()
        if self._generation.left_out:
            self.provider_details = {"left_out": self._generation.left_out}

    def _count(self, chunk: dict[str, Any]) -> None:
        # The engine reports usage at the very end, so an answer that is stopped has to be counted on the way.
        if usage := chunk.get("usage"):
            cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
            self._usage = RequestUsage(
                input_tokens=usage["prompt_tokens"],
                cache_read_tokens=cached,
                output_tokens=usage["completion_tokens"],
            )
        elif progress := chunk.get("prompt_progress"):
            self._usage = RequestUsage(input_tokens=progress["total"], cache_read_tokens=progress["cache"])
        elif any((choice.get("delta") or {}).get("content") for choice in chunk.get("choices") or ()):
            self._usage.output_tokens += 1

    async def close_stream(self) -> None:
        """Stop the model within one token."""
        self._generation.abandon()

    @property
    def model_name(self) -> str:
        """The name of the model that answers."""
        return self._generation.model_name

    @property
    def provider_name(self) -> str:
        """The provider's name: ``local``."""
        return "local"

    @property
    def provider_url(self) -> None:
        """No URL: nothing leaves the process."""

    @property
    def timestamp(self) -> datetime:
        """When the request was made."""
        return self._timestamp


def _chat(messages: list[ModelMessage], parameters: ModelRequestParameters) -> list[dict[str, str]]:
    """Put a history into chat-template form: at most one system message, then roles that alternate."""
    system: list[str] = []
    chat: list[dict[str, str]] = []

    def say(role: str, text: str) -> None:
        if text and chat and chat[-1]["role"] == role:
            chat[-1]["content"] += f"\n\n{text}"
        elif text:
            chat.append({"role": role, "content": text})

    for message in messages:
        if not isinstance(message, ModelRequest):
            say("assistant", "".join(part.content for part in message.parts if isinstance(part, TextPart)))
            continue
        for part in message.parts:
            if isinstance(part, SystemPromptPart):
                system.append(part.content)
            else:
                say("user", _user_text(part, latest=message is messages[-1]))
    if parameters.instruction_parts is not None:
        system += [part.content for part in parameters.instruction_parts]
    elif messages and isinstance(messages[-1], ModelRequest) and messages[-1].instructions:
        system.append(messages[-1].instructions)
    return [{"role": "system", "content": "\n\n".join(system)}, *chat] if system else chat


def _user_text(part: ModelRequestPart, *, latest: bool) -> str:
    # A tool's result is worth reading only where this model takes over from one that had called the tool.
    if isinstance(part, ToolReturnPart):
        return f"{part.tool_name}: {part.model_response_str()}" if latest else ""
    if not isinstance(part, UserPromptPart):
        return ""
    texts = []
    for item in [part.content] if isinstance(part.content, str) else part.content:
        if isinstance(item, str | TextContent):
            texts.append(item if isinstance(item, str) else item.content)
        elif latest and not isinstance(item, CachePoint):
            raise UserError("the local model reads text only; leave out the image or file")
    return "\n\n".join(texts)


def _body(settings: ModelSettings | None, parameters: ModelRequestParameters) -> dict[str, Any]:
    given = {name: value for name, value in (settings or {}).items() if value is not None}
    body: dict[str, Any] = _DEFAULTS | {name: value for name, value in given.items() if name in _HONOURED}
    if "stop_sequences" in given:
        body["stop"] = given["stop_sequences"]
    if parameters.output_object is not None and parameters.output_mode == "native":
        schema = {"name": "answer", "schema": parameters.output_object.json_schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    # What is read from the prompt cache may round differently from what is computed afresh.
    body["cache_prompt"] = "seed" not in given
    return body | {"stream": True, "stream_options": {"include_usage": True}, "return_progress": True}
