"""One MCP server: its status and its tools, across restarts of its process."""

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
"""How long turns wait for a server that does not answer. Then they continue without it until it answers."""
SILENT_SECONDS = 0.3
"""How long each later turn waits for a server that still does not answer."""
LIST_SECONDS = 5.0
"""How long a running server may take to list its tools before it is restarted."""
NO_ANSWER = "it has not answered for {:.0f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer:
    """A server as a listing shows it."""

    name: str
    where: str
    """Its command or address, as configured, without secrets."""
    status: str
    """``"not started"``, ``"starting"``, ``"running"``, or ``"failed: "`` and the reason."""
    tools: dict[str, str]
    """The descriptions in its latest list of tools, by the names that models use."""
    read_only: frozenset[str] = frozenset()
    """The names of the tools that it marks as read-only."""
    arguments: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The names of each tool's arguments."""


class Server:
    """A server, which may be started several times.

    Its coroutines and `stop` must run on the loop thread. The functions that `caller` returns run on any loop.

    Args:
        name: The server's name.
        config: How to start or reach it.
        keepers: The tasks of all open connections, to which those of this server are added.
    """

    def __init__(self, name: str, config: ServerConfig, keepers: set[asyncio.Task[None]]) -> None:
        self.name = name
        self.config = config
        self._keepers = keepers
        self._connection: Connection | None = None
        self._tools: list[ServerTool] = []
        self._refreshing: asyncio.Task[str] | None = None
        """The task that updates the tools. It continues after the waiting turns have given up."""
        self._silent_since: float | None = None
        """When the first unanswered request was made; None if there is none."""

    def shown(self) -> McpServer:
        """Return the server as a listing shows it, without asking it anything."""
        connection = self._connection
        if connection is None:
            status = "not started"
        elif connection.problem:
            status = f"failed: {connection.problem}"
        else:
            status = "running" if connection.runs else "starting"
        tools = {model_name(self.name, tool.name): tool.description or "" for tool in self._tools}
        read_only = frozenset(
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
            read_only=read_only,
            arguments=arguments,
        )

    @property
    def instructions(self) -> str:
        """The instructions for the model that the server gave when it was started; ``""`` if there are none."""
        connection = self._connection
        return connection.instructions if connection is not None else ""

    async def ready_tools(self) -> tuple[list[ServerTool], str]:
        """Return the server's tools and ``""``, or no tools and the reason. Waits for a limited time."""
        if self._refreshing is None or self._refreshing.done():
            # The task outlives the turn that starts it, so it must not have that turn's context variables.
            self._refreshing = asyncio.get_running_loop().create_task(self._refresh(), context=Context())
            self._silent_since = self._silent_since or time.monotonic()
        refreshing = self._refreshing
        await asyncio.wait([refreshing], timeout=max(READY_SECONDS - self._silence, SILENT_SECONDS))
        if not refreshing.done():
            return [], NO_ANSWER.format(self._silence)
        problem = "it was stopped" if refreshing.cancelled() else refreshing.result()
        return [] if problem else self._tools, problem

    @property
    def _silence(self) -> float:
        """Seconds since the first unanswered request; 0 if there is none."""
        return time.monotonic() - self._silent_since if self._silent_since is not None else 0

    async def _refresh(self) -> str:
        """Update the list of tools; return ``""``, or the reason why the server does not list them."""
        problem = ""
        try:
            self._tools = [tool for tool in await self._list_tools() if _is_for_models(tool)]
        except TimeoutError:
            return NO_ANSWER.format(self._silence)
        except Exception as error:  # noqa: BLE001  a server may fail in any way
            problem = self.config.redacted(str(error)) or type(error).__name__
        self._silent_since = None
        return problem

    async def _list_tools(self) -> list[ServerTool]:
        """Ask the server for its tools; start it first if it is not running or does not answer."""
        connect = await asyncio.to_thread(_import_connection)
        before = self._connection
        if before is not None and before.ready.is_set():
            if before.runs and not before.calls:
                with suppress(Exception):
                    async with asyncio.timeout(LIST_SECONDS):
                        return await before.tools()
            if before.runs and before.calls:  # a server may handle one call at a time, so do not wait for it
                return self._tools
            self._disconnect()  # the server has failed, has died or hangs
        connection = self._connection
        if connection is None:
            connection = self._connection = connect(self.name, self.config)
            self._keepers.add(connection.keeper)
            connection.keeper.add_done_callback(self._keepers.discard)
        await connection.ready.wait()
        async with asyncio.timeout(READY_SECONDS):
            return await connection.tools()

    def caller(self, questions: Questions) -> Callable[[str, dict[str, Any]], Awaitable[Any]]:
        """Return a function that calls the server's tools, from any loop.

        Args:
            questions: Where the server's questions during a call are asked.
        """

        async def call(tool: str, args: dict[str, Any]) -> Any:
            connection = self._connection  # read once, as another thread may stop the server
            if connection is None:
                raise ToolError(f"MCP server {self.name!r} was stopped; continue without its tools")
            return await on_loop_thread(connection.call(tool, args, questions))

        return call

    def stop(self) -> None:
        """Stop the server; the next turn starts it again."""
        if self._refreshing is not None:
            self._refreshing.cancel()
        self._refreshing = self._silent_since = None
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.stop()
            self._connection = None


def _is_for_models(tool: ServerTool) -> bool:
    """Return whether a tool is for models. In MCP Apps, some tools are only for the server's own web page."""
    ui = (tool.meta or {}).get("ui")
    visibility = ui.get("visibility") if isinstance(ui, dict) else None
    return not isinstance(visibility, list) or "model" in visibility


def argument_names(schema: Mapping[str, Any]) -> list[str]:
    """Return the names of the arguments in a tool's JSON schema."""
    properties = schema.get("properties")
    return list(properties) if isinstance(properties, dict) else []


def _import_connection() -> type[Connection]:
    """Import the slow modules, which takes a second, and return the class of connections."""
    from sessionmagic.tools.mcp import connection, toolset  # noqa: F401

    return connection.Connection


async def on_loop_thread(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the loop thread and return its result. Can be awaited on any loop."""
    thread = loop_thread()
    if asyncio.get_running_loop() is thread.loop:
        return await work
    return await asyncio.wrap_future(thread.submit(work))
