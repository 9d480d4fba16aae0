"""MCP servers: started when a turn first needs them, kept over turns, ended with the kernel.

Their connections live on the process's loop thread, on whichever loop a turn runs.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import ToolError
from sessionmagic.loop import loop_thread
from sessionmagic.tools.mcp.config import read_servers, server_config
from sessionmagic.tools.mcp.server import Server, at_home
from sessionmagic.words import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from pydantic_ai.messages import BinaryContent
    from pydantic_ai.toolsets import AbstractToolset

    from sessionmagic.tools.mcp.config import ServerConfig
    from sessionmagic.tools.mcp.server import McpServer
    from sessionmagic.tools.questions import Questions

CLOSE_SECONDS = 8.0


class McpServers:
    """The servers whose tools turns offer. From any thread; its coroutines on any loop.

    Args:
        show: is given each picture that a tool returns, in the context of the turn that called it.
    """

    def __init__(self, show: Callable[[BinaryContent], object] | None = None) -> None:
        self._show = show
        self._servers: dict[str, Server] = {}
        self._keepers: set[asyncio.Task[None]] = set()

    @property
    def names(self) -> list[str]:
        """The servers' names, in the order in which they were added."""
        return list(self._servers)

    def add(self, name: str, config: Mapping[str, Any]) -> None:
        """Add a server, from the next turn on, in place of one of the same name.

        Args:
            name: under which its tools are offered: ``NAME__TOOL``.
            config: as in an ``mcpServers`` file: ``{"command", "args", "env", "cwd"}`` or ``{"url", "headers"}``.

        Of the kernel's environment, a command gets what it needs to run (``HOME``, ``PATH``…) and what `env` names.
        Raises `ToolError`.
        """
        self._take({name: server_config(name, config)})

    def load(self, path: str | Path) -> list[str]:
        """Add the servers of an ``mcpServers`` file, and return their names; with a `ToolError`, none was added."""
        configs = read_servers(path)
        self._take(configs)
        return list(configs)

    def _take(self, configs: Mapping[str, ServerConfig]) -> None:
        if find_spec("fastmcp") is None or find_spec("mcp") is None:
            raise ToolError('MCP servers need a library that is not here: pip install "sessionmagic[mcp]"')
        for name, config in configs.items():
            known = self._servers.get(name)
            if known is None or known.config != config:  # the same again goes on running
                self._servers[name] = Server(name, config, self._keepers)
                if known is not None:
                    _soon(known.stop)

    def remove(self, name: str) -> None:
        """Forget a server, and end it; raises `ToolError` when there is none of that name."""
        server = self._servers.pop(name, None)
        if server is None:
            raise ToolError(f"no MCP server {name!r}.{did_you_mean(name, self.names)}")
        _soon(server.stop)

    def listing(self) -> list[McpServer]:
        """Return all servers with their status, as far as it is known without asking them."""
        return [server.shown() for server in list(self._servers.values())]

    async def start(self, names: Collection[str]) -> list[tuple[McpServer, str]]:
        """Start the servers of these names, and return how each is after `READY_SECONDS` at most, and its problem."""
        servers = [self._servers[name] for name in names if name in self._servers]
        listed = await asyncio.gather(*(at_home(server.ready_tools()) for server in servers))
        return [(server.shown(), problem) for server, (_, problem) in zip(servers, listed, strict=True)]

    async def toolsets(
        self, questions: Questions, warn: Callable[[str], object], taken: Collection[str] = ()
    ) -> list[AbstractToolset[None]]:
        """Return the servers' tools for one turn, after `READY_SECONDS` at most.

        Every tool has its server's name before its own, whether or not it clashes: so a rule or an approval for one
        server's tool never comes to hold for another's, whatever servers are added later.

        Args:
            questions: where its calls may ask.
            warn: is told of each server that cannot be reached now, or dies in a call, and of tools left out.
            taken: names that other tools of the turn have.
        """
        servers = list(self._servers.values())
        if not servers:
            return []
        listed = await asyncio.gather(*(at_home(server.ready_tools()) for server in servers))
        used = set(taken)
        made: list[AbstractToolset[None]] = []
        for server, (tools, problem) in zip(servers, listed, strict=True):
            if problem:
                warn(f"the turn goes on without MCP server {server.name!r}: {problem}")
            elif tools:
                from sessionmagic.tools.mcp.toolset import showing, toolset_of_server

                call = server.caller(questions)
                call = showing(call, self._show) if self._show else call
                made.append(toolset_of_server(server.name, tools, call, warn, used))
        return made

    async def close(self) -> None:
        """End all servers, and wait until their processes are gone. The next turn starts them anew."""
        if self._keepers:
            await at_home(self._close())

    def shutdown(self, seconds: float = CLOSE_SECONDS) -> None:
        """Do what `close` does, from a thread without a loop, in that time at most."""
        if self._keepers:
            with suppress(TimeoutError, RuntimeError):  # on the loop thread itself nobody can wait
                loop_thread().submit(self._close()).result(seconds)

    async def _close(self) -> None:
        for server in list(self._servers.values()):
            server.stop()
        if self._keepers:
            await asyncio.wait(set(self._keepers))


def _soon(call: Callable[[], object]) -> None:
    loop_thread().loop.call_soon_threadsafe(call)
