"""A structured answer while the model writes it, and as it is stored: as text, whether or not a tool took it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    PartDeltaEvent,
    PartStartEvent,
    RetryFeedbackPart,
    RetryInfo,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
)

from sessionmagic.conversation.events import TextDelta, ValueDelta
from sessionmagic.conversation.value import opens_json
from sessionmagic.turns.output_type import OUTPUT_TOOL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class WrittenAnswer:
    """Reports the answer of a turn as it is written: the arguments of the output tool, or a text that is JSON.

    Args:
        emit: Emits an event, as `EventLog.emit` does.
    """

    def __init__(self, emit: Callable[..., None]) -> None:
        self._emit = emit
        self._attempts = 0
        self._parts: dict[int, str] = {}
        """The attempts by the index of their part in the response."""
        self._blank: dict[int, str] = {}
        """The texts that have only blanks so far, by their index."""

    @property
    def begun(self) -> bool:
        """Whether the latest response has a part that looks like the answer."""
        return bool(self._parts)

    def takes(self, event: PartStartEvent | PartDeltaEvent) -> bool:
        """Report the event if it is a piece of the answer; return whether it is."""
        if isinstance(event, PartStartEvent):
            return self._begins(event)
        match event:
            case PartDeltaEvent(index=index, delta=ToolCallPartDelta(args_delta=str(text))) if index in self._parts:
                return self._told(index, text)
            case PartDeltaEvent(index=index, delta=TextPartDelta(content_delta=text)) if index in self._parts:
                return self._told(index, text)
            case PartDeltaEvent(index=index, delta=TextPartDelta(content_delta=text)) if index in self._blank:
                return self._after_blank(index, text)
            case _:
                return event.index in self._parts

    def _begins(self, event: PartStartEvent) -> bool:
        if event.index == 0:  # a new response
            self._parts, self._blank = {}, {}
        self._parts.pop(event.index, None)
        match event.part:
            case ToolCallPart(tool_name=name) as call if name == OUTPUT_TOOL:
                self._begin(event.index)
                return self._told(event.index, _written(call))
            case TextPart(content=text):
                return self._text(event.index, text)
            case _:
                return False

    def _text(self, index: int, text: str) -> bool:
        if not text.strip():
            self._blank[index] = text
            return True
        if not opens_json(text):
            return False
        self._begin(index)
        return self._told(index, text)

    def _after_blank(self, index: int, text: str) -> bool:
        """Report what follows blanks; if it is not the answer, report the blanks only."""
        blank = self._blank.pop(index)
        taken = self._text(index, blank + text)
        if not taken:
            self._emit(TextDelta, text=blank)
        return taken

    def _begin(self, index: int) -> None:
        self._attempts += 1
        self._parts[index] = str(self._attempts)

    def _told(self, index: int, text: str) -> bool:
        if text:
            self._emit(ValueDelta, attempt=self._parts[index], text=text)
        return True


def as_texts(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """Return messages in which a structured answer is text, as if no tool had taken it.

    So a later turn, which has no such tool, can be sent to any model. What was said of an answer that did not fit
    becomes feedback on a text. Reasoning before an answer that was a call can only be sent back with that call, so it
    keeps nothing but its text.
    """
    found = [_response(each) if isinstance(each, ModelResponse) else _request(each) for each in messages]
    return [each for each in found if each.parts or isinstance(each, ModelResponse)]


def _response(response: ModelResponse) -> ModelResponse:
    answers = [part for part in response.parts if _is_answer(part)]
    if not answers:
        return response
    others = [_without_seal(part) for part in response.parts if not _is_answer(part)]
    calls = [part for part in others if isinstance(part, ToolCallPart)]
    said = [part for part in others if not isinstance(part, ToolCallPart)]
    return replace(response, parts=[*said, *map(_as_text, answers), *calls])


def _is_answer(part: ModelResponsePart) -> bool:
    return isinstance(part, ToolCallPart) and part.tool_name == OUTPUT_TOOL


def _as_text(part: ModelResponsePart) -> TextPart:
    assert isinstance(part, ToolCallPart)  # noqa: S101  for the type checker
    return TextPart(_written(part) or "{}")


def _written(call: ToolCallPart) -> str:
    """Return the arguments of a call as the model has written them."""
    return call.args if isinstance(call.args, str) else json.dumps(call.args, ensure_ascii=False) if call.args else ""


def _without_seal(part: ModelResponsePart) -> ModelResponsePart:
    if not isinstance(part, ThinkingPart):
        return part
    return replace(part, id=None, signature=None, provider_name=None, provider_details=None)


def _request(request: ModelRequest) -> ModelRequest:
    if not any(isinstance(part, ToolReturnPart) and part.tool_name == OUTPUT_TOOL for part in request.parts):
        return request
    parts = [each for part in request.parts if (each := _feedback(part)) is not None]
    return replace(request, parts=parts)


def _feedback(part: ModelRequestPart) -> ModelRequestPart | None:
    if not isinstance(part, ToolReturnPart) or part.tool_name != OUTPUT_TOOL:
        return part
    if part.outcome != "retried":
        return None
    return RetryFeedbackPart(
        part.model_response_str(wrap_if_error=False),
        retry=RetryInfo(cause="model_retry"),
        timestamp=part.timestamp,
    )
