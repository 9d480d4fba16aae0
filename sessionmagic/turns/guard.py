"""What stands between a model and a tool: permission, approval and limits."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import ModelRetry, ToolFailed, ToolFailedError, ToolRetryError, UserError
from pydantic_ai.messages import EnqueuedMessagesEvent, FunctionToolCallEvent, FunctionToolResultEvent
from pydantic_ai.models import Model
from pydantic_ai.tools import ToolDenied
from pydantic_core import to_jsonable_python

from sessionmagic.conversation.events import LimitReached, Warned
from sessionmagic.conversation.transcript import json_object
from sessionmagic.exceptions import ApprovalNotOpenError, SessionIdleError, TurnLimitError
from sessionmagic.tools.permissions import Call
from sessionmagic.tools.results import as_read, bound, without_images
from sessionmagic.turns.messages import tidied
from sessionmagic.words import words_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic_ai.messages import AgentStreamEvent, ModelResponse, ToolCallPart, ToolReturn
    from pydantic_ai.tools import RunContext, ToolDefinition

    from sessionmagic.conversation.events import Decision
    from sessionmagic.tools.approvals import Approvals
    from sessionmagic.tools.permissions import Limits, Policy
    from sessionmagic.turns.inbox import Inbox, Kind
    from sessionmagic.turns.model_requests import ModelRequests

CANCEL_SECONDS = 0.5
"""How long a call may take to end when its turn is stopped: less than an interrupted cell waits."""


@dataclass
class Guard(AbstractCapability[None]):
    """Lets each tool call of a turn run, asks for it, or refuses it; counts what the turn does.

    Args:
        policy: what decides over calls, read anew for each, so that a rule set in mid-turn holds.
        grant: writes a lasting decision to the session; awaited before the call runs.
    """

    emit: Callable[..., None]
    requests: ModelRequests
    approvals: Approvals
    inbox: Inbox
    policy: Callable[[], Awaitable[Policy]]
    grant: Callable[[Decision, str], Awaitable[None]]
    limits: Limits
    seconds: dict[str, float] = field(default_factory=dict)
    """How long calls ran, by call id."""
    running: int = 0
    """How many calls run now."""
    _asked: int = 0
    _calls: int = 0
    _latest: tuple[str, str] = ("", "")
    _repeats: int = 0
    _stopped: bool = False

    async def before_run(self, ctx: RunContext[None]) -> None:
        """Let what the user says meanwhile reach the run."""

        def send(text: str, kind: Kind) -> str:
            try:
                return ctx.enqueue(text, priority="asap" if kind == "steer" else "when_idle") or ""
            except UserError as error:  # the run has just ended
                raise SessionIdleError("the turn has just ended") from error

        self.inbox.open(send, ctx.dequeue)

    async def before_model_request(self, ctx: Any, request_context: Any) -> Any:  # noqa: ARG002
        """Count a model request."""
        self._asked += 1
        if self._asked > self.limits.requests:
            self._stop("requests", self.limits.requests, "model requests")
        self.requests.begin()
        return request_context

    async def after_model_request(self, ctx: Any, *, request_context: Any, response: ModelResponse) -> ModelResponse:  # noqa: ARG002
        """Record the request, and give each call of its response an id of its own and a name that can be read."""
        self.requests.end(response)
        return tidied(response)

    async def on_event(self, ctx: RunContext[None], *, event: AgentStreamEvent) -> None:  # noqa: ARG002
        """Count a call that comes to nothing: of a tool that there is not, or with arguments that do not fit.

        A call that was made before the user said something is not repeated by one that answers that. Every result
        passes here before it is sent.
        """
        match event:
            case FunctionToolCallEvent(args_valid=False):
                self._count(event.part)
            case FunctionToolResultEvent():
                bound(event.part)
            case EnqueuedMessagesEvent():
                self._repeats = 0

    async def after_tool_validate(self, ctx: Any, *, call: Any, tool_def: Any, args: Any) -> dict[str, Any]:  # noqa: ARG002
        """Refuse arguments that are no object: those for a server's tool are taken as the model writes them."""
        if not isinstance(args, dict):
            raise ToolFailed("the arguments must be an object")
        return args

    async def wrap_tool_execute(  # noqa: D102  pydantic-ai says it
        self,
        ctx: RunContext[None],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: dict[str, Any],
        handler: Any,
    ) -> Any:
        written = self._count(call)
        args = _to_be_read_twice(args)
        meant = to_jsonable_python(args, fallback=str, bytes_mode="base64")
        wanted = Call(call.tool_name, written | _defaults(tool_def) | written, is_read_only(tool_def), meant)
        if obstacle := (tool_def.metadata or {}).get("obstacle"):
            raise ToolFailed(obstacle)
        refusal = await self._refusal(wanted, call.tool_call_id)
        if refusal is not None:
            return ToolDenied(refusal)
        began = time.monotonic()
        self.running += 1
        try:
            result = await self._ended(call.tool_name, asyncio.ensure_future(_called(handler, args)))
        finally:
            self.running -= 1
            self.seconds[call.tool_call_id] = time.monotonic() - began
        sees = isinstance(ctx.model, Model) and ctx.model.profile.get("supports_image_input", True)
        return result if sees else replace(result, content=without_images(result.content))

    async def _ended(self, tool: str, running: asyncio.Future[ToolReturn[Any]]) -> ToolReturn[Any]:
        """Wait for a call; when the turn is stopped, not for ever: then a tool that does not stop is left to itself."""
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.wait([running], timeout=CANCEL_SECONDS)
            if not running.done():
                running.add_done_callback(_heard)
                self.emit(Warned, text=f"{tool} has not stopped, and goes on by itself")
            raise
        return running.result()

    def _count(self, call: ToolCallPart) -> dict[str, Any]:
        """Count a call; return its arguments as the model wrote them."""
        args = json_object(call.args)
        self._calls += 1
        if self._calls > self.limits.tool_calls:
            self._stop("tool_calls", self.limits.tool_calls, "tool calls")
        this = (call.tool_name, json.dumps(args, sort_keys=True, default=str))
        self._repeats = self._repeats + 1 if this == self._latest else 1
        self._latest = this
        if self._repeats >= self.limits.repeats:
            self._stop("repeated_call", self.limits.repeats, f"times the same call of {call.tool_name}")
        return args

    def _stop(self, which: str, value: int, what: str) -> None:
        if not self._stopped:
            self.emit(LimitReached, which=which, value=value)
        self._stopped = True
        raise TurnLimitError(f"stopped after {value} {what}; ask the session to go on, and it will")

    async def _refusal(self, call: Call, call_id: str) -> str | None:
        """Return why the call may not run; None when it may."""
        ruling = (await self.policy()).rule_on(call)
        match ruling.verdict:
            case "allow":
                return None
            case "deny":
                return f"This call is not allowed: {ruling.why}."
        resolution = await self.approvals.ask(call_id, call, ruling.why)
        if resolution.decision == "reject":
            return "The user rejected this call." + (f" Reason: {resolution.reason}" if resolution.reason else "")
        if resolution.decision != "once":
            await self.grant(resolution.decision, call.tool)
            await self._approve_what_is_allowed_now()
        ruling = (await self.policy()).rule_on(call)  # a rule may have come meanwhile
        return f"This call is not allowed: {ruling.why}." if ruling.verdict == "deny" else None

    async def _approve_what_is_allowed_now(self) -> None:
        policy = await self.policy()
        for approval in self.approvals.open:
            if policy.rule_on(approval.call).verdict == "allow":
                with suppress(ApprovalNotOpenError):  # resolved meanwhile
                    self.approvals.resolve(approval.id, "once")


