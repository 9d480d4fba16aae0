"""One run of an agent by pydantic-ai: its events become events of the turn, and its messages are stored."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

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
    ModelAwaited,
    Warned,
)
from sessionmagic.conversation.transcript import ToolBlock
from sessionmagic.exceptions import TurnLimitError, TurnTimeoutError
from sessionmagic.models.abilities import address_of
from sessionmagic.models.clients import on_wait, report_waits
from sessionmagic.models.waits import tell_wait
from sessionmagic.tools.functions import RETRIES
from sessionmagic.turns.failures import failure, waiting, will_ask_again
from sessionmagic.turns.guard import HandedOverError
from sessionmagic.turns.key_scanner import Incoming, ready_for
from sessionmagic.turns.messages import (
    doubt_about,
    request_of,
    to_json,
    with_interrupted_results,
)
from sessionmagic.turns.narrator import Narrator, text_of
from sessionmagic.turns.outcome import Outcome
from sessionmagic.turns.partial import PartialResponse
from sessionmagic.turns.turn import current_turn, current_work
from sessionmagic.turns.typed_answer import TypedAnswer
from sessionmagic.words import words_of

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from contextvars import Context

    from pydantic_ai.agent import AgentRunEvents
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.toolsets import AbstractToolset

    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.turns.guard import Guard
    from sessionmagic.turns.output_type import OutputType
    from sessionmagic.turns.partial import Persist

pydantic_ai.BANNER_ENABLED = False  # in a terminal, the banner would appear in the middle of the first answer

CANCEL_SECONDS = 1.0
"""How long a cancelled run may take to end. Each further cancellation starts the time again."""
CANCEL_TRIES = 3
"""How many times that wait may be started."""


class AgentRun:
    """One run of an agent.

    Args:
        agent: The agent that answers.
        model: The model that it asks.
        guard: The capability that checks each tool call.
        output_type: The type of the answer; None for text.
    """

    def __init__(
        self, agent: AgentDefinition, model: ResolvedModel, guard: Guard, output_type: OutputType | None = None
    ) -> None:
        self._definition = agent
        self._model = model
        self._guard = guard
        self._requests = guard.requests
        self._narrator = Narrator(
            guard.emit,
            guard.seconds,
            model.context_limit,
            typed=output_type is not None,
            has_begun=bool(guard.requests.records),
            decided=guard.decisions.made,
        )
        self._typed = TypedAnswer(output_type)
        self._partial: PartialResponse
        self._events: AgentRunEvents[Any] | None = None
        self._cancelled = False
        self._timeout: TurnTimeoutError | None = None

    def cancel(self) -> None:
        """Stop the run; what the model has said so far is kept.

        May be called from any thread, also before the run begins.
        """
        self._cancelled = True
        if (events := self._events) is not None:  # the run may end meanwhile
            events.cancel()

    def time_out(self, seconds: float, advice: str) -> None:
        """Record that the run has taken longer than `seconds`: once cancelled, it fails with `TurnTimeoutError`."""
        why = f", as {self._guard.rate_limits.why}" if self._guard.rate_limits.why else ""
        self._timeout = TurnTimeoutError(f"the turn did not finish within {seconds:.3g} s{why}; {advice}")

    async def run(
        self,
        prompt: str | Sequence[UserContent] | None,
        history: list[ModelMessage],
        persist: Persist,
        toolset: AbstractToolset[None] | None,
    ) -> Outcome:
        """Ask the model, emit events as they happen, and store the messages at each boundary, and growing text.

        Never raises: the outcome says how the model failed.

        Args:
            prompt: What to ask; None to go on after the history, which ends with the results of calls.
            history: The messages before the prompt.
            persist: Stores the run's messages so far, the prompt first if there is one, and the records of the model
                requests that have ended.
            toolset: The tools that the model may call, if any.
        """
        messages: list[ModelMessage] = []
        ending: Exception | None = None
        on_wait.set(self._warn_of_wait)  # before the run starts its task, which copies the context
        tell_wait.set(lambda what: self._guard.emit(ModelAwaited, why=what))
        begun: list[ModelMessage] = [request_of(prompt)] if prompt is not None else []
        self._partial = PartialResponse(persist, to_json(begun))
        try:
            agent = self._new_agent(toolset)
            continued = [] if prompt is not None else history[-2:]  # the calls and their results
            self._guard.history.messages = history[: len(history) - len(continued)]
            running = agent.run_stream_events(
                prompt,
                message_history=continued or None,
                conversation_id=self._guard.history.conversation_id,
                usage_limits=UsageLimits(request_limit=None),
            )
            async with agent, running as events:  # leaving the agent's context closes its connections
                self._events = events
                report_waits(self._model.model)  # entering the agent may have made another HTTP client
                if self._cancelled:  # `cancel` was called while there was nothing to cancel
                    events.cancel()
                async with self._partial.kept():
                    ending = await self._run_to_end(events, self._partial.store, len(begun))
                with suppress(UserError):  # the run was cancelled before its first step, so it has no messages
                    # a run that is stopped while several calls run ends with an empty request (pydantic-ai 2.68)
                    messages = [said for said in events.new_messages() if said.parts or isinstance(said, ModelResponse)]
        except Exception as error:  # noqa: BLE001  a model may fail in any way, and the turn must end all the same
            ending = error
        self._events = None  # they hold the run, and are held by it
        if ending is not None:
            with suppress(asyncio.CancelledError):  # what the model has said must be stored
                await ready_for(words_of(ending))
        messages = with_interrupted_results(messages or begun, _printed())
        messages += self._partial.missing_from(messages, self._asked.model)
        self._narrator.close_calls(messages)
        if isinstance(ending, RunCancelled):
            ending = self._timeout or ending
        return self._outcome(messages, ending)

    def _warn_of_wait(self, status: int, seconds: float) -> None:
        self._guard.rate_limits.note(self._asked.reference, status, seconds)
        if self._guard.chain is None:  # with fallbacks, the SDK does not wait
            self._guard.emit(ModelAwaited, why=will_ask_again(self._asked.reference, status, seconds))
            self._guard.emit(Warned, text=waiting(self._asked.reference, status, seconds))

    @property
    def _asked(self) -> ResolvedModel:
        """The model that the latest request went to."""
        return self._requests.asked or self._model

    def _new_agent(self, toolset: AbstractToolset[None] | None) -> Agent[None, Any]:
        return self._typed.of_agent(
            Agent(
                self._model.model,
                instructions=self._definition.instructions or None,
                model_settings=cast("ModelSettings", dict(self._model.settings)) if self._model.settings else None,
                name=self._definition.name,
                toolsets=[toolset] if toolset is not None else [],
                capabilities=self._guard.capabilities(),
                retries={"tools": RETRIES, "output": self._typed.retries},
                output_type=self._typed.taken,
            )
        )

    async def _run_to_end(self, events: AgentRunEvents[Any], persist: Persist, stored: int) -> Exception | None:
        """Follow the run to its end; return the error that ended it, or None."""
        try:
            await self._follow(events, persist, stored)
        except asyncio.CancelledError:
            # This is not `cancel`, which ends the run with RunCancelled. The task itself is cancelled when its loop
            # shuts down. Absorb that and stop the run, so that what the model has said can still be stored.
            events.cancel()
            await self._drain(events, persist, stored)
            return None if events.result else RunCancelled("the turn was cancelled")
        except Exception as error:  # noqa: BLE001
            return error
        return None

    async def _drain(self, events: AgentRunEvents[Any], persist: Persist, stored: int) -> None:
        """Follow a cancelled run to its end for a limited time, even if this task is cancelled again."""
        for _ in range(CANCEL_TRIES):
            try:
                async with asyncio.timeout(CANCEL_SECONDS):
                    await self._follow(events, persist, stored)
            except asyncio.CancelledError:
                continue
            except Exception:  # noqa: BLE001, S110  usually the RunCancelled that was asked for
                pass
            return

    async def _follow(self, events: AgentRunEvents[Any], persist: Persist, stored_parts: int) -> None:
        """Report the events, and store the messages; `stored_parts` of them are stored, as the prompt is."""
        results: list[ModelRequestPart] = []
        incoming = Incoming()
        async for event in events:
            match event:
                case PartStartEvent() | PartDeltaEvent():
                    piece = text_of(event)
                    await incoming.hear(piece)
                    self._requests.hear(len(piece))
                    self._narrator.report_beginning(self._requests.first_token)
                    self._partial.hear(event)
                    self._narrator.report_part(event)
                    continue
                case FunctionToolCallEvent(part=call):
                    self._narrator.report_call(call)
                case FunctionToolResultEvent(part=result):
                    results.append(result)
                    self._narrator.report_result(result)
                case EnqueuedMessagesEvent(enqueue_id=delivery):
                    self._report_delivery(delivery)
                case AgentRunResultEvent():
                    break
                case _:
                    pass
            if not (messages := events.new_messages()):  # without a prompt, there are none before the first response
                continue
            self._narrator.report_usage(self._requests.whole_usage, messages)
            # pydantic-ai adds the results of a step to its messages when all calls of the step have ended. Store each
            # result as soon as it comes in, since the process may end before the last one.
            if isinstance(messages[-1], ModelResponse) and results:
                messages = [*messages, ModelRequest(results)]
            else:
                results = []
            # The end of the turn, which follows an answer at once, stores it.
            parts = sum(len(message.parts) for message in messages)
            if parts > stored_parts and not self._typed.ends_with(messages[-1]):
                stored_parts = parts
                await persist(self._typed.stored(messages), list(self._requests.records))

    def _report_delivery(self, delivery: str) -> None:
        if note := self._guard.inbox.delivered(delivery):
            self._guard.emit(MessageInjected, text=note.text, kind=note.kind, values=note.values)

    def _outcome(self, messages: list[ModelMessage], ending: Exception | None) -> Outcome:
        self._requests.close(messages, ending)
        of_sub_agents = self._requests.of_sub_agents
        outcome = Outcome(
            "completed", self._typed.stored(messages), self._requests.records, of_sub_agents=of_sub_agents
        )
        responses = [message for message in messages if isinstance(message, ModelResponse)]
        match ending:
            case None:
                if (fitting := self._typed.fitting) is not None:
                    outcome.fitting = fitting
                    self._narrator.report_value(fitting.stored.json)
                if doubt := doubt_about(responses[-1]):
                    self._guard.emit(Warned, text=doubt)
            case HandedOverError():
                outcome.handed_over = True
            case TurnTimeoutError():
                outcome.status, outcome.error_code, outcome.error = "failed", "timeout", ending
            case TurnLimitError():
                outcome.status, outcome.error_code, outcome.error = "limit", "limit", ending
            case RunCancelled():
                outcome.status, outcome.error_code = "interrupted", "cancelled"
            case _:
                outcome.status = "failed"
                asked = self._asked
                outcome.error_code, outcome.error = self._typed.failure(asked.reference, ending) or failure(
                    asked.reference, ending, address_of(asked.model)
                )
        self._narrator.report_usage(self._requests.whole_usage, messages)
        return outcome


async def settled(
    run: AgentRun, work: Coroutine[Any, Any, Outcome], context: Context | None = None
) -> tuple[Outcome, bool]:
    """Return the outcome of a run, and whether this task was cancelled meanwhile.

    The run has a task of its own, so that it can be stopped and what it has used is still known.

    Args:
        run: The run.
        work: What it does: `AgentRun.run`.
        context: The context of its task; by default a copy of the current one.
    """
    running = asyncio.create_task(work, context=context)
    cancelled = False
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError:
            cancelled = True
            run.cancel()
    return running.result(), cancelled


def _printed() -> dict[str, str]:
    """Return what the calls of the run have printed that have no result, by call id."""
    blocks = current_turn.get().transcript.work_for(current_work.get()).blocks
    return {block.call_id: block.printed.strip() for block in blocks if isinstance(block, ToolBlock) and block.printed}
