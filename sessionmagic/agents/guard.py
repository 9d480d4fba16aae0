"""What stands between a model and a tool: permission, approval, limits, and results of bounded size."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.exceptions import ToolFailed, UserError
from pydantic_ai.messages import BinaryContent, ToolReturn
from pydantic_ai.models import Model
from pydantic_ai.tools import ToolDenied
from pydantic_core import to_json

from sessionmagic.agents.permissions import Call
from sessionmagic.events import ApprovalRequested, ApprovalResolved, LimitReached
from sessionmagic.exceptions import ApprovalNotOpenError, SessionIdleError, TurnLimitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic_ai.messages import ToolCallPart
    from pydantic_ai.tools import RunContext, ToolDefinition

    from sessionmagic.agents.permissions import Limits, Policy
    from sessionmagic.approvals import Approvals, Resolution
    from sessionmagic.events import Answer
    from sessionmagic.inbox import Inbox, Kind
    from sessionmagic.turn import EventLog

RESULT_LIMIT = 20_000
"""Characters of one tool's result that the model reads."""


@dataclass
class Guard(AbstractCapability[None]):
    """Lets each tool call of a turn run, asks for it, or refuses it; counts what the turn does.

    Args:
        policy: what decides over calls, read anew for each, so that a rule set in mid-turn holds.
        grant: writes a lasting answer to the session; awaited before the call runs.
    """

    log: EventLog
    approvals: Approvals
    inbox: Inbox
    policy: Callable[[], Awaitable[Policy]]
    grant: Callable[[Answer, str], Awaitable[None]]
    limits: Limits
    _waiting: dict[str, Call] = field(default_factory=dict)
    """Calls that wait for an answer, by the id of the question."""
    _requests: int = 0
    _calls: int = 0
    _latest: tuple[str, bytes] = ("", b"")
    _repeats: int = 0

    async def before_run(self, ctx: RunContext[None]) -> None:
        """Let what the user says meanwhile reach the run."""

        def send(text: str, kind: Kind) -> str:
            try:
                return ctx.enqueue(text, priority="asap" if kind == "steer" else "when_idle") or ""
            except UserError as error:  # the run has just ended
                raise SessionIdleError("the turn has just ended") from error

        self.inbox.open(send)

    async def before_model_request(self, ctx: Any, request_context: Any) -> Any:  # noqa: ARG002
        """Count a model request."""
        self._requests += 1
        if self._requests > self.limits.requests:
            self._stop("requests", self.limits.requests, "model requests")
        return request_context

    async def wrap_tool_execute(  # noqa: D102  pydantic-ai says it
        self,
        ctx: RunContext[None],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: dict[str, Any],
        handler: Any,
    ) -> Any:
        self._count(call.tool_name, args)
        refusal = await self._refusal(Call(call.tool_name, args, is_read_only(tool_def)), call.tool_call_id)
        if refusal is not None:
            return ToolDenied(refusal)
        began = time.monotonic()
        try:
            result = await handler(args)
        except (SystemExit, KeyboardInterrupt) as error:  # a tool may not end the kernel
            raise ToolFailed(_words(error)) from error
        result = result if isinstance(result, ToolReturn) else ToolReturn(await bounded(result))
        sees = isinstance(ctx.model, Model) and ctx.model.profile.get("supports_image_input", True)
        return replace(
            result,
            content=result.content if sees else None,
            metadata={**(result.metadata or {}), "seconds": time.monotonic() - began},
        )

    async def on_tool_execute_error(self, ctx: Any, *, error: Exception, **_: Any) -> Any:  # noqa: ARG002
        """Let the model see the error, and go on."""
        raise ToolFailed(_words(error)) from error

    def _count(self, tool: str, args: dict[str, Any]) -> None:
        self._calls += 1
        if self._calls > self.limits.tool_calls:
            self._stop("tool_calls", self.limits.tool_calls, "tool calls")
        this = (tool, to_json(args, fallback=repr))
        self._repeats = self._repeats + 1 if this == self._latest else 1
        self._latest = this
        if self._repeats >= self.limits.repeats:
            self._stop("repeated_call", self.limits.repeats, f"times the same call of {tool}")

    def _stop(self, which: str, value: int, what: str) -> None:
        self.log.emit(LimitReached, which=which, value=value)
        raise TurnLimitError(f"stopped after {value} {what}; ask the session to go on, and it will")

    async def _refusal(self, call: Call, call_id: str) -> str | None:
        """Return why the call may not run; None when it may."""
        decision = (await self.policy()).decide(call)
        match decision.verdict:
            case "allow":
                return None
            case "deny":
                return f"This call is not allowed: {decision.why}."
        resolution = await self._asked(call, call_id, decision.why)
        if resolution.answer == "reject":
            return "The user rejected this call." + (f" Reason: {resolution.reason}" if resolution.reason else "")
        if resolution.answer != "once":
            await self.grant(resolution.answer, call.tool)
            await self._answer_what_is_allowed_now()
        return None

    async def _asked(self, call: Call, call_id: str, why: str) -> Resolution:
        approval, answered = self.approvals.ask(call_id, call.tool, call.args, why)
        self._waiting[approval.id] = call
        self.log.emit(
            ApprovalRequested, approval_id=approval.id, call_id=call_id, tool=call.tool, args=dict(call.args), why=why
        )
        try:
            resolution = await answered
        finally:
            self.approvals.close(approval.id)
            del self._waiting[approval.id]
        self.log.emit(
            ApprovalResolved,
            approval_id=approval.id,
            call_id=call_id,
            decision=resolution.answer,
            reason=resolution.reason,
        )
        return resolution

    async def _answer_what_is_allowed_now(self) -> None:
        policy = await self.policy()
        for approval_id, call in list(self._waiting.items()):
            if policy.decide(call).verdict == "allow":
                with suppress(ApprovalNotOpenError):  # answered meanwhile
                    self.approvals.answer(approval_id, "once")


def is_read_only(tool_def: ToolDefinition) -> bool:
    """Say whether a tool was marked as one that only reads: by us, or by its MCP server."""
    metadata = tool_def.metadata or {}
    return bool(metadata.get("read_only") or (metadata.get("annotations") or {}).get("readOnlyHint"))


async def bounded(value: Any) -> Any:
    """Return a tool's result as the model reads it: text of bounded length, or an image as it is."""
    if value is None or isinstance(value, bool | int | float | BinaryContent):
        return value
    text = value if isinstance(value, str) else await asyncio.to_thread(_json, value)
    return cut(text)


def cut(text: str) -> str:
    """Cut a result in its middle, and say so."""
    if len(text) <= RESULT_LIMIT:
        return text
    half = RESULT_LIMIT // 2
    return f"{text[:half]}\n[cut: {len(text) - 2 * half:,} characters]\n{text[-half:]}"


def _json(value: Any) -> str:
    return to_json(value, fallback=repr).decode()


def _words(error: BaseException) -> str:
    return cut(f"{type(error).__name__}: {error}")
