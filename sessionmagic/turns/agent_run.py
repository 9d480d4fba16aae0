"""One turn of one agent: pydantic-ai does the work, its events become ours, its messages are kept."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

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
    UserContent,
)
from pydantic_ai.run import AgentRunResultEvent
from pydantic_ai.usage import UsageLimits

from sessionmagic.conversation.events import (
    MessageInjected,
    TurnStatus,
    Warned,
)
from sessionmagic.conversation.tree import undelivered
from sessionmagic.exceptions import SessionMagicError, TurnLimitError, TurnTimeoutError
from sessionmagic.tools.functions import RETRIES
from sessionmagic.turns.failures import failure
from sessionmagic.turns.messages import (
    as_history,
    doubt_about,
    request_of,
    to_json,
)
from sessionmagic.turns.narrator import Narrator

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pydantic_ai.agent import AgentRunEvents
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.toolsets import AbstractToolset

    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.conversation.usage import RequestRecord
    from sessionmagic.models.catalog import ResolvedModel
    from sessionmagic.turns.guard import Guard
    from sessionmagic.turns.messages import Messages

    Persist = Callable[[Messages, list[RequestRecord]], Awaitable[None]]

pydantic_ai.BANNER_ENABLED = False  # a terminal would show it in the midst of the first answer

CANCEL_SECONDS = 1.0
CANCEL_TRIES = 3
"""How long, and through how many more cancellations, a cancelled run may take to say what it has."""


@dataclass(slots=True)
class Outcome:
    """How a run ended."""

    status: TurnStatus
    messages: Messages = field(default_factory=list)
    requests: list[RequestRecord] = field(default_factory=list)
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
        guard: Guard,
    ) -> None:
        self._agent = agent
        self._model = model
        self._guard = guard
        self._requests = guard.requests
        self._narrator = Narrator(guard.emit, guard.seconds, model.model.profile.get("context_window"))
        self._events: AgentRunEvents[str] | None = None
        self._cancelled = False
        self._late: TurnTimeoutError | None = None

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
        persist: Persist,
        toolset: AbstractToolset[None] | None,
    ) -> Outcome:
        """Ask the model, emit events as they happen, persist messages at each boundary.

        Args:
            prompt: what is asked.
            history: the messages before it.
            persist: awaited with the run's messages so far, the prompt first, and the requests that have ended.
            toolset: what the model may call, if anything.

        However the model fails, the failure is in the outcome; no exception leaves here.
        """
        messages: list[ModelMessage] = []
        ending: Exception | None = None
        try:
            agent = Agent(
                self._model.model,
                instructions=self._agent.instructions or None,
                model_settings=cast("ModelSettings", dict(self._model.settings)) if self._model.settings else None,
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
        self._narrator.close_calls(messages)
        for warning in undelivered(self._guard.inbox.close()):
            self._guard.emit(Warned, text=warning)

    async def _ending(self, events: AgentRunEvents[str], persist: Persist) -> Exception | None:
        try:
            await self._follow(events, persist)
        except asyncio.CancelledError:  # the loop is closing down: end as if asked to stop
            events.cancel()
            await self._drain(events, persist)
            return None if events.result else RunCancelled("the turn was cancelled")
        except Exception as error:  # noqa: BLE001
            return error
        return None

    async def _drain(self, events: AgentRunEvents[str], persist: Persist) -> None:
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
        persist: Persist,
    ) -> None:
        persisted = 1  # part: the prompt
        results: list[ModelRequestPart] = []
        async for event in events:
            match event:
                case PartStartEvent() | PartDeltaEvent():
                    self._requests.hear()
                    self._narrator.tell_part(event)
                    continue
                case FunctionToolCallEvent(part=call):
                    self._narrator.tell_call(call)
                case FunctionToolResultEvent(part=result):
                    results.append(result)
                    self._narrator.tell_result(result)
                case EnqueuedMessagesEvent(enqueue_id=delivery):
                    if note := self._guard.inbox.delivered(delivery):
                        self._guard.emit(MessageInjected, text=note.text, kind=note.kind)
                case AgentRunResultEvent():
                    return
                case _:
                    pass
            messages = events.new_messages()
            self._narrator.tell_usage(self._requests.usage, messages)
            if isinstance(messages[-1], ModelResponse) and results:
                messages = [*messages, ModelRequest(results)]  # what is in already, before the step is whole
            else:
                results = []
            if (parts := sum(len(message.parts) for message in messages)) > persisted:
                persisted = parts
                await persist(to_json(messages), list(self._requests.records))

    def _outcome(self, messages: list[ModelMessage], ending: Exception | None) -> Outcome:
        self._requests.close(messages)
        outcome = Outcome("completed", to_json(messages), self._requests.records)
        responses = [message for message in messages if isinstance(message, ModelResponse)]
        match ending:
            case None:
                if doubt := doubt_about(responses[-1]):
                    self._guard.emit(Warned, text=doubt)
            case TurnTimeoutError():
                outcome.status, outcome.error_code, outcome.error = "failed", "timeout", ending
            case TurnLimitError():
                outcome.status, outcome.error_code, outcome.error = "limit", "limit", ending
            case RunCancelled():
                outcome.status, outcome.error_code = "interrupted", "cancelled"
            case _:
                outcome.status = "failed"
                outcome.error_code, outcome.error = failure(self._model.reference, ending, self._model.model.base_url)
        self._narrator.tell_usage(self._requests.usage, messages)
        return outcome
