"""The tools that a turn offers: functions, those of the agent's toolsets, and the tools of MCP servers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from sessionmagic.conversation.events import Warned
from sessionmagic.exceptions import ToolError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_ai.toolsets import AbstractToolset

    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.turns.admitted import Admitted
    from sessionmagic.turns.agent_tools import AgentTools


async def toolset_for(admitted: Admitted, agent_tools: AgentTools) -> AbstractToolset[None] | None:
    """Return the tools that the model may call: functions, and the tools of the MCP servers that can be reached.

    In a comparison, these are only the tools whose calls change nothing that another model sees. An agent that may
    only read is offered none that change anything.
    """
    from sessionmagic.turns.call_arguments import is_comparable, is_read_only

    toolset = await _all_tools(admitted, agent_tools)
    if toolset is not None and admitted.plan.agent.readonly:
        toolset = toolset.filtered(lambda _, tool: is_read_only(tool))
    if toolset is None or admitted.request.column is None:
        return toolset
    return toolset.filtered(lambda _, tool: is_comparable(tool))


async def _all_tools(admitted: Admitted, agent_tools: AgentTools) -> AbstractToolset[None] | None:
    plan, turn, common = admitted.plan, admitted.turn, not admitted.request.only_tools
    servers = agent_tools.names(plan.made, common=common)
    if not plan.model.takes_tools or not servers:
        return plan.toolset
    from pydantic_ai.toolsets import CombinedToolset

    if plan.model.is_replay and not admitted.request.live_tools:
        recorded = _recorded_tools(plan.model, servers)
        return CombinedToolset([*([plan.toolset] if plan.toolset else []), recorded])

    def warn(text: str) -> None:
        admitted.log.emit(Warned, text=text)

    taken = [tool.name for tool in plan.tools]
    # A server may take seconds to start. That is a task of its own, so that `Turn.cancel` can end the wait from any
    # thread.
    starting = asyncio.ensure_future(agent_tools.offered(plan.made, turn.questions, warn, taken, common=common))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(starting.cancel)

    if not admitted.for_calls:  # a sub-agent is stopped with the call that it works for
        turn.on_cancel(stop)
    try:
        await asyncio.wait([starting])
    finally:
        starting.cancel()
    if starting.cancelled():  # the turn was stopped, so its run will end before the first model request
        return plan.toolset
    return CombinedToolset([*([plan.toolset] if plan.toolset else []), *starting.result()])


def _recorded_tools(model: ResolvedModel, servers: Iterable[str]) -> AbstractToolset[None]:
    """Return what stands for the tools of MCP servers where a recording has the results, so that no server is started.

    Args:
        model: The model whose recording answers.
        servers: The names of the servers.
    """
    from sessionmagic.models.replay import recording_in
    from sessionmagic.tools.functions import Tool, toolset_of
    from sessionmagic.tools.mcp.config import name_prefix

    prefixes = tuple(map(name_prefix, servers))
    recording = recording_in(model.model)
    offered = [each.record.offered or {} for each in recording.answers] if recording is not None else []
    names = sorted({name for each in offered for name in each if name.startswith(prefixes)})
    return toolset_of(
        Tool(name=name, function=_never_called, read_only=True, stands_in=True, schema={"type": "object"})
        for name in names
    )


async def _never_called() -> None:
    """Stand for a tool whose calls show recorded results. Raises `ToolError`."""
    raise ToolError("its server is not started while a recording answers")
