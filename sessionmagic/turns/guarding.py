"""The guard of an agent that works in a turn, with the rules, limits and accounts that hold for it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sessionmagic.loop import in_thread
from sessionmagic.tools.permissions import with_grant
from sessionmagic.turns.agent_limits import limits_of, policy_of
from sessionmagic.turns.counts import Counts
from sessionmagic.turns.decisions import Decisions
from sessionmagic.turns.fallback import chain_of
from sessionmagic.turns.guard import Guard
from sessionmagic.turns.inbox import Inbox
from sessionmagic.turns.rate_limits import RateLimits
from sessionmagic.turns.sent_content import SentContent
from sessionmagic.turns.session_permissions import change_permissions
from sessionmagic.turns.unasked import approve_everything, is_everything_approved

if TYPE_CHECKING:
    from sessionmagic.conversation.events import Decision
    from sessionmagic.storage.store import Store
    from sessionmagic.tools.permissions import Permissions, Policy
    from sessionmagic.turns.admitted import Admitted
    from sessionmagic.turns.model_requests import ModelRequests
    from sessionmagic.turns.run_history import RunHistory


def guard_of(admitted: Admitted, store: Store, requests: ModelRequests, history: RunHistory, counts: Counts) -> Guard:
    """Return the guard of an agent. Its rules are those of the turn's group, and grants of a tool are stored.

    Args:
        admitted: The turn, or the work of a sub-agent in it.
        store: Where grants are stored.
        requests: Records the model requests.
        history: The messages before those of the run.
        counts: What all agents of the turn have done.
    """
    turn, agent, request, group = admitted.turn, admitted.plan.agent, admitted.request, admitted.hold.group
    asks = admitted.cut is None
    hears = asks and not admitted.for_calls  # a summary and a sub-agent take no further messages

    async def grant(decision: Decision, tool: str) -> None:
        if decision == "all":
            approve_everything(group)
        else:
            change = partial(_with_grant, tool=tool)
            await in_thread(change_permissions, store, turn.session_id, change)
        group.recheck()

    def policy() -> Policy:
        return policy_of(
            group.permissions,
            agent,
            attended=request.attended,
            remedy=request.remedy,
            yes=request.yes,
            everything=is_everything_approved(group.session_id, group.permissions.safety),
        )

    emit = partial(admitted.log.emit, agent=agent.name)
    rate_limits = RateLimits(admitted.seconds, emit)
    return Guard(
        agent=agent.name,
        model=admitted.plan.model,
        emit=emit,
        requests=requests,
        inbox=turn.inbox if hears else Inbox(),
        decisions=Decisions(agent.name, turn.approvals, policy, grant, admitted.for_calls),
        counts=Counts(limits_of(request.limits, agent), emit, counts),
        keep_sent=(lambda _: None) if admitted.for_calls else turn.keep_sent,
        content=SentContent(admitted.left_out),
        accounts=admitted.accounts,
        rate_limits=rate_limits,
        history=history,
        output_type=request.output_type if asks else None,
        chain=chain_of(agent.name, admitted.plan.model, admitted.plan.fallback, emit, rate_limits),
    )


def _with_grant(permissions: Permissions, tool: str) -> Permissions:
    return replace(permissions, rules=with_grant(permissions.rules, tool))
