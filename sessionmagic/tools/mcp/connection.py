"""One connection to an MCP server, from start to end."""

from __future__ import annotations

import asyncio
import logging
import re
import tempfile
from contextlib import suppress
from contextvars import Context
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

from fastmcp.client import Client
from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport
from mcp.types import ElicitResult, Implementation
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.mcp import MCPToolset

from sessionmagic.exceptions import ServerDiedError, ToolError
from sessionmagic.loop import is_cancelled
from sessionmagic.supervisor import NOT_STARTED, supervised
from sessionmagic.tools.mcp.content import value_of
from sessionmagic.tools.questions import Questions, asking_for
from sessionmagic.tools.schemas import without_patterns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TextIO

    from mcp.types import Tool as ServerTool

    from sessionmagic.tools.mcp.config import ServerConfig
    from sessionmagic.tools.mcp.content import Resources

START_SECONDS = 120.0
"""How long a server may take to start. Some are downloaded when they are first started."""
END_SECONDS = 1.0
"""How long a server may take to end when its input ends with this process, or when it is terminated."""
PING_SECONDS = 2.0
"""How long a server may take to answer a ping before it counts as dead."""
EVENT_LIMIT = 64 * 2**20
"""Bytes of the longest message that is read over HTTP."""
FORM_LIMIT = 20_000
"""Characters of the longest question, with its form, that is shown."""
PROBLEM_LIMIT = 300
"""Characters of a description of an error."""
STDERR_BYTES = 2000
"""Bytes at the end of a server's stderr that are searched for the last line."""

logging.getLogger("mcp").addHandler(logging.NullHandler())  # otherwise Python shows its warnings in a cell


class Caller(NamedTuple):
    """Who makes a call."""

    questions: Questions
    """The questions of the turn."""
    sub_agent: str
    """The sub-agent; empty for the turn's own agent."""


