"""What the agent that answers changes in what a turn may do: its rules, its safety mode, its limits and its budgets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.usage import total
from sessionmagic.exceptions import TurnLimitError
from sessionmagic.tools.permissions import STRICTER, Limits, Policy, safety_of
from sessionmagic.turns.account import KERNEL, Account
from sessionmagic.words import typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionmagic.agents.definition import AgentDefinition, OwnBudget
    from sessionmagic.conversation.session import Session
    from sessionmagic.conversation.usage import RequestRecord
    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.tools.permissions import Permissions, Safety
    from sessionmagic.turns.request import Request


def policy_of(permissions: Permissions, agent: AgentDefinition, **asking: Any) -> Policy:
    """Return what decides over the tool calls of a turn.

    Args:
        permissions: What the session permits.
        agent: The agent that answers.
        asking: Who can approve calls, and what was approved: the other fields of `Policy`.
    """
    return Policy(
        session=permissions.rules,
        file=dict(agent.rules),
        safety=safety_with(agent, permissions.safety),
        readonly=agent.readonly,
        **asking,
    )


def safety_with(agent: AgentDefinition, held: Safety) -> Safety:
    """Return the safety mode of an agent in a session with the mode `held`: the stricter one.

    An agent that the user lets be autonomous is so where the session has the usual mode.
    """
    if not agent.safety:
        return held
    own = safety_of(agent.safety)
    is_free = own == "autonomous" and held == "balanced"
    return own if is_free or own in STRICTER.get(held, ()) else held


def limits_of(limits: Limits | None, agent: AgentDefinition) -> Limits:
    """Return how much a turn may do: what its request says, and no more than its agent may."""
    limits = limits or Limits()
    most = agent.max_requests
    return limits if most is None or most >= limits.requests else replace(limits, requests=most)


def accounts_of(session: Session, agent: AgentDefinition) -> list[Account]:
    """Return the accounts of the budgets that hold for an agent, with what its session has used of them."""
    return [
        Account(
            f"{budget.owner} in session {session.name!r}",
            f"its agents file sets it; %agent fork {typed(session.name)} begins a session with nothing spent",
            budget=budget.limit.max_cost,
            tokens=budget.limit.max_tokens,
            used=total(record.usage for record in _requests(session, budget)),
        )
        for budget in agent.budgets
    ]


def budget_warnings(request: Request, model: ResolvedModel, account: Account, *others: Account) -> list[str]:
    """Return a warning for each budget that requests of unknown cost have touched.

    Raises `UsageError` if there is a budget, and what the model costs is not known.

    Args:
        request: What is asked, perhaps with a new budget of the session.
        model: The model that is asked.
        account: The account of the session.
        others: The accounts of the agent's budgets.
    """
    from sessionmagic.turns.charged_model import require_price

    require_price(model, account, request.budget)
    for each in (*others, KERNEL):
        require_price(model, each)
    return [warning for each in (account, *others, KERNEL) if (warning := each.warning())]


def seconds_left(session: Session, agent: AgentDefinition) -> float | None:
    """Return how long the budgets of an agent still let it work; None if they do not say.

    Raises `TurnLimitError` if that is no time at all.
    """
    left = None
    for budget in agent.budgets:
        if (most := budget.limit.max_time) is None:
            continue
        rest = most - sum(record.seconds for record in _requests(session, budget))
        if rest <= 0:
            raise TurnLimitError(
                f"{budget.owner} in session {session.name!r} has used its {most:g} s; its agents file sets that"
            )
        left = rest if left is None else min(left, rest)
    return left


def _requests(session: Session, budget: OwnBudget) -> Iterator[RequestRecord]:
    for turn in session.turns:
        if not turn.origin:
            yield from (record for record in turn.requests if record.agent in budget.agents)
