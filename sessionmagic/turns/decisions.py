"""Whether a tool call may run: the rules say so, or the user is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sessionmagic.conversation.events import Decision
    from sessionmagic.tools.approvals import Approvals, Resolution
    from sessionmagic.tools.call import Call
    from sessionmagic.tools.permissions import Policy, Ruling


@dataclass
class Decisions:
    """Decides on the tool calls of an agent at work.

    Args:
        agent: The name of the agent whose calls these are.
        approvals: Holds the calls that wait for a decision.
        policy: Returns what decides over tool calls. It is called for each one, so that a rule that the user sets while
            the turn runs applies to the next call.
        grant: Makes a decision last, and approves the waiting calls that it allows, also those of the other turns of
            the group. It is awaited before the call runs.
        for_calls: For a sub-agent, the ids of the tool calls that it works for, the outermost first.
    """

    agent: str
    approvals: Approvals
    policy: Callable[[], Policy]
    grant: Callable[[Decision, str], Awaitable[None]]
    for_calls: tuple[str, ...] = ()
    made: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the user has decided on each call, and why it needed a decision, by call id."""
    asking: int = 0
    """How many calls wait for the user's decision."""

    def may_allow(self, tool: str) -> bool:
        """Return whether a call of the tool may run, with some arguments or if the user is asked."""
        return not self.policy().never_allows(tool)

    async def refusal(self, call: Call, call_id: str, preview: Callable[[], Awaitable[str]]) -> str | None:
        """Return what the model is told about a call that may not run; return None if it may run.

        Args:
            call: The call as the rules see it.
            call_id: Its id.
            preview: Returns what the call would do. It is awaited if the user is asked.
        """
        ruling = self.policy().rule_on(call)
        if ruling.verdict != "ask":
            return _denial(ruling)
        resolution = await self._asked_user(call_id, call, ruling.why, await preview())
        self.made[call_id] = {"decision": resolution.decision, "why": ruling.why}
        if resolution.decision == "reject":
            return "The user rejected this call." + (f" Reason: {resolution.reason}" if resolution.reason else "")
        if resolution.decision != "once":
            await self.grant(resolution.decision, call.tool)
        return self.denial(call)  # a deny rule may have been set while the call waited

    def denial(self, call: Call) -> str | None:
        """Return what the model is told about a call that rules or the safety mode deny; None for all others."""
        return _denial(self.policy().rule_on(call))

    async def _asked_user(self, call_id: str, call: Call, why: str, preview: str) -> Resolution:
        self.asking += 1
        try:
            return await self.approvals.ask(
                call_id, call, why, preview=preview, agent=self.agent, for_calls=self.for_calls
            )
        finally:
            self.asking -= 1

    def approve_allowed_calls(self) -> None:
        """Approve the waiting calls that the session's rules now allow."""
        policy = self.policy()
        for approval in self.approvals.open:
            if approval.for_calls == self.for_calls and policy.rule_on(approval.call).verdict == "allow":
                self.approvals.permit(approval.id)


def _denial(ruling: Ruling) -> str | None:
    return f"This call is not allowed: {ruling.why}." if ruling.verdict == "deny" else None
