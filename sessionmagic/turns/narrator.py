"""What happens in a run of pydantic-ai's, told in the turn's events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequestPart,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
)

from sessionmagic.conversation.events import (
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    ToolReturned,
    UsageReported,
)
from sessionmagic.conversation.transcript import json_object
from sessionmagic.conversation.usage import Usage
from sessionmagic.tools.results import bound
from sessionmagic.turns.messages import tidied_call
from sessionmagic.turns.model_requests import context_limit_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Narrator:
    """Reports one run as events. Each tool call that it reports gets exactly one result.

    Args:
        emit: Emits an event, as `EventLog.emit` does.
        seconds: How long calls ran, by call id. The time of a call whose result was reported is taken out.
        context_window: How many tokens the model reads, if that is known.
    """

    def __init__(self, emit: Callable[..., None], seconds: dict[str, float], context_window: int | None) -> None:
        self._emit = emit
        self._seconds = seconds
        self._context_window = context_window
        self._unanswered: dict[str, str] = {}
        """Tools of the calls that have no result yet, by call id."""
        self._drafts: dict[int, ToolCallPart] = {}
        """The calls that the model is writing, by their place in the response."""
        self._told_usage = Usage()

    def tell_part(self, event: PartStartEvent | PartDeltaEvent) -> None:
        """Tell what the model is saying, thinking, or writing of a call."""
        match event:
            case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                if text:
                    self._emit(TextDelta, text=text)
            case (
                PartStartEvent(part=ThinkingPart(content=text))
                | PartDeltaEvent(delta=ThinkingPartDelta(content_delta=str(text)))
            ):
                if text:
                    self._emit(ReasoningDelta, text=text)
            case PartStartEvent(index=index, part=ToolCallPart() as call):
                earlier = [draft.tool_call_id for place, draft in self._drafts.items() if place < index]
                self._drafts[index] = call = tidied_call(call, earlier)
                written = call.args if isinstance(call.args, str) else ""
                self._emit(ToolCallDelta, call_id=call.tool_call_id, tool=call.tool_name, text=written)
            case PartDeltaEvent(index=index, delta=ToolCallPartDelta(args_delta=str(text))) if index in self._drafts:
                call = self._drafts[index]
                self._emit(ToolCallDelta, call_id=call.tool_call_id, tool=call.tool_name, text=text)
            case _:
                pass

    def tell_call(self, call: ToolCallPart) -> None:
        """Tell that a call begins."""
        self._emit(ToolCalled, call_id=call.tool_call_id, tool=call.tool_name, args=json_object(call.args))
        self._unanswered[call.tool_call_id] = call.tool_name
        self._drafts.clear()

    def tell_result(self, result: ToolReturnPart) -> None:
        """Tell what a call has come to, and note on it how long that took."""
        self._unanswered.pop(result.tool_call_id, None)
        seconds = self._seconds.pop(result.tool_call_id, None)
        result.metadata = {"seconds": seconds}  # stored with it
        self._emit(
            ToolReturned,
            call_id=result.tool_call_id,
            tool=result.tool_name,
            outcome=result.outcome,
            content=result.model_response_str(wrap_if_error=False),
            duration=seconds,
        )

    def close_calls(self, messages: Sequence[ModelMessage]) -> None:
        """Tell what became of the calls that are still open at the end of these messages."""
        for part in _after_last_response(messages):
            if isinstance(part, ToolReturnPart) and part.tool_call_id in self._unanswered:
                bound(part)  # no event told of it
                self.tell_result(part)
        for call_id, tool in self._unanswered.items():
            self._emit(ToolReturned, call_id=call_id, tool=tool, outcome="interrupted", content="", duration=None)

    def tell_usage(self, usage: Usage, messages: Sequence[ModelMessage]) -> None:
        """Report what the turn has used so far, when that has changed.

        Args:
            usage: The sum over the turn's requests.
            messages: The messages so far; the last response says how much of the context is used.
        """
        last = next((message for message in reversed(messages) if isinstance(message, ModelResponse)), None)
        if last is None or not usage.tokens or usage == self._told_usage:
            return
        self._told_usage = usage
        self._emit(
            UsageReported,
            usage=usage,
            context_used=last.usage.total_tokens,
            context_limit=self._context_window or context_limit_of(last),
        )


def _after_last_response(messages: Sequence[ModelMessage]) -> list[ModelRequestPart]:
    """Return what was said since the model's last response; of an earlier one, it may have used the call ids again."""
    parts: list[ModelRequestPart] = []
    for message in reversed(messages):
        if isinstance(message, ModelResponse):
            break
        parts += message.parts
    return parts
