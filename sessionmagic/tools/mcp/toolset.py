"""The tools of an MCP server, as a turn offers them to its model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.messages import BinaryContent
from pydantic_ai.tools import Tool
from pydantic_ai.toolsets import FunctionToolset

from sessionmagic.exceptions import ServerDiedError
from sessionmagic.tools.functions import RETRIES
from sessionmagic.tools.mcp.config import model_name, name_prefix
from sessionmagic.tools.results import IMAGES, cut
from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from mcp.types import Tool as ServerTool

INSTRUCTIONS_LIMIT = 2000
"""Characters of a server's instructions that the model reads. They are sent and stored with every model request."""


def toolset_of_server(
    server: str,
    tools: Iterable[ServerTool],
    call: Callable[[str, dict[str, Any]], Awaitable[Any]],
    warn: Callable[[str], object],
    used: set[str],
) -> FunctionToolset[None]:
    """Return a server's tools for one turn.

    Args:
        server: The server's name.
        tools: The tools that the server lists.
        call: Calls a tool. An error becomes a failed result.
        warn: Called with a warning about each tool that is left out, and when the server dies.
        used: The names of the turn's other tools. The names of these tools are added.
    """

    async def run(tool: str, args: dict[str, Any]) -> Any:
        try:
            return await call(tool, args)
        except ServerDiedError as error:
            warn(f"{error}; the next turn starts it again")
            raise ToolFailed(str(error)) from error

    toolset: FunctionToolset[None] = FunctionToolset(max_retries=RETRIES)
    for tool in tools:
        name = model_name(server, tool.name)
        if name in used:
            warn(f"a tool of MCP server {server!r} was left out: another tool is named {name}")
            continue
        used.add(name)
        toolset.add_tool(_model_tool(name, tool, partial(run, tool.name)))
    return toolset


def instructions_of_server(server: str, text: str) -> list[FunctionToolset[None]]:
    """Return a toolset without tools that gives the model a server's instructions; empty if there are none.

    The model reads them as a quotation: printable text of limited length, with a mark on each line, so that they cannot
    seem to end before they do.
    """
    lines = [printable(line.expandtabs()) for line in cut(text).splitlines()]
    text = shortened("\n".join(lines).strip(), INSTRUCTIONS_LIMIT)
    if not text:
        return []
    quotation = "\n".join(f"> {line}".rstrip() for line in text.split("\n"))
    intro = f"The MCP server {server!r}, whose tools have names that begin with {name_prefix(server)}, says about them:"
    return [FunctionToolset(instructions=f"{intro}\n\n{quotation}")]


def showing(
    call: Callable[[str, dict[str, Any]], Awaitable[Any]], show: Callable[[BinaryContent], object]
) -> Callable[[str, dict[str, Any]], Awaitable[Any]]:
    """Return a function that calls `call` and passes the images of the result to `show`.

    Only as many images are shown as are sent to the model.
    """

    async def run(tool: str, args: dict[str, Any]) -> Any:
        value = await call(tool, args)
        parts = value if isinstance(value, list) else [value]
        for image in [part for part in parts if isinstance(part, BinaryContent) and part.is_image][:IMAGES]:
            show(image)
        return value

    return run


def _model_tool(name: str, tool: ServerTool, call: Callable[[dict[str, Any]], Awaitable[Any]]) -> Tool[None]:
    async def run(**args: Any) -> Any:
        return await call(args)

    model_tool: Tool[None] = Tool.from_schema(run, name, tool.description, tool.input_schema)
    model_tool.metadata = {"annotations": tool.annotations.model_dump(by_alias=True) if tool.annotations else None}
    return model_tool
