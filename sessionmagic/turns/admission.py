"""Admit a turn: decide everything first, then write the override, the agent and the prompt in one atomic write.

The contract is that of docker-agent's ``SessionManager.RunSession``, kept in the way of its later rewrite: the model is
resolved before anything is stored, and nothing in memory changes before the write has succeeded.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.session import CRASHED, Session, TurnRecord, with_override
from sessionmagic.conversation.tree import (
    next_turn_id,
    running_turns,
    with_interrupted_turns,
    with_turn,
)
from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.keys.cleaning import messages_without_keys
from sessionmagic.keys.shapes import is_loaded
from sessionmagic.models.settings import for_model, given, ignored, merged
from sessionmagic.tools.functions import YOURS, offered, toolset_of
from sessionmagic.tools.permissions import Permissions
from sessionmagic.tools.trust import doubts, trusted, with_permissions
from sessionmagic.turns.event_log import EventLog
from sessionmagic.turns.history import history_before
from sessionmagic.turns.left_out import LeftOut
from sessionmagic.turns.place import notes_on, parent_for
from sessionmagic.turns.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic_ai.messages import UserContent
    from pydantic_ai.toolsets import AbstractToolset

    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.models.catalog import Models, ResolvedModel
    from sessionmagic.storage.store import Store
    from sessionmagic.tools.functions import Tool
    from sessionmagic.tools.permissions import Safety
    from sessionmagic.turns.group import Hold, TurnGroup
    from sessionmagic.turns.messages import Messages
    from sessionmagic.turns.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a turn will do, decided before anything is stored."""

    agent: AgentDefinition
    """The agent, with the instructions of the turn."""
    model: ResolvedModel
    """The model, with the settings of the turn."""
    settings: dict[str, Any]
    """The settings of the turn without those of the model, as they are stored."""
    tools: Sequence[Tool]
    """The functions that the turn offers, if the model can call tools."""
    toolset: AbstractToolset[None] | None
    """The functions in the form of pydantic-ai; None when there are none or the model cannot call tools."""
    warnings: list[str]
    previous: Session
    """The session before the turn."""
    override: str | None
    """The agent's override from this turn on."""

    @property
    def previous_override(self) -> str | None:
        """The agent's override before the turn."""
        return self.previous.agent_model_overrides.get(self.agent.name)

    @property
    def changes_override(self) -> bool:
        """Whether this turn changes the override."""
        return self.override != self.previous_override

    def with_override(self, session: Session) -> Session:
        """Return the session with the turn's override."""
        return with_override(session, self.agent.name, self.override) if self.changes_override else session

    def without_override(self, session: Session) -> Session:
        """Return the session with the override from before the turn.

        An override that was changed while the turn ran is kept.
        """
        if session.agent_model_overrides.get(self.agent.name) != self.override:
            return session
        before = self.previous.custom_models_used
        used = [ref for ref in session.custom_models_used if ref != self.override or ref in before]
        session = with_override(session, self.agent.name, self.previous_override)
        return replace(session, custom_models_used=used)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A turn that is on disk and about to run."""

    plan: Plan
    turn: Turn
    record: TurnRecord
    log: EventLog
    left_out: LeftOut
    hold: Hold
    content: str | Sequence[UserContent]
    history: Messages
    request: Request
    notes: Sequence[str]
    """Where the turn stands in its session, if that may surprise."""


def admit(request: Request, *, store: Store, models: Models, agent: AgentDefinition, hold: Hold) -> Admitted:
    """Plan the turn and store it in one atomic write. If this raises, nothing was stored.

    Blocks while it reads and writes files, so call it in a worker thread.
    """
    with hold.group.admitting:
        return _admit(request, store=store, models=models, agent=agent, hold=hold)


def _admit(request: Request, *, store: Store, models: Models, agent: AgentDefinition, hold: Hold) -> Admitted:
    from sessionmagic.turns.messages import content_of, prompt_message

    group = hold.group
    previous = _before(request, group, store)
    dead = running_turns(previous) if group.dead is None else group.dead
    previous = with_interrupted_turns(previous, dead)
    secret = store.known_secret()
    parent = parent_for(request, previous)
    plan = _plan(request, previous, parent, models, agent)
    history = history_before(previous, parent, plan.model)
    _, untrusted = trusted(previous, secret)
    plan = replace(plan, warnings=[*doubts(previous.name, untrusted), *history.warnings, *plan.warnings])
    content = content_of(request.prompt, request.attachments)
    messages = prompt_message(content)

    def change(session: Session) -> Session:
        session = with_interrupted_turns(session, dead)
        record = _new_record(request, plan, session, messages)
        return with_turn(plan.with_override(session), record, moves_head=request.moves_head)

    is_new = group.new
    session = _created(change(previous), store) if is_new else store.update(group.session_id, change)
    if group.dead is None:
        group.permissions, _ = trusted(session, secret)
    group.new, group.dead = False, dead
    record = session.turns[-1]
    if record.parent != parent:  # another turn of the group has just failed
        history = history_before(session, record.parent, plan.model)
    if not is_loaded():  # the history may have been stored by another process
        messages_without_keys(history.messages)
    left_out = LeftOut(sends_keys=request.send_keys)
    notes = notes_on(request, previous, record, new=is_new)
    log = EventLog(session.id, record.id, agent.name, left_out)
    return Admitted(
        plan=plan,
        turn=Turn(log, session.id, session.name, record.id, attended=request.attended),
        record=record,
        log=log,
        left_out=left_out,
        hold=hold,
        content=content,
        history=history.messages,
        request=request,
        notes=notes,
    )


def _created(session: Session, store: Store) -> Session:
    store.create(session)
    return session


def _before(request: Request, group: TurnGroup, store: Store) -> Session:
    """Return the session before the turn."""
    if group.new:
        return fresh_session(group.session_id, request.session, request.safety, store, notebook=request.notebook)
    return store.load(group.session_id)


def _new_record(request: Request, plan: Plan, session: Session, messages: Messages) -> TurnRecord:
    """Return the record of the turn. Its id and parent depend on `session` as it is on disk when it is written."""
    return TurnRecord(
        id=next_turn_id(session),
        parent=parent_for(request, session),
        agent=plan.agent.name,
        model=plan.model.reference,
        prompt=request.prompt,
        values=list(request.values),
        settings=plan.settings,
        system=plan.agent.instructions,
        messages=messages,
        started_at=time.time(),
        cell_id=request.cell.id if request.cell else None,
        notebook=request.notebook,
    )


def _plan(request: Request, session: Session, parent: str | None, models: Models, agent: AgentDefinition) -> Plan:
    stored = session.agent_model_overrides.get(agent.name)
    override = stored
    if request.model and not request.once:
        override = None if request.model == "default" else request.model
    default = agent.model or models.default
    warnings = _warnings_of_parent(session, parent)
    try:
        wanted = {"": stored or default, "default": default}.get(request.model, request.model)
        model = models.resolve(wanted)
    except ModelReferenceError as error:
        if request.model:
            raise
        if not stored:
            raise ModelReferenceError(f"no --model was given, and the default cannot be used: {error}") from error
        warnings += [f"the session's model cannot be used, so {default} answers this turn: {error}"]
        model = models.resolve(default)
    tools = offered(request.tools)
    settings = merged(agent.settings, session.settings, request.settings)
    system = (session.system or agent.instructions) if request.system is None else request.system
    return Plan(
        agent=replace(agent, instructions=system),
        model=replace(model, settings=for_model(model.model, model.settings, settings)),
        settings=given(settings),
        tools=tools,
        toolset=_toolset(tools, model),
        warnings=[
            *warnings,
            *model.warnings,
            *_left_out(tools, model),
            *_ignored_settings(settings, model, session, parent),
        ],
        previous=session,
        override=override,
    )


def _toolset(tools: Sequence[Tool], model: ResolvedModel) -> AbstractToolset[None] | None:
    # Built also for a model that cannot call tools, so that a bad function is an error whatever model is asked.
    toolset = toolset_of(tools) if tools else None
    return toolset if model.takes_tools else None


def _left_out(tools: Sequence[Tool], model: ResolvedModel) -> list[str]:
    """Return a warning that names the user's functions, if the model cannot call them."""
    names = ", ".join(tool.name for tool in tools if tool.source == YOURS)
    if not names or model.takes_tools:
        return []
    return [f"{model.reference} cannot call tools, so it is not offered {names}"]


