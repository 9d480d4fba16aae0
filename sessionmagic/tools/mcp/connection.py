"""One connection to an MCP server, from its start to its end."""

from __future__ import annotations

import asyncio
import logging
import re
import tempfile
from contextlib import suppress
from contextvars import Context
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastmcp.client import Client
from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport
from mcp.types import ElicitResult, Implementation
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.mcp import MCPToolset

from sessionmagic.exceptions import ServerDiedError, ToolError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TextIO

    from mcp.types import Tool as ServerTool

    from sessionmagic.tools.mcp.config import ServerConfig
    from sessionmagic.tools.questions import Questions

START_SECONDS = 120.0
"""How long a server may take to start: the first start of some downloads them."""
PING_SECONDS = 2.0
EVENT_LIMIT = 64 * 2**20
"""Bytes of one message over HTTP."""
FORM_LIMIT = 20_000
"""Characters of a question and its form."""
PROBLEM_LIMIT = 300
LAST_WORDS = 2000

logging.getLogger("mcp").addHandler(logging.NullHandler())  # or what a server writes shows as errors in a cell


class Connection:
    """A server that is starting, runs, or has failed. Belongs to the loop that it was made on.

    Its process is started and ended by a task of its own, outside of any turn's context.
    """

    def __init__(self, name: str, config: ServerConfig) -> None:
        self.name = name
        self.problem = ""
        """Why it does not run (any more)."""
        self.ready = asyncio.Event()
        """Set when it has been opened, or has failed."""
        self.calls: list[Questions] = []
        """Where the calls that it works on may ask: one entry a call, one object a turn."""
        self._config = config
        self._client: MCPToolset[None] | None = None
        self._stop = asyncio.Event()
        self._errors: TextIO
        """What it writes to stderr."""
        self._running: set[asyncio.Future[Any]] = set()
        self._asking: dict[asyncio.Future[Any], Questions] = {}
        self.keeper = asyncio.get_running_loop().create_task(self._keep(), context=Context())
        self.keeper.add_done_callback(lambda _: self.ready.set())

    @property
    def runs(self) -> bool:
        """Whether it has been opened, and has not been found dead since."""
        return self._client is not None and not self.problem

    def stop(self) -> None:
        """Ask it to end; `keeper` is done when its process is gone."""
        self._stop.set()
        if not self.ready.is_set():
            self.keeper.cancel()

    async def _keep(self) -> None:
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as self._errors:
            try:
                client = _client(self._config, self._errors, self._asked)
                async with asyncio.timeout(START_SECONDS):
                    await client.__aenter__()
                self._client = client
                self.ready.set()
                try:
                    await self._stop.wait()
                finally:
                    self._client = None
                    for call in self._running:
                        call.cancel()  # each keeps the client open
                    await asyncio.gather(*self._running, return_exceptions=True)
                    with suppress(Exception):  # it had gone before
                        await client.__aexit__(None, None, None)
            except TimeoutError:
                self.problem = f"it did not start within {START_SECONDS:g} s"
            except Exception as error:  # noqa: BLE001  a server may fail in any way
                self.problem = self._words(error)

    async def tools(self) -> list[ServerTool]:
        """Return what it offers; raises `ToolError`, or whatever the connection fails with."""
        if self._client is None:
            raise ToolError(self.problem or "it was stopped")
        return await self._client.list_tools()

    async def call(self, tool: str, args: dict[str, Any], questions: Questions) -> Any:
        """Call a tool; raises `ToolFailed`, also when it is stopped meanwhile, and `ServerDiedError` when it died."""
        client = self._client
        if client is None or self.problem:
            raise ToolFailed(f"MCP server {self.name!r} does not run: {self.problem or 'it was stopped'}")
        self.calls.append(questions)
        running = asyncio.ensure_future(client.direct_call_tool(tool, args))
        self._running.add(running)
        try:
            return await running
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise ToolFailed(f"MCP server {self.name!r} was stopped in a call of {tool}") from None
        except ToolFailed as error:
            raise ToolFailed(self._config.redacted(str(error))) from error
        except Exception as error:
            if await _answers(client):
                raise ToolFailed(self._config.redacted(str(error))) from error
            self.problem = self._words(error)
            raise ServerDiedError(f"MCP server {self.name!r} died in a call of {tool}: {self.problem}") from error
        finally:
            self._running.discard(running)
            self.calls.remove(questions)
            if questions not in self.calls:
                for asking in [asking for asking, asker in self._asking.items() if asker is questions]:
                    asking.cancel()

    async def _asked(self, message: str, _type: object, params: Any, _context: object) -> ElicitResult:
        """Let the user of the turn that is calling answer.

        The protocol does not say which call a question belongs to. When more turns than one are calling, nobody is
        asked: an answer may not reach a call of another session's.
        """
        schema: Any = getattr(params, "requested_schema", None)
        turns = list({id(questions): questions for questions in self.calls}.values())
        why = (
            f"calls of {len(turns)} turns run there" if len(turns) != 1
            else "it wants a page to be opened" if schema is None
            else "its form is too long" if len(message) + len(str(schema)) > FORM_LIMIT
            else ""
        )  # fmt: skip
        if why:
            for questions in turns:
                questions.miss(self.name, why)
            return ElicitResult(action="cancel")
        [questions] = turns
        params.requested_schema = schema = without_patterns(schema)  # fastmcp looks at the answer, too
        asking = asyncio.ensure_future(questions.ask(self.name, message, schema))
        self._asking[asking] = questions
        try:
            await asyncio.wait([asking])
        finally:
            del self._asking[asking]
            asking.cancel()
        if asking.cancelled():  # the call has ended; a cancellation here would end the connection
            return ElicitResult(action="cancel")
        return ElicitResult(**asking.result()._asdict())

    def _words(self, error: BaseException) -> str:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        text = str(error).removeprefix("Client failed to connect: ") or type(error).__name__
        text = re.sub(r"^\[Errno \d+\] ", "", text)
        if (last := _last_line(self._errors)) and last not in text:
            text = f"{text} ({last})"
        return self._config.redacted(" ".join(text.split()))[:PROBLEM_LIMIT]


