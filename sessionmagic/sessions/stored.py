"""The stored sessions: how to find, list and change them, between turns and during a turn."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.names import check_name
from sessionmagic.conversation.session import Session, summarize, with_model, with_override
from sessionmagic.conversation.tree import running_turns, with_interrupted_turns
from sessionmagic.exceptions import (
    AgentsFileError,
    ModelReferenceError,
    SessionMagicError,
    SessionNotFoundError,
    UnknownAgentError,
)
from sessionmagic.models.settings import checked, given, merged
from sessionmagic.storage.store import new_session_id
from sessionmagic.tools.permissions import Permissions, with_rules, without_rule
from sessionmagic.tools.tool_code import refuse_tools
from sessionmagic.tools.trust import permissions_of, trusted, with_permissions
from sessionmagic.turns.planning import ignored_warnings
from sessionmagic.turns.records import fresh_session
from sessionmagic.turns.request import check_system
from sessionmagic.turns.session_permissions import change_permissions, confirm_permissions
from sessionmagic.turns.unasked import ask_again
from sessionmagic.words import shortened, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.agents.known import Agents
    from sessionmagic.conversation.session import SessionSummary
    from sessionmagic.models.catalog import Models
    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.storage.store import Store
    from sessionmagic.tools.permissions import Offers, Safety, Verdict
    from sessionmagic.turns.unwritten import UnwrittenEnds


class Sessions:
    """The sessions of a store.

    A session is given by its name or id. `SessionNotFoundError` is raised when there is no such session, and
    `StoreError` when the store cannot be read or written. Every change is atomic, and applies to the session that is
    on disk at that moment.

    Args:
        store: The store.
        models: The models that references can name.
        agents: The agents that answer.
        unwritten: The ends of turns that could not be stored yet; they are stored before sessions are shown.
    """

    def __init__(self, store: Store, models: Models, agents: Agents, unwritten: UnwrittenEnds) -> None:
        self._store = store
        self._unwritten = unwritten
        self._models = models
        self._agents = agents

    def id_of(self, session: str) -> str:
        """Return the id of the session with that name or id."""
        session_id = self._store.find(session)
        if session_id is None:
            names = [summary.name for summary in self._store.summaries()[0]]
            advice = suggestion(session, names, "%%agent --session creates one")
            raise SessionNotFoundError(f"no session named {shortened(session)!r}{advice}")
        return session_id

    def has(self, session: str) -> bool:
        """Return whether a session has that name or id."""
        return self._store.find(session) is not None

    def names(self) -> list[str]:
        """Return the names of all sessions."""
        return self._store.names()

    def load(self, session: str) -> Session:
        """Return a session. A turn whose process ended before it did is returned as interrupted.

        Its turns are shared with others who load it. Copy one (`copy.deepcopy`) before you change the lists in it.
        """
        self._unwritten.write_all()
        stored = self._store.load(self.id_of(session))
        return stored if self._store.is_claimed(stored.id) else with_interrupted_turns(stored, running_turns(stored))

    def summaries(self) -> tuple[list[SessionSummary], list[str]]:
        """Return the summaries of all sessions, latest first, and a line about each file that cannot be read.

        The model of each summary is the one that the next turn asks, or ``unresolved (REFERENCE)`` for an override
        that cannot be used. A turn whose process ended before it did is listed as interrupted.
        """
        self._unwritten.write_all()
        summaries, problems = self._store.summaries()
        agents = {
            key: self._agents.if_usable("", *key) for key in {(each.agent, each.agents_source) for each in summaries}
        }

        @cache
        def shown(agent: tuple[str, str], override: str | None) -> str:
            return self.shown_model(override, agents.get(agent))

        def current(summary: SessionSummary) -> SessionSummary:
            if summary.status == "running" and not self._store.is_claimed(summary.id):
                summary = replace(summary, status="interrupted")
                with suppress(SessionMagicError):  # its file may have been deleted or damaged in the meantime
                    summary = summarize(self.load(summary.id))  # with the request that was cut off
            model = shown((summary.agent, summary.agents_source), summary.model)
            return summary if model == summary.model else with_model(summary, model)

        return sorted(map(current, summaries), key=lambda summary: summary.updated_at, reverse=True), problems

    def shown_model(self, override: str | None, agent: AgentDefinition | None) -> str:
        """Return the reference that an agent's next turn asks, or ``unresolved (REFERENCE)`` for an override.

        Args:
            override: The agent's override in a session; None if it has none.
            agent: The agent; None if it is not known here.
        """
        if override is None:
            return (agent.model if agent else None) or self._models.default
        try:
            self.models_of(agent).check(override)
        except ModelReferenceError:
            return f"unresolved ({override})"
        return override

    def models_of(self, agent: AgentDefinition | None) -> Models:
        """Return the models that references of an agent can name."""
        return self._models if agent is None else self._models.within(agent.names)

    def agent_of(self, session: Session | None, name: str = "") -> AgentDefinition:
        """Return the named agent, else the one that answers the next turn of a session; None is a new session.

        Raises `UnknownAgentError` and `AgentsFileError`.
        """
        if session is None:
            return self._agents.answering(name)
        return self._agents.answering(name, session.current_agent, session.agents_source)

    def set_model(self, session: str, reference: str, agent: str = "") -> list[str]:
        """Set an agent's override in the session, or clear it with ``"default"``. Return warnings, one line each.

        A running turn keeps its model. Models that have failed the agent are asked again. Raises `ModelReferenceError`,
        and what `agent_of` raises.

        Args:
            session: Name or id.
            reference: The reference, or ``"default"``.
            agent: The name of the agent; empty for the one that answers the session's next turn.
        """
        session_id = self.id_of(session)
        definition = self.agent_of(self._store.load(session_id), agent)
        warnings = self.models_of(definition).resolve(reference).warnings if reference != "default" else []
        override = None if reference == "default" else reference
        self._store.update(session_id, lambda stored: with_override(stored, definition.name, override))
        self._models.cooldowns.clear(definition.name)
        return warnings

    def set_settings(
        self,
        session: str,
        settings: Mapping[str, Any] | None = None,
        system: str | None = None,
        *,
        clear: bool = False,
    ) -> list[str]:
        """Change the settings and the instructions of a session from the next turn on. Return warnings, one line each.

        Args:
            session: Name or id.
            settings: Settings of the model by name, such as ``temperature``. None as the value removes a setting.
            system: The instructions; ``""`` removes them, and None leaves them unchanged.
            clear: First remove all settings and the instructions.

        Raises `UsageError` when a setting or the instructions are not valid.
        """
        changed = checked(settings or {})
        check_system(system)
        session_id = self.id_of(session)
        warnings = self.ignored_by_next_model(self._store.load(session_id), changed)

        def change(stored: Session) -> Session:
            kept = ({}, "") if clear else (stored.settings, stored.system)
            return replace(
                stored, settings=given(merged(kept[0], changed)), system=kept[1] if system is None else system
            )

        self._store.update(session_id, change)
        return warnings

    def ignored_by_next_model(self, session: Session, settings: Mapping[str, Any]) -> list[str]:
        """Return a warning if the model that the next turn asks ignores some of these settings."""
        model = self.next_model(session) if given(settings) else None
        return ignored_warnings(model, lambda _: settings) if model is not None else []

    def next_model(self, session: Session | None) -> ResolvedModel | None:
        """Return the model that the next turn of a session asks; None when no model can be used.

        Args:
            session: The session, or None for a new session.
        """
        with suppress(AgentsFileError, UnknownAgentError):
            agent = self.agent_of(session)
            override = session.agent_model_overrides.get(agent.name) if session is not None else None
            for reference in filter(None, (override, agent.model or self._models.default)):
                with suppress(ModelReferenceError):
                    return self.models_of(agent).resolve(reference)
        return None

    def set_permissions(
        self,
        session: str,
        rules: Mapping[str, Verdict | None] | None = None,
        safety: Safety | None = None,
        *,
        tools: Offers | None = None,
        new: bool = False,
    ) -> Session:
        """Change what a session permits from the next tool call on, and return the session.

        Args:
            session: Name or id.
            rules: New verdicts by pattern. None as the verdict removes the rule.
            safety: The safety mode for calls that no rule covers; None leaves it unchanged. A mode takes back that
                everything was approved until this kernel ends.
            tools: Which tools its turns in notebooks offer, from the next one on: ``"none"``, ``"kernel"`` (also where
                ``AgentMagics.kernel_tools`` is False), or ``""`` for the usual ones. None leaves that unchanged.
            new: Create a session with that name, so that rules and safety mode hold from its first turn on.

        Raises:
            UsageError: A pattern names no tool, or a rule to remove does not exist.
            SessionExistsError: The name of the new session is taken.
            ToolError: The caller runs for a tool call.
        """
        refuse_tools("change permissions")

        changes = dict(rules or {})
        if new:
            check_name(session)

        def change(before: Permissions) -> Permissions:
            return Permissions(
                with_rules(before.rules, changes),
                safety or before.safety,
                before.tools if tools is None else tools,
            )

        stored = fresh_session(new_session_id(), session, "balanced", self._store) if new else self.load(session)
        for pattern in (pattern for pattern, verdict in changes.items() if verdict is None):
            without_rule(stored.permissions, pattern)  # raises if the rule does not exist
        if not new:
            changed = change_permissions(self._store, stored.id, change)
            if safety:
                ask_again(stored.id)
            return changed
        created = with_permissions(stored, change(permissions_of(stored)), self._store.secret())
        self._store.create(created)
        return created

    def confirm_permissions(self, session: str) -> Session:
        """Make all permissions in the session's file the user's own, as if set by a command, and return the session.

        Raises `ToolError` when the caller runs for a tool call.
        """
        refuse_tools("change permissions")
        return confirm_permissions(self._store, self.id_of(session))

    def trusted(self, session: Session) -> tuple[Permissions, list[str]]:
        """Return the permissions of a session that count, and in words those that the user has not set or confirmed."""
        return trusted(session, self._store.known_secret())

    def rename(self, session: str, name: str) -> None:
        """Give the session another name; raises `SessionExistsError`, and `UsageError` when the name is not valid."""
        check_name(name)
        self._store.rename(self.id_of(session), name)

    def star(self, session: str, *, starred: bool = True) -> Session:
        """Mark the session with a star, or remove its star."""
        return self._store.update(self.id_of(session), lambda stored: replace(stored, starred=starred))
