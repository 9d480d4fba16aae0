"""Decide what another agent of a turn does: a sub-agent its task, or the one that takes the turn over."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.conversation.session import TurnRecord
from sessionmagic.conversation.sub_agents import caller_of
from sessionmagic.conversation.tree import next_turn_id, with_turn
from sessionmagic.models.replay_source import REPLAY
from sessionmagic.turns.agent_limits import accounts_of
from sessionmagic.turns.agent_request import understood
from sessionmagic.turns.colleagues import colleague
from sessionmagic.turns.history import History, history_before
from sessionmagic.turns.planning import plan_for

if TYPE_CHECKING:
    from typing import Any

    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.conversation.session import Session
    from sessionmagic.storage.store import Store
    from sessionmagic.turns.admitted import Admitted
    from sessionmagic.turns.planning import Plan
    from sessionmagic.turns.request import Request

OF_THE_FIRST: dict[str, Any] = {"model": "", "models": {}, "once": False, "settings": {}, "system": None}
"""What a request says only to the agent that is asked first."""


def begun(asking: Admitted, name: str, task: str, call_id: str, store: Store) -> Admitted:
    """Return the work of a sub-agent, whose turn is on disk then. Blocks while it reads and writes files.

    Args:
        asking: What the agent does that gives it the task.
        name: The sub-agent's name.
        task: The task.
        call_id: The tool call that it works for.
        store: Where its turn is stored.

    Raises the errors of `plan_for`, and `StoreError`.
    """
    from sessionmagic.turns.messages import prompt_message

    agent = colleague(asking.team, name)
    agent = replace(agent, readonly=agent.readonly or asking.plan.agent.readonly, handoffs={}, commands={})
    request = replace(asking.request, prompt=task, kind="ask", attachments=(), output_type=None, **OF_THE_FIRST)
    request = understood(request, agent).request
    session = store.load(asking.turn.session_id)
    plan = _planned(asking, request, replace(session, system="", settings={}), agent)
    record = TurnRecord(
        id="",  # it gets one when it is stored
        parent=None,
        agent=name,
        model=plan.model.reference,
        prompt=task,
        settings=plan.settings,
        system=plan.agent.instructions,
        messages=prompt_message(task),
        started_at=time.time(),
        notebook=asking.record.notebook,
        caller=caller_of(asking.record.id, call_id),
    )

    def change(session: Session) -> Session:
        return with_turn(session, replace(record, id=next_turn_id(session)), moves_head=False)

    return replace(
        asking,
        plan=plan,
        request=request,
        record=store.update(session.id, change).turns[-1],
        log=asking.log.within(name, call_id),
        content=task,
        history=History([], []),
        chain=(*asking.chain, asking.plan.agent.name),
    )


def next_to_answer(before: Admitted, name: str, store: Store) -> Admitted:
    """Return what an agent does to which a turn is handed over. Blocks while it reads files.

    A recording that answers in place of a model goes on to answer, so that no model is asked.

    Args:
        before: What the agent does that hands it over.
        name: The name of the other one.
        store: Where the session is stored.

    Raises the errors of `plan_for`, and `StoreError`.
    """
    agent = colleague(before.team, name)
    of_the_first, asked = OF_THE_FIRST, before.plan.model.reference
    if asked.startswith(f"{REPLAY}:"):
        of_the_first = OF_THE_FIRST | {"model": asked, "once": before.request.once}
    request = replace(before.request, **of_the_first)
    session = store.load(before.turn.session_id)
    plan = _planned(before, request, session, agent)
    parent = session.turn(before.record.id).parent
    history = history_before(session, parent, sees_images=plan.model.sees_images)
    return replace(before, plan=plan, request=request, history=history)


def _planned(before: Admitted, request: Request, session: Session, agent: AgentDefinition) -> Plan:
    """Return the plan of an agent, and open the accounts of its budgets."""
    means = replace(before.means, models=before.means.models.within(agent.names))
    plan = plan_for(request, session, None, agent, means)
    group = before.hold.group
    with group.admitting:
        for budget, account in zip(agent.budgets, accounts_of(session, agent), strict=True):
            group.agent_accounts.setdefault(budget.owner, account)
    return plan
