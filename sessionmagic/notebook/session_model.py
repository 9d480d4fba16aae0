"""The model of a session's next turns: what it is, what it can be, and how it is set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models.available import AUTO
from sessionmagic.models.replay_source import REPLAY, who_answers

if TYPE_CHECKING:
    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.conversation.session import Session
    from sessionmagic.notebook.context import NotebookContext

OFFERED = 30
"""How many references are offered at most. All others can be typed."""
DEFAULT = "default"


class SessionModel:
    """The model that an agent's next turns in a session ask; a `ModelChoice`.

    Args:
        context: The kernel's context.
        session: The session's name or id.
        agent: The agent's name; empty for the one that answers the session's next turn.
    """

    def __init__(self, context: NotebookContext, session: str, agent: str = "") -> None:
        self._context = context
        self._session = session
        self._agent = agent

    def offered(self) -> tuple[dict[str, str], str]:
        """Return what can be chosen, each reference by its label, and the reference that holds now."""
        from sessionmagic.sessions.choices import choices

        models, sessions = self._context.models, self._context.manager.sessions
        session = sessions.load(self._session)
        agent = sessions.agent_of(session, self._agent)
        override = session.agent_model_overrides.get(agent.name, DEFAULT)
        offers = choices(sessions, models, session, self._agent)
        usable = [offer.model for offer in offers if offer.model == override or self._is_usable(offer.model)]
        default = f"{DEFAULT} ({sessions.shown_model(None, agent)})"
        return {default: DEFAULT, **{each: each for each in usable[:OFFERED]}}, override

    def choose(self, reference: str) -> str:
        """Set the model from the next turn on, or clear it with ``"default"``. Return it in words, with warnings.

        Raises `ModelReferenceError`, and what `Sessions.agent_of` raises.
        """
        warnings = self._context.manager.sessions.set_model(self._session, reference, self._agent)
        return "\n".join([*(f"⚠ {warning}" for warning in warnings), self.line()])

    def line(self) -> str:
        """Return the model in words."""
        from sessionmagic.agents.definition import ASSISTANT

        sessions = self._context.manager.sessions
        session = sessions.load(self._session)
        agent = sessions.agent_of(session, self._agent)
        reference = sessions.shown_model(session.agent_model_overrides.get(agent.name), agent)
        default = "" if agent.name in session.agent_model_overrides else " (the default)"
        whose = session.name if agent.name == ASSISTANT else f"{session.name}, {agent.name}"
        answering = "" if reference.startswith(f"{REPLAY}:") else who_answers()
        meaning = self._meaning(session, agent, reference)
        return f"{whose}: {reference}{default}{meaning}{f'; {answering}' if answering else ''}"

    def _meaning(self, session: Session, agent: AgentDefinition, reference: str) -> str:
        """Return what the reference of an agent's model means, if it is a name, ``auto`` or an alloy that works."""
        if (named := agent.names.models.get(reference)) is not None:
            each = ": each model request goes to one of them, at random" if named.is_alloy else ""
            return f" ({named.meaning}{each})"
        is_several = "," in reference or reference == AUTO
        asked = self._context.manager.sessions.next_model(session) if is_several else None
        if asked is None or asked.reference != reference or not asked.members:
            return ""
        if reference == AUTO:
            return f" (here {asked.members[0].reference})"
        return f" (an alloy: each model request goes to one of {len(asked.members)}, at random)"

    def _is_usable(self, reference: str) -> bool:
        try:
            self._context.models.check(reference)
        except ModelReferenceError:
            return False
        return True
