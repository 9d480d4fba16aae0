"""Tool calls that wait for the user's decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from sessionmagic.conversation.events import ApprovalRequested, ApprovalResolved, Decision
from sessionmagic.exceptions import ApprovalNotOpenError, UsageError
from sessionmagic.tools.pending import Pending, new_id
from sessionmagic.tools.tool_code import refuse_tools

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sessionmagic.tools.call import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A tool call that waits for the user's decision."""

    id: str
    call_id: str
    call: Call
    why: str
    """Why the call needs approval."""
    preview: str = ""
    """What the call would do, where the tool can say it: a difference, or a command and its variables."""
    agent: str = ""
    """The agent that makes the call; empty for the one that the turn began with."""
    for_calls: tuple[str, ...] = ()
    """For a sub-agent, the ids of the tool calls that it works for, the outermost first."""

    @property
    def tool(self) -> str:
        """The tool's name."""
        return self.call.tool

    @property
    def args(self) -> Mapping[str, Any]:
        """The arguments that will be used, and the defaults of those that the model left out; see `Call.shown`."""
        return self.call.shown


@dataclass(frozen=True, slots=True)
class Resolution:
    """The user's decision on a call. The model is told the reason of a rejection."""

    decision: Decision
    reason: str = ""


class Approvals(Pending[Approval, Resolution]):
    """The open approvals of one turn.

    Args:
        emit: Emits an event, as `EventLog.emit` does.
    """

    def __init__(self, emit: Callable[..., None]) -> None:
        super().__init__()
        self._emit = emit

    async def ask(self, call_id: str, call: Call, why: str, **about: Any) -> Resolution:
        """Return the user's decision on a call, once it is made. When the turn has ended, the call is rejected.

        `about` are the other fields of the `Approval`.
        """
        approval = Approval(id=new_id(), call_id=call_id, call=call, why=why, **about)
        return await self._answer(approval) or Resolution("reject")

    def resolve(self, approval_id: str, decision: Decision, reason: str = "") -> Approval:
        """Decide on the call of an open approval, and return that approval.

        Args:
            approval_id: The id of the approval.
            decision: The decision.
            reason: The reason of a rejection, for the model.

        Raises:
            ApprovalNotOpenError: No open approval has that id.
            UsageError: The decision is unknown.
            ToolError: The caller runs for a tool call.
        """
        refuse_tools("decide on a tool call")
        if decision not in get_args(Decision):
            raise UsageError(f"{decision!r} is not a decision; use one of {', '.join(get_args(Decision))}")
        approval = self._settle(approval_id, Resolution(decision, reason))
        if approval is None:
            raise ApprovalNotOpenError(
                f"approval {approval_id!r} is not open (it was resolved, or its turn has ended); %agent approve lists "
                f"those that are"
            )
        return approval

    def permit(self, approval_id: str) -> None:
        """Approve the call of an approval, if it is open, because a rule now allows it."""
        self._settle(approval_id, Resolution("once"))

    def _announce(self, asked: Approval) -> None:
        self._emit(
            ApprovalRequested,
            agent=asked.agent,
            for_calls=asked.for_calls,
            approval_id=asked.id,
            call_id=asked.call_id,
            tool=asked.tool,
            args=dict(asked.args),
            why=asked.why,
            preview=asked.preview,
        )

    def _announce_answer(self, asked: Approval, answer: Resolution | None) -> None:
        if answer is not None:  # without an answer the call was withdrawn, and its result says so
            self._emit(
                ApprovalResolved,
                agent=asked.agent,
                for_calls=asked.for_calls,
                approval_id=asked.id,
                call_id=asked.call_id,
                decision=answer.decision,
                reason=answer.reason,
            )
