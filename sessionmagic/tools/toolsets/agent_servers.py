"""The toolsets of the type ``mcp``: servers that an agents file names, for the agent that names them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import ToolError
from sessionmagic.models.clients import host_of
from sessionmagic.tools.call import is_marked_read_only
from sessionmagic.tools.mcp.config import model_name, name_prefix
from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pydantic_ai.tools import ToolDefinition
    from pydantic_ai.toolsets import AbstractToolset

    from sessionmagic.agents.toolsets import Toolset
    from sessionmagic.tools.mcp.servers import McpServers
    from sessionmagic.tools.questions import Questions
    from sessionmagic.tools.toolsets.surroundings import Surroundings

NAME_LENGTH = 64
TRANSPORTS = {"": None, "sse": "sse", "streamable": "http", "streamable-http": "http", "http": "http"}
"""docker-agent's names of transports, with ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentServer:
    """An MCP server that an agent is offered.

    Attributes:
        name: Its name. Its tools are called ``NAME__TOOL``.
        config: Its entry, as `McpServers.add` takes it, with its variables filled in.
        tools: The only tools that are offered, by the server's own names; empty for all.
    """

    name: str
    config: Mapping[str, Any] = field(repr=False)
    tools: Collection[str] = ()
    read_only: bool = False
    """Whether only tools are offered that it marks as read-only."""

    def offers(self, tool: ToolDefinition) -> bool:
        """Return whether one of its tools is offered."""
        named = not self.tools or tool.name in {model_name(self.name, each) for each in self.tools}
        return named and (not self.read_only or is_marked_read_only(tool.metadata))


def server_of(toolset: Toolset, surroundings: Surroundings) -> AgentServer:
    """Return the server of a toolset.

    Args:
        toolset: The toolset, with its variables filled in.
        surroundings: Where a command runs, and what may be offered.

    Raises `ToolError` for a transport that is not known.
    """
    config: dict[str, Any]
    if toolset.remote:
        if toolset.remote.transport_type not in TRANSPORTS:
            kind = shortened(printable(toolset.remote.transport_type))
            raise ToolError(f"{kind!r} is not a transport of MCP servers; use sse or streamable")
        config = {"url": toolset.remote.url, "headers": toolset.remote.headers}
        if transport := TRANSPORTS[toolset.remote.transport_type]:
            config["type"] = transport
    else:
        config = {"command": toolset.command, "args": list(toolset.args), "env": dict(toolset.env)}
        config["cwd"] = str(surroundings.directory)
    return AgentServer(
        name=_name_of(toolset),
        config=config,
        tools=toolset.tools,
        read_only=surroundings.read_only,
    )


def _name_of(toolset: Toolset) -> str:
    host = host_of(toolset.remote.url) if toolset.remote else ""
    found = toolset.name or host or PurePath(toolset.command).stem or "server"
    return re.sub(r"[^\w@./ -]", "-", found)[:NAME_LENGTH]


async def offered_by(
    servers: McpServers,
    wanted: Sequence[AgentServer],
    questions: Questions,
    warn: Callable[[str], object],
    taken: Collection[str] = (),
) -> list[AbstractToolset[None]]:
    """Return what an agent's servers offer it in one turn, as `McpServers.toolsets` does.

    Args:
        servers: Holds the servers of this agent and no others. Those that are missing are added.
        wanted: The servers.
        questions: Where the questions of servers are asked.
        warn: Called with a warning about each server that cannot be used or dies, and each tool that is left out.
        taken: The names of the turn's other tools.
    """
    for each in wanted:
        servers.add(each.name, each.config, fill=False)
    by_prefix = {name_prefix(each.name): each for each in wanted}

    def offers(_: object, tool: ToolDefinition) -> bool:
        server = next((each for prefix, each in by_prefix.items() if tool.name.startswith(prefix)), None)
        return server is not None and server.offers(tool)

    return [each.filtered(offers) for each in await servers.toolsets(questions, warn, taken)]
