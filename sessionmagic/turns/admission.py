"""Admit a turn: decide everything first, then write the override, the agent and the prompt in one atomic write.

The contract is that of docker-agent's ``SessionManager.RunSession``, kept in the way of its later rewrite: the model is
resolved before anything is stored, and nothing in memory changes before the write has succeeded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sessionmagic.conversation.session import Session, TurnRecord, title_of
from sessionmagic.conversation.tree import (
    running_turns,
    with_interrupted_turns,
    with_turn,
)
from sessionmagic.storage.locks import untold
from sessionmagic.tools.trust import doubts, trusted
from sessionmagic.turns.account import account_of
from sessionmagic.turns.admitted import Admitted
from sessionmagic.turns.agent_limits import accounts_of, budget_warnings
from sessionmagic.turns.agent_request import told_at_beginning, understood, with_models
from sessionmagic.turns.colleagues import team_facts
from sessionmagic.turns.compaction_request import content_for, cut_for
from sessionmagic.turns.event_log import EventLog
from sessionmagic.turns.history import history_before
from sessionmagic.turns.left_out import LeftOut
from sessionmagic.turns.means import Means
from sessionmagic.turns.place import agent_before_handover, note_on_new, note_on_reused, notes_on, parent_for
from sessionmagic.turns.planning import plan_for
from sessionmagic.turns.proposing import require_plan
from sessionmagic.turns.records import fresh_session, new_record
from sessionmagic.turns.turn import Turn

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Sequence

    from pydantic_ai.messages import UserContent

    from sessionmagic.agents.known import Agents
    from sessionmagic.models.catalog import Models
    from sessionmagic.storage.store import Store
    from sessionmagic.turns.account import Account
    from sessionmagic.turns.agent_tools import AgentTools
    from sessionmagic.turns.colleagues import Team
    from sessionmagic.turns.cut import Cut
    from sessionmagic.turns.group import Hold, TurnGroup
    from sessionmagic.turns.history import History
    from sessionmagic.turns.planning import Plan
    from sessionmagic.turns.request import Request
    from sessionmagic.turns.reuse import ReusedTurn


class Admission:
    """Admits the turns of a manager.

    Args:
        store: The store of the sessions.
        models: The models that references can name.
        agents: The agents that answer.
        agent_tools: Makes the tools of their toolsets.
    """

    def __init__(self, store: Store, models: Models, agents: Agents, agent_tools: AgentTools) -> None:
        self._store = store
        self._models = models
        self._agents = agents
        self._agent_tools = agent_tools

    def admit(self, request: Request, hold: Hold) -> Admitted | ReusedTurn:
        """Plan the turn and store it in one atomic write, or find a stored turn to reuse.

        If this raises, nothing was stored. Blocks while it reads and writes files, so call it in a worker thread.
        """
        with hold.group.admitting:
            return self._admit(request, hold)

    def prepared(
        self,
        requests: Sequence[Request],
        group: TurnGroup,
        judge: str = "",
        *,
        loop: AbstractEventLoop | None = None,
    ) -> tuple[list[Request], list[tuple[str, str]]]:
        """Check the requests of a group that shall continue the same turn, and its judge, without storing anything.

        Returns them with that turn named, and what identifies the provider of each one's model. Raises what `admit`
        raises. Blocks while it reads files. The models are asked on `loop`.
        """
        from sessionmagic.conversation.tree import ROOT

        previous = _before(requests[0], group, self._store)
        previous = with_interrupted_turns(previous, running_turns(previous))
        account = account_of(previous)
        parent = parent_for(requests[0], previous)
        agent = self._agents.answering(requests[0].agent, previous.current_agent, previous.agents_source)
        models = self._models.within(agent.names)
        providers = []
        for each in requests:
            if each.model not in {"", "default", *group.resolved}:
                group.resolved[each.model] = models.resolve(each.model, loop)
            asked = understood(each, agent).request
            means = Means(models, self._agent_tools, group.resolved, loop)
            model = plan_for(asked, previous, parent, agent, means).model
            budget_warnings(each, model, account, *accounts_of(previous, agent))
            providers.append(model.provider)
        if judge:
            budget_warnings(requests[0], models.resolve(judge), account)
        return [replace(each, after=parent or ROOT) for each in requests], providers

    def _admit(self, request: Request, hold: Hold) -> Admitted | ReusedTurn:
        from sessionmagic.turns.reuse import reusable

        planned = self._planned(request, hold)
        if request.reuse and (stored := reusable(planned.previous, planned.parent, planned.fingerprint)) is not None:
            return _reused(stored, planned, self._store, hold.group)
        decided = _decided(planned, self._store, hold.group)
        session = _written(decided, self._store, hold.group)
        if request.model:
            self._models.cooldowns.clear(planned.plan.agent.name)  # what the user has chosen is asked
        return _admitted(decided, session, hold)

    def _planned(self, request: Request, hold: Hold) -> _Planned:
        """Decide what is asked, and after which turn. Raises the errors of the request."""
        from sessionmagic.turns.reuse import fingerprint

        group = hold.group
        before = _before(request, group, self._store)
        dead = running_turns(before) if group.dead is None else group.dead
        previous = with_interrupted_turns(before, dead)
        parent = parent_for(request, previous)
        if request.kind == "go":
            require_plan(previous, parent)
        current = agent_before_handover(request, previous) or previous.current_agent
        agent = self._agents.answering(request.agent, current, previous.agents_source)
        request, others = with_models(request, agent, self._agents, self._models)
        asked = understood(request, agent)
        request = asked.request
        means = Means(self._models.within(agent.names), self._agent_tools, group.resolved, hold.loop)
        plan = plan_for(request, previous, parent, agent, means)
        plan = replace(plan, others=others, warnings=[*asked.warnings, *plan.warnings])
        content, team = content_for(request), self._agents.team(agent)
        return _Planned(
            request=request,
            previous=previous,
            dead=dead,
            parent=parent,
            plan=plan,
            means=means,
            team=team,
            notes=asked.notes,
            content=content,
            fingerprint=fingerprint(
                plan,
                content,
                self._agent_tools.names(plan.made, common=not request.only_tools),
                request.output_type,
                team_facts(team, agent.name, plan.with_override(previous)),
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """What is asked, and after which turn."""

    request: Request
    previous: Session
    """The session before the turn, without dead turns."""
    dead: frozenset[str]
    parent: str | None
    plan: Plan
    means: Means
    team: Team
    notes: tuple[str, ...]
    """What is to be known of the prompt."""
    content: str | Sequence[UserContent]
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decided:
    """All that is decided before a turn is stored."""

    planned: _Planned
    plan: Plan
    """The plan with all warnings."""
    history: History
    cut: Cut | None
    account: Account
    secret: bytes | None
    """What shows that the user has set the session's permissions, if there is such a secret yet."""


