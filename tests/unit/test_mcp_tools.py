"""What an MCP server lists, as a turn offers it."""

import pytest
from mcp.types import Tool

from sessionmagic import MemoryStore
from sessionmagic.agents.mcp import McpServers
from sessionmagic.agents.mcp_tools import toolset_of_server
from tests.turns import acted, manager_on, on_a_loop, returned


class Listing(McpServers):
    """A server `s` that lists these tools, and answers each call with what it was given."""

    names = ("s",)

    def __init__(self, *tools):
        super().__init__()
        self._tools = tools

    async def toolsets(self, questions, warn, taken=()):
        async def call(tool, args):
            return f"{tool} {args}"

        return [toolset_of_server("s", self._tools, call, warn, set(taken))]


@pytest.mark.parametrize("properties", [{"x": True}, {"x": {"default": 1}, "y": False}, ["x"], "x", None])
@on_a_loop
async def test_tool_is_called_whose_schema_says_something_else_where_others_describe_an_argument(properties):
    manager = manager_on(MemoryStore())
    manager.mcp = Listing(Tool(name="odd", input_schema={"type": "object", "properties": properties}))
    result, events, _ = await acted(manager, [("s__odd", {"x": 2})], "Done", yes=True)
    assert (result.status, returned(events)) == ("completed", [("s__odd", "success", "odd {'x': 2}")])


@pytest.mark.parametrize("arguments", ["[1]", '"x"', "1", "null"])
@on_a_loop
async def test_call_with_arguments_that_are_no_object_fails_and_the_turn_goes_on(arguments):
    manager = manager_on(MemoryStore())
    manager.mcp = Listing(Tool(name="odd", input_schema={"type": "object"}))
    result, events, _ = await acted(manager, [("s__odd", arguments)], "Sorry", yes=True)
    assert (result.status, returned(events)) == (
        "completed",
        [("s__odd", "failed", "the arguments must be an object")],
    )