def _client(config: ServerConfig, errors: TextIO, asked: Callable[..., Awaitable[ElicitResult]]) -> MCPToolset[None]:
    """Return a client that has not been opened. `legacy`: a session without a handshake could not ask questions."""
    transport: StdioTransport | SSETransport | StreamableHttpTransport
    if config.command:
        transport = StdioTransport(
            config.command, config.args, env=config.env, cwd=config.cwd, keep_alive=False, log_file=errors
        )
    elif config.sse:
        transport = SSETransport(config.url, headers=config.headers)
    else:
        transport = StreamableHttpTransport(config.url, headers=config.headers, max_sse_event_size=EVENT_LIMIT)
    client = Client(
        transport,
        mode="legacy",
        elicitation_handler=asked,
        log_handler=_unheard,
        client_info=Implementation(name="sessionmagic", version=version("sessionmagic")),
    )
    return MCPToolset(client, tool_error_behavior="failed", cache_tools=False)


def without_patterns(schema: Any) -> Any:
    """Return a schema without its regular expressions: one may take for ever, and hold up the whole process.

    The server that wrote them can look at the answer itself.
    """
    if isinstance(schema, list):
        return [without_patterns(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {keyword: value for keyword, value in schema.items() if keyword not in {"pattern", "patternProperties"}}
    return {
        keyword: {name: without_patterns(each) for name, each in value.items()}
        if keyword in {"properties", "$defs", "definitions"} and isinstance(value, dict)
        else without_patterns(value)
        for keyword, value in kept.items()
    }


async def _unheard(_message: object) -> None:
    """Drop what a server logs."""


async def _answers(client: MCPToolset[None]) -> bool:
    try:
        async with asyncio.timeout(PING_SECONDS):
            return await client.client.ping()
    except Exception:  # noqa: BLE001  however it fails, it does not answer
        return False


def _last_line(errors: TextIO) -> str:
    """Return the last that the server wrote to stderr."""
    errors.seek(max(0, errors.seek(0, 2) - LAST_WORDS))
    return next((line for line in reversed(errors.read().splitlines()) if line.strip()), "")