async def _called(handler: Any, args: dict[str, Any]) -> ToolReturn[Any]:
    """Call a tool; return its result as the model reads it."""
    try:
        return await as_read(await handler(args))
    except (ToolFailed, ToolFailedError, ToolRetryError, ModelRetry):
        raise
    except BaseException as error:  # a tool may end neither the turn nor the kernel
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise  # the turn's own
        raise ToolFailed(words_of(error)) from error


def _heard(running: asyncio.Future[Any]) -> None:
    """Let a call end that nobody waits for any more: what it raises is not logged."""
    if not running.cancelled():
        running.exception()


def is_read_only(tool_def: ToolDefinition) -> bool:
    """Say whether a tool was marked as one that only reads: by us, or by its MCP server."""
    metadata = tool_def.metadata or {}
    return bool(metadata.get("read_only") or (metadata.get("annotations") or {}).get("readOnlyHint"))


def _to_be_read_twice(args: dict[str, Any]) -> dict[str, Any]:
    """Return arguments that a rule and then the tool can read: of an `Iterable` pydantic makes an iterator."""
    try:
        return {name: list(value) if isinstance(value, Iterator) else value for name, value in args.items()}
    except ValidationError as error:
        raise ToolFailed(words_of(error)) from error


def _defaults(tool_def: ToolDefinition) -> dict[str, Any]:
    """Return what a call means by leaving arguments out, so that a rule sees it."""
    properties = tool_def.parameters_json_schema.get("properties")
    described = properties.items() if isinstance(properties, dict) else ()  # a server may write anything
    return {name: about["default"] for name, about in described if isinstance(about, dict) and "default" in about}