def _decided(planned: _Planned, store: Store, group: TurnGroup) -> _Decided:
    """Decide what is sent, and whether it may be paid. Raises `UsageError` and `StoreError`."""
    request, previous, plan = planned.request, planned.previous, planned.plan
    history = history_before(previous, planned.parent, sees_images=plan.model.sees_images)
    secret = store.known_secret()
    _, untrusted = trusted(previous, secret)
    account = account_of(previous) if group.dead is None else group.account
    for budget, own in zip(plan.agent.budgets, accounts_of(previous, plan.agent), strict=True):
        group.agent_accounts.setdefault(budget.owner, own)
    owned = [group.agent_accounts[budget.owner] for budget in plan.agent.budgets]
    over = budget_warnings(request, plan.model, account, *owned)
    warnings = [*untold(), *doubts(previous.name, untrusted), *history.warnings, *plan.warnings, *over]
    return _Decided(
        planned=planned,
        plan=replace(plan, warnings=warnings),
        history=history,
        cut=cut_for(request, previous, history, plan.model),
        account=account,
        secret=secret,
    )


def _written(decided: _Decided, store: Store, group: TurnGroup) -> Session:
    """Write override, agent, prompt and turn at once, then change the group; return the session, the turn last."""
    from sessionmagic.turns.messages import prompt_message

    planned, plan = decided.planned, decided.plan
    request = planned.request
    messages = prompt_message(planned.content)
    is_new = group.new
    names = store.names() if is_new else []

    def change(session: Session) -> Session:
        session = with_interrupted_turns(session, planned.dead)
        record = new_record(request, plan, session, messages, decided.cut)
        notes = [note_on_new(request, record, names)] if is_new else notes_on(request, planned.previous, record)
        notes = [*(told_at_beginning(plan.agent) if is_new else ()), *planned.notes, *notes]
        session = _with_budget(plan.with_override(session), request)
        session = replace(session, title=session.title or title_of(request.typed or request.prompt))
        record = replace(record, notes=notes, fingerprint=planned.fingerprint)
        if request.moves_head or not session.current_agent:
            session = replace(session, agents_source=plan.agent.source)
        return with_turn(session, record, moves_head=request.moves_head)

    session = _created(change(planned.previous), store) if is_new else store.update(group.session_id, change)
    if group.dead is None:
        group.permissions, _ = trusted(session, decided.secret)
        group.account = decided.account
    group.account.budget = session.budget
    group.new, group.dead = False, planned.dead
    return session


def _admitted(decided: _Decided, session: Session, hold: Hold) -> Admitted:
    """Return the turn that was stored last as one that is about to run."""
    planned, history = decided.planned, decided.history
    request, record = planned.request, session.turns[-1]
    if record.parent != planned.parent:  # another turn of the group has just failed
        history = history_before(session, record.parent, sees_images=decided.plan.model.sees_images)
    left_out = LeftOut(sends_keys=request.send_keys)
    log = EventLog(session.id, record.id, record.agent, left_out)
    turn = Turn(log, session, record, attended=request.attended)
    turn.commands = decided.plan.agent.commands
    if decided.cut is not None:
        turn.inbox.refuse(f"turn {turn.id} writes a summary and reads no messages; send it as a new prompt afterwards")
    return Admitted(
        plan=decided.plan,
        turn=turn,
        record=record,
        log=log,
        left_out=left_out,
        hold=hold,
        content=planned.content,
        history=history,
        cut=decided.cut,
        request=request,
        title=session.title,
        team=planned.team,
        means=planned.means,
    )


def _reused(turn: TurnRecord, planned: _Planned, store: Store, group: TurnGroup) -> ReusedTurn:
    """Return a stored turn as the requested one. The head and the override are what they would be after asking."""
    from sessionmagic.turns.reuse import ReusedTurn

    request = planned.request
    where = note_on_reused(planned.previous, turn) if request.moves_head else ""

    def change(session: Session) -> Session:
        session = _with_budget(planned.plan.with_override(session), request)
        return replace(session, head=turn.id, current_agent=turn.agent) if request.moves_head else session

    session = store.update(group.session_id, change)
    if group.dead is not None:  # other turns of the group may be running
        group.account.budget = session.budget
    return ReusedTurn(session, turn, where, request.output_type)


def _with_budget(session: Session, request: Request) -> Session:
    return session if request.budget is None else replace(session, budget=request.budget)


def _created(session: Session, store: Store) -> Session:
    store.create(session)
    return session


def _before(request: Request, group: TurnGroup, store: Store) -> Session:
    """Return the session before the turn."""
    if group.new:
        return fresh_session(group.session_id, request.session, request.safety, store, notebook=request.notebook)
    return store.load(group.session_id)
