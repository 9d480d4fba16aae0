"""The tools of an MCP server as a turn offers them to its model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.messages import BinaryContent
from pydantic_ai.tools import Tool
from pydantic_ai.toolsets import FunctionToolset

from sessionmagic.exceptions import ServerDiedError
from sessionmagic.tools.functions import RETRIES
from sessionmagic.tools.mcp.config import model_name
from sessionmagic.tools.results import IMAGES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from mcp.types import Tool as ServerTool


def toolset_of_server(
    server: str,
    tools: Iterable[ServerTool],
    call: Callable[[str, dict[str, Any]], Awaitable[Any]],
    warn: Callable[[str], object],
    used: set[str],
) -> FunctionToolset[None]:
    """Return a server's tools for one turn.

    Args:
        server: its name.
        tools: as it lists them.
        call: calls one of them; what it raises is a failed result.
        warn: is told of tools that are left out, and of the server's death.
        used: names that are taken; those given here are added.
    """

    async def run(tool: str, args: dict[str, Any]) -> Any:
        try:
            return await call(tool, args)
        except ServerDiedError as error:
            warn(f"{error}; the next turn starts it anew")
            raise ToolFailed(str(error)) from error

    toolset: FunctionToolset[None] = FunctionToolset(max_retries=RETRIES)
    for tool in tools:
        name = model_name(server, tool.name)
        if not _is_for_models(tool):
            continue
        if name in used:
            warn(f"a tool of MCP server {server!r} is left out: there is another {name}")
            continue
        used.add(name)
        toolset.add_tool(_model_tool(name, tool, partial(run, tool.name)))
    return toolset


def showing(
    call: Callable[[str, dict[str, Any]], Awaitable[Any]], show: Callable[[BinaryContent], object]
) -> Callable[[str, dict[str, Any]], Awaitable[Any]]:
    """Have the pictures that a call returns shown, as many as a model sees."""

    async def run(tool: str, args: dict[str, Any]) -> Any:
        value = await call(tool, args)
        parts = value if isinstance(value, list) else [value]
        for picture in [part for part in parts if isinstance(part, BinaryContent) and part.is_image][:IMAGES]:
            show(picture)
        return value

    return run


def _model_tool(name: str, tool: ServerTool, call: Callable[[dict[str, Any]], Awaitable[Any]]) -> Tool[None]:
    async def run(**args: Any) -> Any:
        return await call(args)

    made: Tool[None] = Tool.from_schema(run, name, tool.description, tool.input_schema)
    made.metadata = {"annotations": tool.annotations.model_dump(by_alias=True) if tool.annotations else None}
    return made


def _is_for_models(tool: ServerTool) -> bool:
    """Whether a tool is for the model, and not only for a page of the server's (MCP Apps)."""
    ui = (tool.meta or {}).get("ui")
    visibility = ui.get("visibility") if isinstance(ui, dict) else None
    return not isinstance(visibility, list) or "model" in visibility
