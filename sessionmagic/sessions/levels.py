"""Where the settings and the instructions of a session's next turn come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.conversation.session import Session
    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.sessions.stored import Sessions


@dataclass(frozen=True, slots=True)
class InForce:
    """A setting of the next turn, or its instructions."""

    setting: str
    value: object
    level: str
    """Where it comes from: ``session``, ``agent NAME``, ``model NAME``, ``kernel``, or a file."""


def in_force(sessions: Sessions, session: Session) -> list[InForce]:
    """Return the settings and instructions that the next turn of a session has, unless it is given others.

    Raises `UnknownAgentError` and `AgentsFileError`.
    """
    agent, model = sessions.agent_of(session), sessions.next_model(session)
    return [*_settings(session, agent, model), *_instructions(session, agent)]


def _settings(session: Session, agent: AgentDefinition, model: ResolvedModel | None) -> Iterator[InForce]:
    """Yield the settings, each from the nearest level that has it. The members of an alloy may differ."""
    near = {name: InForce(name, value, f"agent {agent.name}") for name, value in agent.settings.items()}
    near |= {name: InForce(name, value, "session") for name, value in session.settings.items()}
    asked = model.each if model is not None else ()
    named = [
        InForce(name, value, f"model {each.reference}")
        for each in asked
        for name, value in each.named_settings.items()
        if name not in near
    ]
    kernel = [
        InForce(name, value, "kernel")
        for name, value in agent.kernel_settings.items()
        if name not in near and not (asked and all(name in each.named_settings for each in asked))
    ]
    once = {
        (each.setting, each.level): each for each in (*kernel, *named, *near.values())
    }  # an alloy may name one twice
    yield from (each for each in once.values() if each.value is not None)


def _instructions(session: Session, agent: AgentDefinition) -> Iterator[InForce]:
    for text, level in (
        (session.system, "session"),
        (agent.instructions, f"agent {agent.name}"),
        (agent.kernel_system, "kernel"),
    ):
        if text:
            yield InForce("system", text, level)
            break
    for source, text in agent.additions.items():
        yield InForce("system", text, source)
