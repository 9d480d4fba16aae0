"""Which agents there are to answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionmagic.exceptions import UnknownAgentError
from sessionmagic.words import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDefinition:
    """An agent: its name, what it is told, and the model it asks when the session has no override."""

    name: str
    instructions: str = ""
    model: str | None = None


BUILT_IN = {"assistant": AgentDefinition(name="assistant")}


def find_agent(agents: Mapping[str, AgentDefinition], name: str) -> AgentDefinition:
    """Return the agent of that name, or the first one for ``""``; raises `UnknownAgentError`."""
    if not name:
        return next(iter(agents.values()))
    if name not in agents:
        hint = did_you_mean(name, agents) or f" There is {', '.join(agents)}"
        raise UnknownAgentError(f"no agent {name!r}.{hint}")
    return agents[name]
