"""The stored sessions: found by name or id, looked at, and changed, whether a turn runs on them or not."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.agents.definition import find_agent
from sessionmagic.conversation.names import check_name
from sessionmagic.conversation.session import Session, with_override
from sessionmagic.conversation.tree import running_turns, with_interrupted_turns
from sessionmagic.exceptions import ModelReferenceError, SessionNotFoundError
from sessionmagic.storage.store import new_session_id
from sessionmagic.tools.permissions import with_rule, without_rule
from sessionmagic.turns.admission import fresh_session
from sessionmagic.words import did_you_mean, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.conversation.session import SessionSummary
    from sessionmagic.models.catalog import Models, ResolvedModel
    from sessionmagic.storage.store import Store
    from sessionmagic.tools.permissions import Safety, Verdict


class Sessions:
    """The sessions of a store, and what is done to them between turns and during one.

    Every method that takes a session takes its name or id, and raises `SessionNotFoundError` when there is none, and
    `StoreError`. Every change is a patch of what is on disk at that moment: all of it is made, or nothing.
    """

    def __init__(self, store: Store, models: Models, agents: Mapping[str, AgentDefinition]) -> None:
        self._store = store
        self._models = models
        self._agents = agents

    def id_of(self, session: str) -> str:
        """Return the id of a session."""
        session_id = self._store.find(session)
        if session_id is None:
            names = [summary.name for summary in self._store.summaries()[0]]
            hint = did_you_mean(session, names) or " A cell makes one, with %%agent --session"
            raise SessionNotFoundError(f"no session {shortened(session)!r}.{hint}")
        return session_id

    def load(self, session: str) -> Session:
        """Return a session. A turn that nobody runs any more is shown as what it is, interrupted."""
        stored = self._store.load(self.id_of(session))
        return stored if self._store.is_claimed(stored.id) else with_interrupted_turns(stored, running_turns(stored))

    def summaries(self) -> tuple[list[SessionSummary], list[str]]:
        """Return all sessions, the latest first, and a line about each file that could not be read.

        Their model is the one that the next turn asks; of an override that no longer resolves, it is
        ``unresolved (…)``. A turn that nobody runs any more is interrupted.
        """
        summaries, problems = self._store.summaries()
        usable = {reference: self._usable(reference) for reference in {summary.model for summary in summaries}}

        def now(summary: SessionSummary) -> SessionSummary:
            if summary.status == "running" and not self._store.is_claimed(summary.id):
                summary = replace(summary, status="interrupted")
            if summary.model is None:
                agent = self._agents.get(summary.agent)
                return replace(summary, model=(agent.model if agent else None) or self._models.default)
            return summary if usable[summary.model] else replace(summary, model=f"unresolved ({summary.model})")

        return sorted(map(now, summaries), key=lambda summary: summary.updated_at, reverse=True), problems

    def _usable(self, reference: str | None) -> bool:
        if reference is None:
            return True
        try:
            self._models.check(reference)
        except ModelReferenceError:
            return False
        return True

    def set_model(self, session: str, reference: str, agent: str = "") -> list[str]:
        """Set the session's model override from the next turn on; ``"default"`` clears it. Returns warnings.

        Raises `ModelReferenceError`, `UnknownAgentError`.
        """
        definition = find_agent(self._agents, agent)
        warnings = self._models.resolve(reference).warnings if reference != "default" else []
        override = None if reference == "default" else reference
        self._store.update(self.id_of(session), lambda stored: with_override(stored, definition.name, override))
        return warnings

    def next_model(self, session: Session | None) -> ResolvedModel | None:
        """Return the model that the session's next turn asks, or a new session's; None when none can be used."""
        agent = find_agent(self._agents, "")
        override = session.agent_model_overrides.get(agent.name) if session is not None else None
        for reference in filter(None, (override, agent.model or self._models.default)):
            with suppress(ModelReferenceError):
                return self._models.resolve(reference)
        return None

    def set_permissions(
        self,
        session: str,
        rules: Mapping[str, Verdict | None] | None = None,
        safety: Safety | None = None,
        *,
        new: bool = False,
    ) -> Session:
        """Change what the session does with tool calls, from the next call on.

        Args:
            session: name or id.
            rules: what is done with calls that match a pattern; None takes the rule away.
            safety: what is done with calls that no rule names.
            new: store a new session of that name, so that they hold from its first turn on.

        Raises `UsageError` for a pattern that names no tool, or a rule that is not there, and `SessionExistsError` for
        a new session whose name is taken.
        """

        def change(stored: Session) -> Session:
            changed = stored.permissions
            for pattern, verdict in (rules or {}).items():
                changed = with_rule(changed, verdict, pattern) if verdict else without_rule(changed, pattern)
            return replace(stored, permissions=changed, safety=safety or stored.safety)

        if not new:
            return self._store.update(self.id_of(session), change)
        check_name(session)
        created = change(fresh_session(new_session_id(), session, "balanced"))
        self._store.create(created)
        return created

    def rename(self, session: str, name: str) -> None:
        """Give the session another name; raises `SessionExistsError`, and `UsageError` for what is no name."""
        check_name(name)
        self._store.rename(self.id_of(session), name)

    def star(self, session: str, *, starred: bool = True) -> Session:
        """Mark the session, or take the mark away."""
        return self._store.update(self.id_of(session), lambda stored: replace(stored, starred=starred))
