"""What an agent gets of its toolsets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sessionmagic.tools.functions import Tool
    from sessionmagic.tools.toolsets.agent_servers import AgentServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What an agent gets of its toolsets."""

    tools: tuple[Tool, ...] = ()
    servers: tuple[AgentServer, ...] = ()
    """The MCP servers whose tools `agent_servers.offered_by` offers."""
    instructions: tuple[str, ...] = ()
    """What the toolsets add to the agent's instructions."""
    warnings: tuple[str, ...] = ()
    """What is not offered, and why."""
    owner: tuple[str, str] = ("", "")
    """The agent's file, and its name."""


NOTHING = Made()