def _ignored_settings(
    settings: Mapping[str, Any], model: ResolvedModel, session: Session, parent: str | None
) -> list[str]:
    """Return a warning that names the settings that the model ignores, unless the turn before had the same."""
    names = ignored(model.model, model.settings, settings)
    if parent is not None and (before := session.turn(parent)).model == model.reference:
        names = names if any(before.settings.get(name) != settings[name] for name in names) else []
    return [ignored_warning(model.reference, names)] if names else []


def ignored_warning(reference: str, names: Sequence[str]) -> str:
    """Return the warning that a model ignores these settings."""
    return f"{reference} ignores {', '.join(names)}: its library does not send {'it' if len(names) == 1 else 'them'}"


def _warnings_of_parent(session: Session, parent: str | None) -> list[str]:
    """Return a warning if the turn that the new one continues was running when its process ended."""
    if parent is None or session.turn(parent).error_code != CRASHED:
        return []
    return [f"turn {parent} was cut off when its process ended; it stays in the history"]


def fresh_session(session_id: str, name: str, safety: Safety, store: Store, *, notebook: str = "") -> Session:
    """Return a new session without turns. It is not stored yet."""
    now = time.time()
    fresh = Session(
        id=session_id, name=name, created_at=now, updated_at=now, working_dir=str(Path.cwd()), notebook=notebook
    )
    return fresh if safety == fresh.safety else with_permissions(fresh, Permissions({}, safety), store.secret())
