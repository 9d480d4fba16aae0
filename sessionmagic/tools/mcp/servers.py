"""MCP servers: started when a turn first needs them, kept for later turns, and stopped with the kernel.

Their connections belong to the loop thread of the process, whichever loop a turn runs on.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import NoThreadsError, ToolError
from sessionmagic.loop import loop_thread
from sessionmagic.tools.mcp.config import read_servers, server_config
from sessionmagic.tools.mcp.server import Server, on_loop_thread
from sessionmagic.words import suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from pydantic_ai.messages import BinaryContent
    from pydantic_ai.toolsets import AbstractToolset

    from sessionmagic.tools.mcp.config import ServerConfig
    from sessionmagic.tools.mcp.server import McpServer
    from sessionmagic.tools.questions import Questions

CLOSE_SECONDS = 8.0
"""How long `shutdown` waits for the servers to end."""


class McpServers:
    """The MCP servers whose tools turns offer. Thread-safe; its coroutines run on any loop.

    Args:
        show: Called with each image that a tool returns, in the context of the turn that called it.
    """

    def __init__(self, show: Callable[[BinaryContent], object] | None = None) -> None:
        self._show = show
        self._servers: dict[str, Server] = {}
        self._keepers: set[asyncio.Task[None]] = set()

    def none(self) -> McpServers:
        """Return no servers yet, whose images are shown in the same way."""
        return McpServers(self._show)

    @property
    def names(self) -> list[str]:
        """The servers' names, in the order in which they were added."""
        return list(self._servers)

    def add(self, name: str, config: Mapping[str, Any], *, fill: bool = True) -> None:
        """Add a server, whose tools are offered from the next turn on. It replaces a server with the same name.

        A command gets only those variables of the kernel's environment that it needs to run (such as ``HOME`` and
        ``PATH``), and the variables in `env`.

        Args:
            name: The name of the server. Its tools are offered as ``NAME__TOOL``.
            config: As in an ``mcpServers`` file: ``{"command", "args", "env", "cwd"}`` or ``{"url", "headers"}``.
            fill: Whether its variables are filled in.

        Raises `ToolError` when the configuration is invalid or MCP support is not installed.
        """
        self._add({name: server_config(name, config, fill=fill)})

    def load(self, path: str | Path) -> list[str]:
        """Add the servers of an ``mcpServers`` file, and return their names.

        Raises `ToolError`, without adding any, when the file cannot be used or MCP support is not installed.
        """
        configs = read_servers(path)
        self._add(configs)
        return list(configs)

    def _add(self, configs: Mapping[str, ServerConfig]) -> None:
        if find_spec("fastmcp") is None or find_spec("mcp") is None:
            raise ToolError('MCP servers need packages that are not installed; run `pip install "sessionmagic[mcp]"`')
        for name, config in configs.items():
            known = self._servers.get(name)
            if known is None or known.config != config:  # an unchanged server keeps running
                self._servers[name] = Server(name, config, self._keepers)
                if known is not None:
                    _call_on_loop_thread(known.stop)

    def remove(self, name: str) -> None:
        """Remove a server and stop it. Raises `ToolError` when no server has this name."""
        server = self._servers.pop(name, None)
        if server is None:
            advice = suggestion(name, self.names, "%agent tools lists them")
            raise ToolError(f"no MCP server named {name!r}{advice}")
        _call_on_loop_thread(server.stop)

    def listing(self) -> list[McpServer]:
        """Return all servers as a listing shows them, without asking them anything."""
        return [server.shown() for server in list(self._servers.values())]

    async def start(self, names: Collection[str]) -> list[tuple[McpServer, str]]:
        """Start the servers with these names, and wait up to `READY_SECONDS` for them.

        Returns each server, and the reason why it offers no tools; ``""`` if it offers tools.
        """
        servers = [self._servers[name] for name in names if name in self._servers]
        listed = await asyncio.gather(*(on_loop_thread(server.ready_tools()) for server in servers))
        return [(server.shown(), problem) for server, (_, problem) in zip(servers, listed, strict=True)]

    async def toolsets(
        self, questions: Questions, warn: Callable[[str], object], taken: Collection[str] = ()
    ) -> list[AbstractToolset[None]]:
        """Return the servers' tools and instructions for one turn.

        Waits up to `READY_SECONDS` for servers that do not answer.

        Every tool's name begins with its server's name, even if no other tool has the same name. So a rule for one
        server's tool never applies to the tool of another server, not even of one that is added later.

        Args:
            questions: Where the questions of servers are asked.
            warn: Called with a warning about each server that cannot be used or dies, and each tool that is left out.
            taken: The names of the turn's other tools.
        """
        servers = list(self._servers.values())
        if not servers:
            return []
        listed = await asyncio.gather(*(on_loop_thread(server.ready_tools()) for server in servers))
        used = set(taken)
        made: list[AbstractToolset[None]] = []
        for server, (tools, problem) in zip(servers, listed, strict=True):
            if problem:
                warn(f"the turn continues without MCP server {server.name!r}: {problem}")
            elif tools:
                from sessionmagic.tools.mcp.toolset import instructions_of_server, showing, toolset_of_server

                call = server.caller(questions)
                call = showing(call, self._show) if self._show else call
                made.append(toolset_of_server(server.name, tools, call, warn, used))
                made += instructions_of_server(server.name, server.instructions)
        return made

    async def close(self) -> None:
        """Stop all servers, and wait until their processes have ended. The next turn starts them again."""
        if self._keepers:
            await on_loop_thread(self._close())

    def shutdown(self, seconds: float = CLOSE_SECONDS) -> None:
        """Stop all servers as `close` does, from a thread without a running loop. Waits up to `seconds`."""
        if self._keepers:
            thread = loop_thread()
            with suppress(NoThreadsError, RuntimeError):  # the loop thread itself cannot wait
                thread.wait(thread.submit(self._close()), seconds)

    async def _close(self) -> None:
        for server in list(self._servers.values()):
            server.stop()
        if self._keepers:
            await asyncio.wait(set(self._keepers))


def _call_on_loop_thread(call: Callable[[], object]) -> None:
    loop_thread().loop.call_soon_threadsafe(call)
