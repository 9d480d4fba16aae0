"""Report what happens in a run of pydantic-ai as events of the turn."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

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
    ResponseBegan,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    ToolReturned,
    UsageReported,
    ValueDelta,
    ValueGiven,
)
from sessionmagic.conversation.transcript import json_object
from sessionmagic.conversation.usage import Usage
from sessionmagic.tools.results import bound
from sessionmagic.turns.messages import tidied_call
from sessionmagic.turns.model_requests import context_limit_of
from sessionmagic.turns.turn import current_turn
from sessionmagic.turns.written_answer import WrittenAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Narrator:
    """Reports one run as events. Each tool call that it reports gets exactly one result.

    Args:
        emit: Emits an event, as `EventLog.emit` does.
        seconds: How many seconds each call ran, by call id. The entry of a call is removed when its result is reported.
        context_window: How many tokens the model can read, if that is known.
        typed: Whether the turn asks for a structured answer.
        has_begun: Whether the turn's first response came in before this run.
        decided: What the user has decided on each call, by call id. It is stored with the result.
    """

    def __init__(  # noqa: PLR0913
        self,
        emit: Callable[..., None],
        seconds: dict[str, float],
        context_window: int | None,
        *,
        typed: bool = False,
        has_begun: bool = False,
        decided: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    ) -> None:
        self._emit = emit
        self._seconds = seconds
        self._decided = decided
        self._context_window = context_window
        self._unanswered: dict[str, str] = {}
        """The tools of the calls that have no result yet, by call id."""
        self._drafts: dict[int, ToolCallPart] = {}
        """The calls that the model is writing, by their index in the response."""
        self._answer = WrittenAnswer(self._say) if typed else None
        self._response = 0
        """The number of the latest response, if it is a try at a structured answer."""
        self._text_index = -1
        """The index of the latest text in its response."""
        self._reported_usage = Usage()
        self._has_begun = has_begun

    def report_beginning(self, seconds: float | None) -> None:
        """Report once how long the first piece of the turn's first response has taken. None is not reported."""
        if seconds is not None and not self._has_begun:
            self._has_begun = True
            self._emit(ResponseBegan, seconds=seconds)

    def report_part(self, event: PartStartEvent | PartDeltaEvent) -> None:
        """Report a piece of the answer, of the reasoning or of a tool call's arguments."""
        if self._takes_answer(event):
            return
        match event:
            case PartStartEvent(index=self._text_index, part=ThinkingPart(), previous_part_kind="text"):
                # The part was text until its closing tag showed that it is reasoning. All of it was reported.
                self._emit(ReasoningDelta, text="", takes_text=True)
            case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                if isinstance(event, PartStartEvent):
                    self._text_index = event.index
                if text:
                    self._say(TextDelta, text=text)
            case (
                PartStartEvent(part=ThinkingPart(content=text))
                | PartDeltaEvent(delta=ThinkingPartDelta(content_delta=str(text)))
            ):
                if text:
                    self._emit(ReasoningDelta, text=text)
            case PartStartEvent(index=index, part=ToolCallPart() as call):
                earlier = [draft.tool_call_id for other, draft in self._drafts.items() if other < index]
                self._drafts[index] = call = tidied_call(call, earlier)
                written = call.args if isinstance(call.args, str) else ""
                self._emit(ToolCallDelta, call_id=call.tool_call_id, tool=call.tool_name, text=written)
            case PartDeltaEvent(index=index, delta=ToolCallPartDelta(args_delta=str(text))) if index in self._drafts:
                call = self._drafts[index]
                self._emit(ToolCallDelta, call_id=call.tool_call_id, tool=call.tool_name, text=text)
            case _:
                pass

    def _takes_answer(self, event: PartStartEvent | PartDeltaEvent) -> bool:
        """Report the event if it is a piece of a structured answer; return whether it is."""
        if self._answer is None:
            return False
        if isinstance(event, PartStartEvent) and event.previous_part_kind is None:  # a new response
            self._response += 1
        return self._answer.takes(event)

    def _say(self, kind: type[TextDelta | ValueDelta], **content: str) -> None:
        self._emit(kind, response=self._response, **content)

    def report_value(self, value: Any) -> None:
        """Report the structured answer."""
        self._emit(ValueGiven, value=value, takes_text=self._answer is not None and not self._answer.begun)

    def report_call(self, call: ToolCallPart) -> None:
        """Report that a tool is called."""
        self._emit(ToolCalled, call_id=call.tool_call_id, tool=call.tool_name, args=json_object(call.args))
        self._unanswered[call.tool_call_id] = call.tool_name
        self._drafts.clear()

    def report_result(self, result: ToolReturnPart) -> None:
        """Report the result of a call, and add to it how long the call ran and what it has displayed."""
        self._unanswered.pop(result.tool_call_id, None)
        seconds = self._seconds.pop(result.tool_call_id, None)
        turn = current_turn.get(None)
        displayed = turn.displayed if turn is not None else {}
        shown = {"displays": displayed.pop(result.tool_call_id)} if result.tool_call_id in displayed else {}
        decided = self._decided.get(result.tool_call_id, {})
        result.metadata = {"seconds": seconds, **decided, **shown}  # stored with the result, and not sent
        self._emit(
            ToolReturned,
            call_id=result.tool_call_id,
            tool=result.tool_name,
            outcome=result.outcome,
            content=result.model_response_str(wrap_if_error=False),
            duration=seconds,
        )

    def close_calls(self, messages: Sequence[ModelMessage]) -> None:
        """Report a result for each call that still has none at the end of the run.

        Some results are only in the messages, as when pydantic-ai closes the calls of a cancelled run. A call that has
        no result there either is reported as interrupted.
        """
        for part in _after_last_response(messages):
            if isinstance(part, ToolReturnPart) and part.tool_call_id in self._unanswered:
                bound(part)  # the guard limits results only when there is an event for them
                self.report_result(part)
        for call_id, tool in self._unanswered.items():
            self._emit(ToolReturned, call_id=call_id, tool=tool, outcome="interrupted", content="", duration=None)

    def report_usage(self, usage: Usage, messages: Sequence[ModelMessage]) -> None:
        """Report what the turn has used so far, if that has changed.

        Args:
            usage: The sum over the turn's model requests.
            messages: The messages so far; the last response tells how much of the context is used.
        """
        if usage == self._reported_usage:
            return
        self._reported_usage = usage
        last = next((message for message in reversed(messages) if isinstance(message, ModelResponse)), None)
        self._emit(
            UsageReported,
            usage=usage,
            context_used=last.usage.total_tokens if last else 0,
            context_limit=self._context_window or (context_limit_of(last) if last else None),
        )


def text_of(event: PartStartEvent | PartDeltaEvent) -> str:
    """Return the piece of text or of a call's arguments that an event brings."""
    content: Any = ""
    match event:
        case PartStartEvent(part=TextPart(content=said) | ThinkingPart(content=said) | ToolCallPart(args=said)):
            content = said
        case PartDeltaEvent(delta=TextPartDelta(content_delta=said) | ThinkingPartDelta(content_delta=said)):
            content = said
        case PartDeltaEvent(delta=ToolCallPartDelta(args_delta=said)):
            content = said
        case _:
            pass
    return content if isinstance(content, str) else json.dumps(content or "", default=str)


def _after_last_response(messages: Sequence[ModelMessage]) -> list[ModelRequestPart]:
    """Return the parts after the model's last response.

    Results of earlier responses do not count, as a model may use the same call ids again.
    """
    parts: list[ModelRequestPart] = []
    for message in reversed(messages):
        if isinstance(message, ModelResponse):
            break
        parts += message.parts
    return parts
