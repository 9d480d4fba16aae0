"""Check what a model does in a turn: each model request and tool call, and the turn's limits."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import ToolFailed, UserError
from pydantic_ai.messages import (
    EnqueuedMessagesEvent,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    OutputToolCallEvent,
)
from pydantic_ai.tools import ToolDenied

from sessionmagic.conversation.events import LimitReached, ToolBegan, Warned
from sessionmagic.conversation.transcript import json_object
from sessionmagic.exceptions import SessionIdleError
from sessionmagic.models.members import with_wrapped_members
from sessionmagic.tools.results import bound, without_images
from sessionmagic.turns.asked_model import AskedModel
from sessionmagic.turns.call_arguments import wanted_call, without_iterators
from sessionmagic.turns.charged_model import ChargedModel
from sessionmagic.turns.comparable import Comparable
from sessionmagic.turns.falling_back import FallingBack, SayingSomething
from sessionmagic.turns.messages import check_whole, tidied
from sessionmagic.turns.patient_model import PatientModel
from sessionmagic.turns.replaying import recorded_result, say_again
from sessionmagic.turns.run_history import RunHistory
from sessionmagic.turns.sender import Sender
from sessionmagic.turns.tool_run import preview_of, run_tool
from sessionmagic.turns.typed_model import TypedModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic_ai.messages import AgentStreamEvent, ModelResponse, ToolCallPart, ToolReturn
    from pydantic_ai.models import Model
    from pydantic_ai.tools import RunContext, ToolDefinition

    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.turns.account import Account
    from sessionmagic.turns.counts import Counts
    from sessionmagic.turns.decisions import Decisions
    from sessionmagic.turns.fallback import Chain
    from sessionmagic.turns.inbox import Inbox, Kind
    from sessionmagic.turns.model_requests import ModelRequests
    from sessionmagic.turns.output_type import OutputType
    from sessionmagic.turns.rate_limits import RateLimits
    from sessionmagic.turns.sent_content import SentContent
    from sessionmagic.turns.sent_request import SentRequest

CANCEL_SECONDS = 0.5
"""How long a tool call may take to stop with its turn. An interrupted cell waits longer than that."""
CLOSING_SECONDS = 3.0
"""The same for a call that stores what it has done, such as the work of a sub-agent."""

LISTENED_TO = (FunctionToolCallEvent, OutputToolCallEvent, FunctionToolResultEvent, EnqueuedMessagesEvent)
"""The events that `Guard.on_event` handles."""


class HandedOverError(Exception):
    """Ends the run of an agent, as another one answers from here on."""


@dataclass
class Guard(AbstractCapability[None]):
    """A capability that runs, asks about or denies each tool call of a turn, and enforces the turn's limits.

    pydantic-ai calls the hooks in this order: `before_run`; then for each model request `before_model_request`,
    `get_wrapper_model` and `after_model_request`; then for each tool call of the response
    `after_tool_validate`, `on_event` with the call, `wrap_tool_execute`, and `on_event` with the result. The calls of
    one response run side by side. For a call with an unknown tool or invalid arguments only `on_event` is called.

    Args:
        agent: The name of the agent whose calls these are.
        model: The model of that agent.
        emit: Emits an event, as `EventLog.emit` does.
        requests: Records the model requests.
        inbox: Holds what the user says to the turn while it runs.
        decisions: Decides on tool calls.
        counts: Counts the model requests and tool calls, and stops the turn at its limits.
        keep_sent: Called with each model request as it is sent.
        content: Leaves keys out of what is sent.
        accounts: What is charged with the model requests: that of the session, then that of the kernel.
        history: The messages before those of the run.
        output_type: The type of the answer; None for text.
        rate_limits: How long a provider is waited for that has too many requests.
        chain: The models of which the next one is asked when one fails; None if no other is asked.
    """

    agent: str
    model: ResolvedModel
    emit: Callable[..., None]
    requests: ModelRequests
    inbox: Inbox
    decisions: Decisions
    counts: Counts
    keep_sent: Callable[[SentRequest], object]
    content: SentContent
    accounts: Sequence[Account]
    rate_limits: RateLimits
    history: RunHistory = field(default_factory=RunHistory)
    output_type: OutputType | None = None
    chain: Chain | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    """How many seconds each call ran, by call id."""
    running: int = 0
    """How many calls are running."""
    handed_over: bool = False
    """Whether another agent answers from the next model request on."""
    sub_agents: list[Guard] = field(default_factory=list)
    """The guards of the sub-agents that work for the running calls."""
    _reached_token_limit: bool = False

    def capabilities(self) -> list[AbstractCapability[None]]:
        """Return the guard itself, and what asks other models when one fails."""
        further = [] if self.chain is None else [FallingBack(self.agent, self.chain, self.requests)]
        return [self, *further]

    async def before_run(self, ctx: RunContext[None]) -> None:
        """Connect the inbox with the run, which delivers what the user says while it runs."""

        def send(text: str, kind: Kind) -> str:
            try:
                return ctx.enqueue(text, priority="asap" if kind == "steer" else "when_idle") or ""
            except UserError as error:  # the run has just ended
                raise SessionIdleError("the turn has just ended; send it as a new prompt") from error

        self.inbox.open(send, ctx.dequeue, holds=self.model.is_replay)

    async def before_model_request(self, ctx: Any, request_context: Any) -> Any:  # noqa: ARG002
        """Count a model request, stop the turn at its limit, and choose the model that is asked."""
        if self.handed_over:
            raise HandedOverError
        self.counts.count_request()
        asked = self.model.chosen() if self.chain is None else self.chain.begin()
        self.requests.begin(self.agent, asked)
        if self.model.members and self.chain is None:
            request_context.model, request_context.model_settings = asked.model, dict(asked.settings)
        return request_context

    def get_wrapper_model(self, model: Model) -> Model:
        """Return the model to ask instead of the one that was chosen."""
        return with_wrapped_members(model, self._asked)

    def _asked(self, member: Model) -> Model:
        model = self.requests.asked or self.model
        sender = Sender(member, self._keep_sent, self.content, self.history)
        charged = ChargedModel(sender, model, self.accounts, self._over_budget, self.requests)
        asked = AskedModel(
            TypedModel(charged, self.output_type, lambda text: self.emit(Warned, text=text)),
            model.reference,
            offers=self.decisions.may_allow,
            count=self.counts.count_request,  # of continued answers, for which pydantic-ai has no hook
            warn=lambda text: self.emit(Warned, text=text),
            tell=Comparable(self.requests, self.history, self.output_type).tell,
        )
        asked.history = self.history
        if self.chain is not None:
            return SayingSomething(asked)
        again = partial(self.requests.begin, self.agent, model)
        return PatientModel(asked, partial(self.rate_limits.wait_after, model.reference), self.requests.fail, again)

    def _over_budget(self, account: Account) -> None:
        self.emit(LimitReached, which="budget", value=account.limit)

    def _keep_sent(self, sent: SentRequest) -> None:
        self.keep_sent(sent)
        if warning := self.content.left_out.warning():
            self.emit(Warned, text=warning)

    async def after_model_request(self, ctx: Any, *, request_context: Any, response: ModelResponse) -> ModelResponse:  # noqa: ARG002
        """Record the model request, and give each call of the response a unique id and a name of limited length."""
        self.requests.end(response)
        self.rate_limits.answered()
        say_again(self.inbox, ends=not response.tool_calls)
        self._reached_token_limit = response.finish_reason == "length"
        return tidied(response)

    def listens_to(self, event: AgentStreamEvent) -> bool:
        """Return whether `on_event` does anything with an event. pydantic-ai would call it for each piece of text."""
        return isinstance(event, LISTENED_TO)

    def wrap_run_event_stream(self, ctx: Any, *, stream: Any) -> Any:  # noqa: ARG002
        """Return the events as they are. The hook of the base class passes each one on."""
        return stream

    async def on_event(self, ctx: RunContext[None], *, event: AgentStreamEvent) -> None:  # noqa: ARG002
        """Count the calls that cannot run, and limit the size of every result."""
        match event:
            case FunctionToolCallEvent(args_valid=False):
                if self._reached_token_limit:
                    check_whole(event.part)
                # An unknown tool, or invalid arguments: `wrap_tool_execute` is not called, but the limits apply.
                self.counts.count_call(event.part.tool_name, json_object(event.part.args))
            case OutputToolCallEvent(args_valid=False) if self._reached_token_limit:
                check_whole(event.part)
            case FunctionToolResultEvent():
                # Every result passes here before the model and the observers get it, also the error texts that
                # pydantic-ai writes itself.
                bound(event.part)
            case EnqueuedMessagesEvent():
                # What the user has said may be a reason to make the same call again.
                self.counts.forget_repeats()

    async def after_tool_validate(self, ctx: Any, *, call: Any, tool_def: Any, args: Any) -> dict[str, Any]:  # noqa: ARG002
        """Refuse arguments that are not an object. pydantic-ai does not check them for the tools of MCP servers."""
        if not isinstance(args, dict):
            raise ToolFailed("the arguments must be a JSON object")
        return args

    async def wrap_tool_execute(
        self,
        ctx: RunContext[None],  # noqa: ARG002
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: dict[str, Any],
        handler: Any,
    ) -> Any:
        """Run a call if it is permitted, after its approval where that is needed; return its result for the model."""
        written = json_object(call.args)
        self.counts.count_call(call.tool_name, written)
        args = without_iterators(args)
        wanted = wanted_call(call.tool_name, tool_def, written, args)
        if obstacle := (tool_def.metadata or {}).get("obstacle"):
            raise ToolFailed(obstacle)
        replays = (tool_def.metadata or {}).get("replays", "unless live")
        if (recorded := recorded_result(call, replays, self.seconds)) is not None:
            if replays != "with effect" or isinstance(recorded, ToolDenied):
                return recorded
            if (refusal := self.decisions.denial(wanted)) is not None:
                return ToolDenied(refusal)
            await run_tool(call, handler, args)
            return recorded
        refusal = await self.decisions.refusal(wanted, call.tool_call_id, partial(preview_of, tool_def, args))
        if refusal is not None:
            return ToolDenied(refusal)
        began = time.monotonic()
        self.running += 1
        self.emit(ToolBegan, call_id=call.tool_call_id, tool=call.tool_name)
        try:
            seconds = CLOSING_SECONDS if (tool_def.metadata or {}).get("closes") else CANCEL_SECONDS
            running = asyncio.ensure_future(run_tool(call, handler, args))
            result = await self._result_of(call.tool_name, running, seconds)
        finally:
            self.running -= 1
            self.seconds[call.tool_call_id] = time.monotonic() - began
        if self.model.sees_images:
            return result
        return replace(result, content=without_images(result.content))

    async def _result_of(self, tool: str, running: asyncio.Future[ToolReturn[Any]], seconds: float) -> ToolReturn[Any]:
        """Wait for a call and return its result. When the turn is stopped, cancel the call and wait `seconds` at most.

        The call runs in a task of its own, which `asyncio.wait` does not cancel. So a tool that ignores its
        cancellation cannot hold up the end of the turn.
        """
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.wait([running], timeout=seconds)
            if not running.done():
                running.add_done_callback(_retrieve_error)
                self.emit(Warned, text=f"{tool} did not stop with the turn; it is still running")
            raise
        return running.result()

    @property
    def busy(self) -> int:
        """How many of the running calls do more than wait: a sub-agent may do no more than wait for the user."""
        return self.running - sum(bool(each.decisions.asking) and each.busy <= 0 for each in self.sub_agents)

    def approve_allowed_calls(self) -> None:
        """Approve the waiting calls that the session's rules now allow, also those of sub-agents."""
        self.decisions.approve_allowed_calls()
        for each in list(self.sub_agents):
            each.approve_allowed_calls()


def _retrieve_error(running: asyncio.Future[Any]) -> None:
    """Retrieve the error of a call that nobody waits for any longer, so that asyncio does not log it."""
    if not running.cancelled():
        running.exception()
