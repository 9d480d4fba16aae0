"""The definition of an agent, and the built-in agents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import UnknownAgentError
from sessionmagic.words import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Fallback:
    """What answers when an agent's model fails. Raises `ValueError` for a negative number.

    Attributes:
        models: The references of the models that are asked instead, in this order.
        retries: How often a model is asked again before the next one, if its provider failed for the moment.
        cooldown: Seconds for which a model that has failed is left out.
    """

    models: tuple[str, ...]
    retries: int = 2
    cooldown: float = 60.0

    def __post_init__(self) -> None:
        if self.retries < 0 or self.cooldown < 0:
            raise ValueError("retries and cooldown of a fallback cannot be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDefinition:
    """An agent: its name, its instructions, its model and its settings."""

    name: str
    instructions: str = ""
    model: str | None = None
    """The model reference for sessions without an override; None for the default model."""
    title_model: str | None = None
    """The reference of the model that makes titles; None for the model of the turn."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings of turns that have no others, by the names of `models.settings`."""
    fallback: Fallback | None = None
    """What answers when the model of a turn fails, whether it is the agent's own or an override."""


BUILT_IN = {"assistant": AgentDefinition(name="assistant")}


def find_agent(agents: Mapping[str, AgentDefinition], name: str) -> AgentDefinition:
    """Return the agent with that name, or the first agent when the name is empty; raises `UnknownAgentError`."""
    if not name:
        return next(iter(agents.values()))
    if name not in agents:
        advice = suggestion(name, agents, f"available agents: {', '.join(agents)}")
        raise UnknownAgentError(f"no agent named {name!r}{advice}")
    return agents[name]