class Connection:
    """A connection to a server that is starting, is running or has failed. All methods run on the loop that created it.

    A separate task, the keeper, opens and closes the connection. So it does not depend on the turn that first needed
    the server: cancelling the turn does not close it, and it does not have the turn's context variables.

    Args:
        name: The server's name.
        config: How to start or reach the server.
    """

    def __init__(self, name: str, config: ServerConfig) -> None:
        self.name = name
        self.problem = ""
        """Why the server is not running; ``""`` if nothing has failed."""
        self.ready = asyncio.Event()
        """Set when the connection is open or has failed."""
        self.calls: list[Caller] = []
        """Who makes the calls that are running."""
        self._config = config
        self._client: MCPToolset[None] | None = None
        self._stop = asyncio.Event()
        self._errors: TextIO
        """The server's output on stderr."""
        self._running: set[asyncio.Future[Any]] = set()
        self._asking: dict[asyncio.Future[Any], Questions] = {}
        self.keeper = asyncio.get_running_loop().create_task(self._keep(), context=Context())
        self.keeper.add_done_callback(lambda _: self.ready.set())

    @property
    def runs(self) -> bool:
        """Whether the connection is open and its server has not been found dead."""
        return self._client is not None and not self.problem

    @property
    def instructions(self) -> str:
        """The server's instructions for the model, without secrets; ``""`` if there are none."""
        return self._config.redacted(self._client.instructions or "") if self._client is not None else ""

    def stop(self) -> None:
        """Start to close the connection; `keeper` is done when the server's process has ended."""
        self._stop.set()
        if not self.ready.is_set():
            self.keeper.cancel()

    async def _keep(self) -> None:
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as self._errors:
            try:
                client = _client(self._config, self._errors, self._ask_user)
                async with asyncio.timeout(START_SECONDS):
                    await client.__aenter__()
                self._client = client
                self.ready.set()
                try:
                    await self._stop.wait()
                finally:
                    self._client = None
                    for call in self._running:
                        call.cancel()  # a running call would keep the client open
                    await asyncio.gather(*self._running, return_exceptions=True)
                    with suppress(Exception):  # the server may be dead already
                        await client.__aexit__(None, None, None)
            except TimeoutError:
                self.problem = f"it did not start within {START_SECONDS:g} s"
            except Exception as error:  # noqa: BLE001  a server may fail in any way
                self.problem = self._describe(error)

    async def tools(self) -> list[ServerTool]:
        """Return the server's tools. Raises `ToolError` if it is not running, or the error of the connection."""
        if self._client is None:
            raise ToolError(self.problem or "it was stopped")
        return await self._client.list_tools()

    async def call(self, tool: str, args: dict[str, Any], questions: Questions) -> Any:
        """Call a tool and return its result as `value_of` does.

        Raises:
            ToolFailed: The call has failed, or the server is not running or was stopped during the call.
            ServerDiedError: The server died during the call.
        """
        client = self._client
        if client is None or self.problem:
            raise ToolFailed(f"MCP server {self.name!r} is not running: {self.problem or 'it was stopped'}")
        caller = Caller(questions, asking_for.get())
        self.calls.append(caller)
        running = asyncio.ensure_future(self._value_of_call(client, tool, args))
        self._running.add(running)
        try:
            return await running
        except asyncio.CancelledError:
            # Either this task was cancelled with its turn, or `_keep` has cancelled the call to close the connection.
            if is_cancelled():
                raise
            problem = f"was stopped during a call of {tool}; continue without its tools"
            raise ToolFailed(f"MCP server {self.name!r} {problem}") from None
        except ToolFailed as error:
            raise ToolFailed(self._config.redacted(str(error))) from error
        except Exception as error:
            if await _is_alive(client):
                raise ToolFailed(self._config.redacted(str(error))) from error
            self.problem = self._describe(error)
            raise ServerDiedError(f"MCP server {self.name!r} died during a call of {tool}: {self.problem}") from error
        finally:
            self._running.discard(running)
            self.calls.remove(caller)
            if all(each.questions is not questions for each in self.calls):  # no call of the turn needs an answer
                for asking in [asking for asking, asker in self._asking.items() if asker is questions]:
                    asking.cancel()

    async def _value_of_call(self, client: MCPToolset[None], tool: str, args: dict[str, Any]) -> Any:
        return await value_of(await client.client.call_tool_mcp(tool, args), partial(self._read, client))

    async def _read(self, client: MCPToolset[None], address: str) -> Resources:
        try:
            return await client.client.read_resource(address)
        except Exception as error:
            raise ToolFailed(self._config.redacted(str(error)) or type(error).__name__) from error

    async def _ask_user(self, message: str, _type: object, params: Any, _context: object) -> ElicitResult:
        """Ask the user of the calling turn a question of the server.

        The protocol does not tell which call a question belongs to. So while several turns are calling, no question is
        shown: the answer could reach the call of another session.
        """
        schema: Any = getattr(params, "requested_schema", None)
        turns = list({id(each.questions): each.questions for each in self.calls}.values())
        agents = {each.sub_agent for each in self.calls}
        why = (
            f"calls of {len(turns)} turns are running on the server" if len(turns) != 1
            else "it asks to open a web page" if schema is None
            else "its form is too long" if len(message) + len(str(schema)) > FORM_LIMIT
            else ""
        )  # fmt: skip
        if why:
            for questions in turns:
                questions.miss(self.name, why)
            return ElicitResult(action="cancel")
        [questions] = turns
        params.requested_schema = schema = without_patterns(schema)  # fastmcp validates the answer, too
        sub_agent = agents.pop() if len(agents) == 1 else ""
        asking = asyncio.ensure_future(questions.ask(self.name, message, schema, sub_agent))
        self._asking[asking] = questions
        try:
            await asyncio.wait([asking])
        finally:
            del self._asking[asking]
            asking.cancel()
        if asking.cancelled():  # the call has ended; raising CancelledError here would end the connection
            return ElicitResult(action="cancel")
        return ElicitResult(**asking.result()._asdict())

    def _describe(self, error: BaseException) -> str:
        """Return an error as text, with the last line of the server's stderr."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        text = str(error).removeprefix("Client failed to connect: ") or type(error).__name__
        last = _last_line(self._errors)
        if last.startswith(NOT_STARTED):
            text = last.removeprefix(NOT_STARTED)
        elif last not in text:
            text = f"{text} ({last})"
        text = re.sub(r"^\[Errno \d+\] ", "", text)
        return self._config.redacted(" ".join(text.split()))[:PROBLEM_LIMIT]


def _client(config: ServerConfig, errors: TextIO, ask_user: Callable[..., Awaitable[ElicitResult]]) -> MCPToolset[None]:
    """Return a client that is not open yet.

    Its mode is `legacy`, because a server cannot ask questions in a session without a handshake.
    """
    transport: StdioTransport | SSETransport | StreamableHttpTransport
    if config.command:
        command, *args = supervised([config.command, *config.args], END_SECONDS)
        transport = StdioTransport(command, args, env=config.env, cwd=config.cwd, keep_alive=False, log_file=errors)
    elif config.sse:
        transport = SSETransport(config.url, headers=config.headers)
    else:
        transport = StreamableHttpTransport(config.url, headers=config.headers, max_sse_event_size=EVENT_LIMIT)
    client = Client(
        transport,
        mode="legacy",
        elicitation_handler=ask_user,
        log_handler=_ignore_log,
        client_info=Implementation(name="sessionmagic", version=version("sessionmagic")),
    )
    return MCPToolset(client, tool_error_behavior="failed", cache_tools=False)


async def _ignore_log(_message: object) -> None:
    """Ignore a log message of the server."""


async def _is_alive(client: MCPToolset[None]) -> bool:
    try:
        async with asyncio.timeout(PING_SECONDS):
            return await client.client.ping()
    except Exception:  # noqa: BLE001  any failure means that the server does not answer
        return False


def _last_line(errors: TextIO) -> str:
    """Return the last line that the server wrote to stderr."""
    errors.seek(max(0, errors.seek(0, 2) - STDERR_BYTES))
    return next((line for line in reversed(errors.read().splitlines()) if line.strip()), "")
