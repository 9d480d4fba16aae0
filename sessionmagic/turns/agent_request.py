"""A request as the agent that answers understands it: its commands, and the form of its answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sessionmagic.agents.commands import doubt_about, expanded
from sessionmagic.agents.surroundings import AGENTS_MD
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.agents.known import Agents
    from sessionmagic.models.catalog import Models
    from sessionmagic.turns.request import Request

WELCOME_LENGTH = 1_000
"""Characters of a welcome that are shown."""


@dataclass(frozen=True, slots=True)
class Understood:
    """A request as an agent understands it."""

    request: Request
    notes: tuple[str, ...] = ()
    """Where its prompt comes from, if it was not typed."""
    warnings: tuple[str, ...] = ()


def understood(request: Request, agent: AgentDefinition) -> Understood:
    """Return the request with the prompt that its command stands for, and with the agent's form of answers.

    Raises `AgentsFileError` if that form is not valid.
    """
    if request.kind == "compaction":
        return Understood(request)
    changes: dict[str, Any] = {}
    prompt, command = expanded(request.prompt, agent.commands)
    if command:
        changes = {"prompt": prompt, "typed": request.typed or request.prompt}
    if request.output_type is None and agent.output is not None:
        from sessionmagic.turns.schema_type import SchemaType

        changes["output_type"] = SchemaType(agent.output.name, agent.output.schema)
    doubt = doubt_about(request.prompt, agent.commands)
    return Understood(
        replace(request, **changes) if changes else request,
        (f"/{shortened(command)} of {agent.name}",) if command else (),
        (doubt,) if doubt else (),
    )


def with_models(
    request: Request, agent: AgentDefinition, agents: Agents, models: Models
) -> tuple[Request, dict[str, str | None]]:
    """Return the request with the model that it gives the answering agent, and the overrides of other agents.

    Raises `UnknownAgentError` and `ModelReferenceError`.
    """
    others: dict[str, str | None] = {}
    for name, reference in request.models.items():
        if name == agent.name:
            request = replace(request, model=reference)
            continue
        other = agents.answering(name)
        if reference != "default":
            models.within(other.names).resolve(reference)
        others[name] = None if reference == "default" else reference
    return request, others


def told_at_beginning(agent: AgentDefinition) -> list[str]:
    """Return what the user is told when a session begins: the agent's welcome, and which project file is sent."""
    welcome = shortened(" ".join(agent.welcome.split()), WELCOME_LENGTH)
    joins = f"{AGENTS_MD} joins the instructions" if AGENTS_MD in agent.additions else ""
    return list(filter(None, [welcome, joins]))
