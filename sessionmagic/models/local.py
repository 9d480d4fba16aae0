"""The local model: a pydantic-ai `Model` whose GGUF weights llama.cpp runs inside this process."""

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
    ModelResponse,
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
from sessionmagic.models.waits import told_if_long
from sessionmagic.models.weights import DEMO_MODEL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from pydantic_ai import RunContext
    from pydantic_ai.messages import ModelMessage, ModelRequestPart, ModelResponseStreamEvent
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

    from sessionmagic.models.shared import SharedServer

# Without a penalty, such a small model repeats itself endlessly.
_DEFAULTS = {"temperature": 0.2, "top_p": 0.9, "repeat_penalty": 1.1, "max_tokens": 512}
WAITS = "waiting for its turn at the local model"
"""What a request does whose first chunk is late: others are answered before, or the weights are loaded."""
_HONOURED = {"temperature", "top_p", "top_k", "max_tokens", "seed", "presence_penalty", "frequency_penalty"}


class LocalModel(Model):
    """A GGUF model that runs in this process and gives one answer at a time; other requests wait.

    It may also run in a server for all kernels of a machine. Otherwise, the first request loads the weights, in a
    thread. They are loaded once per process for the same path and parameters.

    When a conversation outgrows the context, a quarter of it is left out, the oldest messages first. The response's
    ``provider_details`` give their number as ``left_out``. The next request begins at the same message, until the
    context is full again. The system prompt and the last message are never left out.

    The model is not offered tools. A grammar enforces structured output. Thinking, tool calls and files in older
    messages are skipped. The settings for sampling and length are honoured, and with a ``seed`` the same request
    gets the same answer.

    Requests raise `ModelContextWindowExceededError` if the system prompt and the last message do not fit the context,
    `ModelAPIError` if llama.cpp fails in another way, and `UserError` if the last message has a file.
    """

    unsupported_settings = frozenset(
        {"timeout", "max_retries", "extra_headers", "extra_body", "logit_bias", "parallel_tool_calls", "service_tier"}
    )

    def __init__(
        self,
        path: Path | str,
        *,
        threads: int = 1,
        context_length: int = 2048,
        settings: ModelSettings | None = None,
        server: SharedServer | None = None,
    ) -> None:
        """Make a model of the weights at ``path``.

        Args:
            path: The GGUF file, which the first request opens.
            threads: The number of threads that llama.cpp uses.
            context_length: The context in tokens. No more is used than the model was trained for.
            settings: The default settings of its requests.
            server: The server that holds the weights for all kernels of the machine; None to load them here.
        """
        profile = ModelProfile(
            supports_tools=False,
            supports_image_input=False,
            supports_json_schema_output=True,
            default_structured_output_mode="native",
            native_output_requires_schema_in_instructions=True,
            # llama.cpp takes a "<|im_end|>" in the text of a message for the end of the message.
            may_tokenize_special_tokens_in_content=True,
            context_window=context_length,
        )
        super().__init__(settings=settings, profile=profile)
        self.path = Path(path)
        self.threads = threads
        self.context_length = context_length
        self.server = server

    @property
    def model_name(self) -> str:
        """``SmolLM2-135M-Instruct``, or the name of another file without its ``.gguf``."""
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
        """Stream the answer token by token. Leaving the context, closing the stream or cancelling stops the model."""
        settings, parameters = self.prepare_request(model_settings, model_request_parameters)
        chat, left_out = _chat(messages, parameters), _left_out_before(messages, self.model_name)
        generation = Generation(self.model_name, chat, _body(settings, parameters), left_out)
        try:
            shared_engine(self.path, self.threads, self.context_length, self.server).submit(generation)
            # The first chunk comes before the first token. An error is raised here, where a fallback can catch it.
            first = await told_if_long(generation.next(), WAITS)
            yield LocalStreamedResponse(parameters, _generation=generation, _first=first)
        finally:
            generation.abandon()


@dataclass
class LocalStreamedResponse(StreamedResponse):
    """The answer of a `LocalModel` while it is generated."""

    _generation: Generation
    _first: dict[str, Any] | None
    _timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        manager, chunk = self._parts_manager, self._first
        if self._generation.left_out:
            self.provider_details = {"left_out": self._generation.left_out}
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

    def _count(self, chunk: dict[str, Any]) -> None:
        # The engine reports usage only at the end, so the tokens are counted here for an answer that is stopped.
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
        """The model's name."""
        return self._generation.model_name

    @property
    def provider_name(self) -> str:
        """The provider's name: ``local``."""
        return "local"

    @property
    def provider_url(self) -> None:
        """None, because no server is used."""

    @property
    def timestamp(self) -> datetime:
        """The time of the request."""
        return self._timestamp


def _chat(messages: list[ModelMessage], parameters: ModelRequestParameters) -> list[dict[str, str]]:
    """Return a history in chat-template form: at most one system message, then roles that alternate."""
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


def _left_out_before(messages: list[ModelMessage], model_name: str) -> int:
    """Return how many of the oldest messages this model's last answer in the history was given without."""
    for message in reversed(messages):
        if isinstance(message, ModelResponse) and (message.provider_name, message.model_name) == ("local", model_name):
            left_out = (message.provider_details or {}).get("left_out")
            return left_out if isinstance(left_out, int) else 0
    return 0


def _user_text(part: ModelRequestPart, *, latest: bool) -> str:
    # Only the last message's tool results are read. They exist if this model answers in place of one that called tools.
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
    # A cached prompt may be rounded differently from a computed one, which could change a seeded answer.
    body["cache_prompt"] = "seed" not in given
    return body | {"stream": True, "stream_options": {"include_usage": True}, "return_progress": True}
