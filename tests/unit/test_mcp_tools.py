"""What an MCP server lists, as a turn offers it."""

import asyncio
from contextlib import suppress

import pytest
from pydantic_ai.messages import BinaryContent

from sessionmagic import MemoryStore
from sessionmagic.exceptions import ServerDiedError
from sessionmagic.tools.mcp.servers import McpServers
from sessionmagic.tools.mcp.toolset import showing, toolset_of_server
from sessionmagic.tools.questions import Questions
from sessionmagic.tools.results import IMAGES
from tests.clock import on_a_clock, passes
from tests.turns import acted, acting, events_of, manager_on, on_a_loop, returned, whole


def tool_listed(name, input_schema, **fields):
    """A tool as a server lists it."""
    from mcp.types import Tool

    return Tool(name=name, input_schema=input_schema, **fields)


class Listing(McpServers):
    """A server `s` that lists these tools, and answers each call with what it was given."""

    names = ("s",)

    def __init__(self, *tools):
        super().__init__()
        self._tools = tools

    async def call(self, tool, args):
        return f"{tool} {args}"

    async def toolsets(self, _questions, warn, taken=()):
        return [toolset_of_server("s", self._tools, self.call, warn, set(taken))]


@pytest.mark.parametrize("properties", [{"x": True}, {"x": {"default": 1}, "y": False}, ["x"], "x", None])
@on_a_loop
async def test_tool_is_called_whose_schema_says_something_else_where_others_describe_an_argument(properties):
    manager = manager_on(MemoryStore())
    manager.mcp = Listing(tool_listed(name="odd", input_schema={"type": "object", "properties": properties}))
    result, events, _ = await acted(manager, [("s__odd", {"x": 2})], "Done", yes=True)
    assert (result.status, returned(events)) == ("completed", [("s__odd", "success", "odd {'x': 2}")])


@pytest.mark.parametrize("arguments", ["[1]", '"x"', "1", "null"])
@on_a_loop
async def test_call_with_arguments_that_are_no_object_fails_and_the_turn_goes_on(arguments):
    manager = manager_on(MemoryStore())
    manager.mcp = Listing(tool_listed(name="odd", input_schema={"type": "object"}))
    result, events, _ = await acted(manager, [("s__odd", arguments)], "Sorry", yes=True)
    assert (result.status, returned(events)) == (
        "completed",
        [("s__odd", "failed", "the arguments must be a JSON object")],
    )


class Deaf(Listing):
    """One whose calls go on when their turn is stopped, until `dies` is set."""

    def __init__(self, *tools):
        super().__init__(*tools)
        self.called, self.dies = asyncio.Event(), asyncio.Event()

    async def call(self, _tool, _args):
        self.called.set()
        while not self.dies.is_set():
            with suppress(asyncio.CancelledError):
                await self.dies.wait()
        raise ServerDiedError("it died")


@on_a_clock
async def test_nothing_follows_the_end_of_a_turn_not_even_from_a_call_that_goes_on():
    manager = manager_on(MemoryStore())
    manager.mcp = server = Deaf(tool_listed(name="odd", input_schema={"type": "object"}))
    turn, _ = await acting(manager, [("s__odd", {})], yes=True)
    await server.called.wait()
    turn.cancel()
    await passes(1)
    await turn.result()
    server.dies.set()
    await passes(1)
    events = whole(await events_of(turn))
    assert await turn.news(0, 0) == events[-1].seq
    assert turn.transcript.warnings == ("s__odd did not stop with the turn; it is still running",)


@on_a_loop
async def test_tool_for_a_page_of_the_server_is_offered_to_no_model():
    manager = manager_on(MemoryStore())
    tools = [
        tool_listed(name=name, input_schema={"type": "object"}, _meta={"ui": {"visibility": visibility}})
        for name, visibility in {"page": ["app"], "both": ["app", "model"], "odd": "anything"}.items()
    ]
    manager.mcp = Listing(*tools)
    _, _, model = await acted(manager, "Done")
    assert list(model.offered[0]) == ["s__both", "s__odd"]


@on_a_loop
async def test_pictures_that_a_call_returns_are_shown_as_many_as_a_model_sees():
    picture, sound = BinaryContent(b"p", media_type="image/png"), BinaryContent(b"s", media_type="audio/wav")
    answers, shown = iter(["words", picture, [sound, *[picture] * (IMAGES + 1)]]), []

    async def call(_tool, _args):
        return next(answers)

    shows = showing(call, shown.append)
    assert [await shows("look", {}), await shows("look", {})] == ["words", picture]
    assert shown == [picture]
    assert len(await shows("look", {})) == IMAGES + 2
    assert shown == [picture] * (1 + IMAGES)


@on_a_loop
async def test_where_no_server_was_added_a_turn_is_offered_nothing_and_nothing_has_to_end():
    servers = McpServers()
    assert await servers.toolsets(Questions(print), print) == []
    await servers.close()
    servers.shutdown()
    assert servers.listing() == []
