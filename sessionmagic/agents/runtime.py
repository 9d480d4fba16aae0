"""One turn of one agent: pydantic-ai does the work, its events become ours, its messages are kept."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pydantic_ai
from pydantic_ai import Agent
from pydantic_ai.exceptions import RunCancelled, UserError
from pydantic_ai.messages import (
    EnqueuedMessagesEvent,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    ModelMessage,
    ModelRequest,
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
    UserContent,
)
from pydantic_ai.run import AgentRunResultEvent
from pydantic_ai.usage import UsageLimits

from sessionmagic.agents.failures import failure
from sessionmagic.agents.messages import (
    as_history,
    context_limit_of,
    doubt_about,
    name_of,
    request_of,
    tidied_call,
    to_json,
    usage_of,
)
from sessionmagic.agents.results import bound
from sessionmagic.agents.tools import RETRIES
from sessionmagic.events import (
    MessageInjected,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    ToolReturned,
    TurnStatus,
    UsageReported,
    Warned,
)
from sessionmagic.exceptions import SessionMagicError, TurnLimitError, TurnTimeoutError
from sessionmagic.session import Usage, undelivered
from sessionmagic.transcript import json_object

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pydantic_ai.agent import AgentRunEvents
    from pydantic_ai.toolsets import AbstractToolset

    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.agents.guard import Guard
    from sessionmagic.agents.messages import Messages
    from sessionmagic.models.catalog import ResolvedModel
    from sessionmagic.turn import EventLog

pydantic_ai.BANNER_ENABLED = False  # a terminal would show it in the midst of the first answer

CANCEL_SECONDS = 1.0
CANCEL_TRIES = 3
"""How long, and through how many more cancellations, a cancelled run may take to say what it has."""


@dataclass(slots=True)
class Outcome:
    """How a run ended."""

    status: TurnStatus
    messages: Messages = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    answered_by: str | None = None
    error_code: str | None = None
    error: SessionMagicError | None = None


class AgentRun:
    """One run of an agent. `cancel` may be called from any thread, also before the run has begun.

    Args:
        guard: what stands between the model and a tool.
    """

    def __init__(
        self,
        agent: AgentDefinition,
        model: ResolvedModel,
        log: EventLog,
        guard: Guard,
    ) -> None:
        self._agent = agent
        self._model = model
        self._log = log
        self._guard = guard
        self._unanswered: dict[str, str] = {}
        """Tools of the calls that have no result yet, by call id."""
        self._drafts: dict[int, ToolCallPart] = {}
        """The calls that the model is writing, by their place in the response."""
        self._events: AgentRunEvents[str] | None = None
        self._cancelled = False
        self._late: TurnTimeoutError | None = None
        self._told_usage = Usage()

    def cancel(self) -> None:
        """Stop the run; what the model has said so far is kept."""
        self._cancelled = True
        if self._events is not None:
            self._events.cancel()

    def time_out(self, seconds: float) -> None:
        """Have the run fail, once it is cancelled, as one that did not end in that time."""
        self._late = TurnTimeoutError(f"the turn did not finish within {seconds:g} s")

    async def run(
        self,
        prompt: str | Sequence[UserContent],
        history: Messages,
        persist: Callable[[Messages], Awaitable[None]],
        toolset: AbstractToolset[None] | None,
    ) -> Outcome:
        """Ask the model, emit events as they happen, persist messages at each boundary.

        Args:
            prompt: what is asked.
            history: the messages before it.
            persist: awaited with the run's messages so far, the prompt first.
            toolset: what the model may call, if anything.

        However the model fails, the failure is in the outcome; no exception leaves here.
        """
        messages: list[ModelMessage] = []
        ending: Exception | None = None
        try:
            agent = Agent(
                self._model.model,
                instructions=self._agent.instructions or None,
                name=self._agent.name,
                toolsets=[toolset] if toolset is not None else [],
                capabilities=[self._guard],
                retries={"tools": RETRIES},
            )
            past = as_history(history)
            running = agent.run_stream_events(
                prompt, message_history=past, usage_limits=UsageLimits(request_limit=None)
            )
            async with agent, running as events:  # leaving the agent closes its connections
                self._events = events
                if self._cancelled:
                    events.cancel()
                ending = await self._ending(events, persist)
                with suppress(UserError):  # cancelled before it began
                    messages = events.new_messages()
        except Exception as error:  # noqa: BLE001  a model may fail in any way; a turn ends in one
            ending = error
        self._close(messages)
        if isinstance(ending, RunCancelled):
            ending = self._late or ending
        return self._outcome(messages or [request_of(prompt)], ending)

    def _close(self, messages: list[ModelMessage]) -> None:
        """Say what became of the calls and messages that are still open."""
        for part in _after_last_response(messages):
            if isinstance(part, ToolReturnPart) and part.tool_call_id in self._unanswered:
                bound(part)  # no event told of it
                self._tell_result(part)
        for call_id, tool in self._unanswered.items():
            self._log.emit(ToolReturned, call_id=call_id, tool=tool, outcome="interrupted", content="", duration=None)
        for warning in undelivered(self._guard.inbox.close()):
            self._log.emit(Warned, text=warning)

    async def _ending(
        self, events: AgentRunEvents[str], persist: Callable[[Messages], Awaitable[None]]
    ) -> Exception | None:
        try:
            await self._follow(events, persist)
        except asyncio.CancelledError:  # the loop is closing down: end as if asked to stop
            events.cancel()
            await self._drain(events, persist)
            return None if events.result else RunCancelled("the turn was cancelled")
        except Exception as error:  # noqa: BLE001
            return error
        return None

    async def _drain(self, events: AgentRunEvents[str], persist: Callable[[Messages], Awaitable[None]]) -> None:
        """Follow a cancelled run to its end, through further cancellations, but not for ever."""
        for _ in range(CANCEL_TRIES):
            try:
                async with asyncio.timeout(CANCEL_SECONDS):
                    await self._follow(events, persist)
            except asyncio.CancelledError:
                continue
            except Exception:  # noqa: BLE001, S110  the cancellation itself, most likely
                pass
            return

    async def _follow(
        self,
        events: AgentRunEvents[str],
        persist: Callable[[Messages], Awaitable[None]],
    ) -> None:
        persisted = 1  # part: the prompt
        results: list[ModelRequestPart] = []
        async for event in events:
            match event:
                case PartStartEvent() | PartDeltaEvent():
                    self._tell_part(event)
                    continue
                case FunctionToolCallEvent(part=call):
                    args = json_object(call.args)
                    self._log.emit(ToolCalled, call_id=call.tool_call_id, tool=call.tool_name, args=args)
                    self._unanswered[call.tool_call_id] = call.tool_name
                    self._drafts.clear()
                case FunctionToolResultEvent(part=result):
                    results.append(result)
                    self._tell_result(result)
                case EnqueuedMessagesEvent(enqueue_id=delivery):
                    if note := self._guard.inbox.delivered(delivery):
                        self._log.emit(MessageInjected, text=note.text, kind=note.kind)
                case AgentRunResultEvent():
                    return
                case _:
                    pass
            messages = events.new_messages()
            self._tell_usage(messages)
            if isinstance(messages[-1], ModelResponse) and results:
                messages = [*messages, ModelRequest(results)]  # what is in already, before the step is whole
            else:
                results = []
            if (parts := sum(len(message.parts) for message in messages)) > persisted:
                persisted = parts
                await persist(to_json(messages))

    def _tell_part(self, event: PartStartEvent | PartDeltaEvent) -> None:
        match event:
            case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                if text:
                    self._log.emit(TextDelta, text=text)
            case (
                PartStartEvent(part=ThinkingPart(content=text))
                | PartDeltaEvent(delta=ThinkingPartDelta(content_delta=str(text)))
            ):
                if text:
                    self._log.emit(ReasoningDelta, text=text)
            case PartStartEvent(index=index, part=ToolCallPart() as call):
                earlier = [draft.tool_call_id for place, draft in self._drafts.items() if place < index]
                self._drafts[index] = call = tidied_call(call, earlier)
                written = call.args if isinstance(call.args, str) else ""
                self._log.emit(ToolCallDelta, call_id=call.tool_call_id, tool=call.tool_name, text=written)
            case PartDeltaEvent(index=index, delta=ToolCallPartDelta(args_delta=str(text))) if index in self._drafts:
                call = self._drafts[index]
                self._log.emit(ToolCallDelta, call_id=call.tool_call_id, tool=call.tool_name, text=text)
            case _:
                pass

    def _tell_result(self, result: ToolReturnPart) -> None:
        self._unanswered.pop(result.tool_call_id, None)
        seconds = self._guard.seconds.pop(result.tool_call_id, None)
        result.metadata = {"seconds": seconds}  # stored with it
        self._log.emit(
            ToolReturned,
            call_id=result.tool_call_id,
            tool=result.tool_name,
            outcome=result.outcome,
            content=result.model_response_str(wrap_if_error=False),
            duration=seconds,
        )

    def _outcome(self, messages: list[ModelMessage], ending: Exception | None) -> Outcome:
        outcome = Outcome("completed", to_json(messages), usage_of(messages))
        responses = [message for message in messages if isinstance(message, ModelResponse)]
        if responses and responses[-1].model_name:
            outcome.answered_by = name_of(responses[-1])
        match ending:
            case None:
                if doubt := doubt_about(responses[-1]):
                    self._log.emit(Warned, text=doubt)
            case TurnTimeoutError():
                outcome.status, outcome.error_code, outcome.error = "failed", "timeout", ending
            case TurnLimitError():
                outcome.status, outcome.error_code, outcome.error = "limit", "limit", ending
            case RunCancelled():
                outcome.status, outcome.error_code = "interrupted", "cancelled"
            case _:
                outcome.status = "failed"
                outcome.error_code, outcome.error = failure(self._model.reference, ending, self._model.model.base_url)
        self._tell_usage(messages)
        return outcome

    def _tell_usage(self, messages: list[ModelMessage]) -> None:
        """Say what the turn has used, when that is something, and has changed."""
        usage = usage_of(messages)
        if (usage.input_tokens or usage.output_tokens) and usage != self._told_usage:
            self._told_usage = usage
            last = next(message for message in reversed(messages) if isinstance(message, ModelResponse))
            self._log.emit(
                UsageReported,
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                cost=usage.cost,
                context_used=last.usage.total_tokens,
                context_limit=self._model.model.profile.get("context_window") or context_limit_of(last),
            )


def _after_last_response(messages: Sequence[ModelMessage]) -> list[ModelRequestPart]:
    """Return what was said since the model's last response; of an earlier one, it may have used the call ids again."""
    parts: list[ModelRequestPart] = []
    for message in reversed(messages):
        if isinstance(message, ModelResponse):
            break
        parts += message.parts
    return parts
