"""One MCP server: how it is, and what it offers, whichever of its processes runs."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from sessionmagic.exceptions import ToolError
from sessionmagic.loop import loop_thread
from sessionmagic.tools.mcp.config import model_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

    from mcp.types import Tool as ServerTool

    from sessionmagic.tools.mcp.config import ServerConfig
    from sessionmagic.tools.mcp.connection import Connection
    from sessionmagic.tools.questions import Questions

T = TypeVar("T")

READY_SECONDS = 10.0
"""How long turns wait for a server that does not answer; then they go on without it until it does."""
SILENT_SECONDS = 0.3
"""How long each turn after that waits for it."""
LIST_SECONDS = 5.0
"""How long a server that runs may take to list its tools, before it is started anew."""
NO_ANSWER = "it has not answered for {:.0f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer:
    """A server as a listing shows it."""

    name: str
    where: str
    """Its command or address, as written."""
    status: str
    """not started, starting, running, or failed: and why."""
    tools: dict[str, str]
    """As models know them, with what it says that they do; those of the last time that it was asked."""
    read_only: frozenset[str] = frozenset()
    """Those that it says only read."""
    arguments: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The names of each one's arguments."""


class Server:
    """A server, which may be started several times. Its coroutines and `stop` are the loop thread's."""

    def __init__(self, name: str, config: ServerConfig, keepers: set[asyncio.Task[None]]) -> None:
        self.name = name
        self.config = config
        self._keepers = keepers
        self._connection: Connection | None = None
        self._tools: list[ServerTool] = []
        self._asking: asyncio.Task[str] | None = None
        """Asks what it offers, for all turns that wait, and still when they have gone on without it."""
        self._silent_since: float | None = None
        """When it was first asked what it has not answered yet."""

    def shown(self) -> McpServer:
        """Return how it is, as far as that is known without asking it."""
        connection = self._connection
        if connection is None:
            status = "not started"
        elif connection.problem:
            status = f"failed: {connection.problem}"
        else:
            status = "running" if connection.runs else "starting"
        tools = {model_name(self.name, tool.name): tool.description or "" for tool in self._tools}
        reading = frozenset(
            model_name(self.name, tool.name)
            for tool in self._tools
            if tool.annotations is not None and tool.annotations.read_only_hint
        )
        arguments = {model_name(self.name, tool.name): argument_names(tool.input_schema) for tool in self._tools}
        return McpServer(
            name=self.name,
            where=self.config.shown,
            status=status,
            tools=tools,
            read_only=reading,
            arguments=arguments,
        )

    async def ready_tools(self) -> tuple[list[ServerTool], str]:
        """Return what it offers now, or why it offers nothing."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._asked(), context=Context())
            self._silent_since = self._silent_since or time.monotonic()
        asking = self._asking
        await asyncio.wait([asking], timeout=max(READY_SECONDS - self._silence, SILENT_SECONDS))
        if not asking.done():
            return [], NO_ANSWER.format(self._silence)
        problem = "it was stopped" if asking.cancelled() else asking.result()
        return [] if problem else self._tools, problem

    @property
    def _silence(self) -> float:
        """Seconds for which it has not answered."""
        return time.monotonic() - self._silent_since if self._silent_since is not None else 0

    async def _asked(self) -> str:
        """Ask what it offers; return why it does not say."""
        problem = ""
        try:
            self._tools = await self._listed()
        except TimeoutError:
            return NO_ANSWER.format(self._silence)
        except Exception as error:  # noqa: BLE001  a server may fail in any way
            problem = self.config.redacted(str(error)) or type(error).__name__
        self._silent_since = None
        return problem

    async def _listed(self) -> list[ServerTool]:
        connect = await asyncio.to_thread(_import)
        before = self._connection
        if before is not None and before.ready.is_set():
            if before.runs and not before.calls:
                with suppress(Exception):
                    async with asyncio.timeout(LIST_SECONDS):
                        return await before.tools()
            if before.runs and before.calls:  # it may do one thing at a time
                return self._tools
            self._disconnect()  # it has failed or died, or hangs
        connection = self._connection
        if connection is None:
            connection = self._connection = connect(self.name, self.config)
            self._keepers.add(connection.keeper)
            connection.keeper.add_done_callback(self._keepers.discard)
        await connection.ready.wait()
        async with asyncio.timeout(READY_SECONDS):
            return await connection.tools()

    def caller(self, questions: Questions) -> Callable[[str, dict[str, Any]], Awaitable[Any]]:
        """Return what calls its tools, from any loop, and lets it ask there meanwhile."""

        async def call(tool: str, args: dict[str, Any]) -> Any:
            connection = self._connection  # another thread may stop it
            if connection is None:
                raise ToolError(f"MCP server {self.name!r} was stopped")
            return await at_home(connection.call(tool, args, questions))

        return call

    def stop(self) -> None:
        """Have its process ended; the next turn starts another."""
        if self._asking is not None:
            self._asking.cancel()
        self._asking = self._silent_since = None
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.stop()
            self._connection = None


def argument_names(schema: Mapping[str, Any]) -> list[str]:
    """Return what a tool's JSON schema calls its arguments."""
    properties = schema.get("properties")
    return list(properties) if isinstance(properties, dict) else []


def _import() -> type[Connection]:
    """Import what takes a second to."""
    from sessionmagic.tools.mcp import connection, toolset  # noqa: F401

    return connection.Connection


async def at_home(work: Coroutine[Any, Any, T]) -> T:
    """Await work on the loop thread, from any loop."""
    home = loop_thread()
    if asyncio.get_running_loop() is home.loop:
        return await work
    return await asyncio.wrap_future(home.submit(work))
