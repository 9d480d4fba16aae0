"""What a model reads of the result that an MCP server sends for a call."""

import asyncio
import json

import pytest
from mcp.types import (
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.messages import BinaryContent

from sessionmagic.tools.mcp import content
from sessionmagic.tools.mcp.content import LINKED_LIMIT, LINKS, NO_REASON, NOTHING, value_of
from tests.served import PIXEL
from tests.turns import on_a_loop

NOTES = "notes://today"


def text(words):
    return TextContent(type="text", text=words)


def link(uri=NOTES, **fields):
    return ResourceLink(type="resource_link", **{"name": "today.md", "uri": uri} | fields)


async def read_of(*blocks, structured=None, is_error=False, resources=None):
    """Return the value of a result, and the addresses that were read."""
    read = []

    async def reading(address):
        read.append(address)
        found = (resources or {})[address]
        if isinstance(found, Exception):
            raise found
        return found

    result = CallToolResult(content=list(blocks), structured_content=structured, is_error=is_error)
    return await value_of(result, reading), read


def written(words, uri=NOTES):
    return [TextResourceContents(uri=uri, text=words, mime_type="text/markdown")]


@pytest.mark.parametrize(
    ("texts", "structured", "value"),
    [
        (["hello"], None, "hello"),
        (["hello"], {"result": "hello"}, "hello"),
        (["3"], {"result": 3}, 3),
        (['{"a": 1}'], {"a": 1}, {"a": 1}),
        (['{\n  "a": 1\n}'], {"a": 1}, {"a": 1}),
        (["1", "two", '{"c": 3}'], {"result": [1, "two", {"c": 3}]}, [1, "two", {"c": 3}]),
        (["1", "2"], {"result": [[1], [2, None]]}, [[1], [2, None]]),
        (["[1, 2]"], {"result": [1, 2]}, [1, 2]),
        ([], {"a": 1}, {"a": 1}),
        ([], {"result": []}, []),
        (['{"a": 12345678901234567890.0}'], None, '{"a": 12345678901234567890.0}'),
        (["one", "two"], None, "one\ntwo"),
    ],
)
@on_a_loop
async def test_text_that_repeats_the_structured_content_is_read_once(texts, structured, value):
    assert await read_of(*map(text, texts), structured=structured) == (value, [])


@pytest.mark.parametrize(
    ("texts", "structured", "value"),
    [
        (["Two rows were left out."], {"rows": [1, 2]}, 'Two rows were left out.\n{"rows":[1,2]}'),
        (["3"], {"count": 3}, '3\n{"count":3}'),
        (["1", "and more"], {"result": [1, 2]}, "1\nand more\n[1,2]"),
        (['{"a": 1}', "Note."], {"a": 1}, 'Note.\n{"a":1}'),
    ],
)
@on_a_loop
async def test_text_beside_structured_content_is_kept(texts, structured, value):
    assert await read_of(*map(text, texts), structured=structured) == (value, [])


@pytest.mark.parametrize(
    ("texts", "structured"), [([], None), ([""], None), ([" \n"], {"result": None}), ([""], {"result": ""})]
)
@on_a_loop
async def test_empty_result_says_so(texts, structured):
    assert await read_of(*map(text, texts), structured=structured) == (NOTHING, [])


@on_a_loop
async def test_error_has_the_words_of_the_server_or_says_that_there_are_none():
    with pytest.raises(ToolFailed, match=r'^it is late\n\{"code":7\}$'):
        await read_of(text("it is late"), structured={"code": 7}, is_error=True)
    with pytest.raises(ToolFailed, match=NO_REASON):
        await read_of(is_error=True)


@on_a_loop
async def test_pictures_stay_beside_text_and_structured_content_and_are_not_read_again_as_text():
    image = ImageContent(type="image", data=PIXEL, mime_type="image/png")
    value, _ = await read_of(text("a pixel"), image, structured={"width": 1})
    assert [value[0], value[2]] == ["a pixel", {"width": 1}]
    assert isinstance(value[1], BinaryContent)
    value, _ = await read_of(image, structured={"result": [{"type": "image", "data": PIXEL}]})
    assert (type(value), value.media_type) == (BinaryContent, "image/png")
    blob = BlobResourceContents(uri="file:///a", blob=PIXEL)
    value, _ = await read_of(EmbeddedResource(type="resource", resource=blob))
    assert value.media_type == "application/octet-stream"


@on_a_loop
async def test_linked_text_comes_with_its_name_and_description():
    linked = link(title="Notes", description="What was\nsaid today", mime_type="text/markdown", size=1200)
    value, read = await read_of(text("See:"), linked, resources={NOTES: written("We met.")})
    assert value == ("See:\n[resource: Notes; What was said today; notes://today; text/markdown; 1,200 bytes]\nWe met.")
    assert read == [NOTES]


@pytest.mark.parametrize(
    ("fields", "found", "said"),
    [
        ({"mime_type": "image/png"}, None, "[not read: it is not text]"),
        ({"mime_type": "text/csv", "size": 10**9}, None, "[not read: it is too large]"),
        ({}, [BlobResourceContents(uri=NOTES, blob=PIXEL)], "[it is not text]"),
        ({}, [], "[it is empty]"),
        ({}, ValueError("no\nsuch note"), "[not read: no such note]"),
        ({"mime_type": "application/ld+json"}, ValueError(), "[not read: ValueError]"),
    ],
)
@on_a_loop
async def test_resource_that_cannot_be_read_is_described(fields, found, said):
    value, read = await read_of(link(**fields), resources={NOTES: found})
    assert value.splitlines()[0].startswith("[resource: today.md; notes://today")
    assert value.splitlines()[1] == said
    assert bool(read) == (found is not None)


@on_a_loop
async def test_server_that_does_not_answer_delays_a_result_for_a_limited_time(monkeypatch):
    monkeypatch.setattr(content, "READ_SECONDS", 0.01)
    value = await value_of(CallToolResult(content=[link()]), lambda _: asyncio.sleep(60))
    assert value.endswith("[not read: the server did not answer within 0.01 s]")


@on_a_loop
async def test_linked_resources_are_read_side_by_side_and_stay_in_order():
    all_asked = asyncio.Barrier(LINKS)

    async def read(address):
        async with all_asked:
            return written(f"text of {address}")

    result = CallToolResult(content=[text("See:"), *(link(f"notes://{number}") for number in range(LINKS))])
    lines = (await value_of(result, read)).splitlines()
    assert [lines[0], *lines[2::2]] == ["See:", *(f"text of notes://{number}" for number in range(LINKS))]


@on_a_loop
async def test_damaged_data_does_not_take_the_text_beside_it_away():
    image = ImageContent(type="image", data="x", mime_type="image/png")
    value, _ = await read_of(text("a pixel"), image)
    assert value == "a pixel\n[image/png: its data is damaged]"


@on_a_loop
async def test_linked_text_is_bounded_however_many_links_there_are():
    addresses = [f"notes://{number}" for number in range(LINKS + 2)]
    links = [link(address, description="d" * 9_000) for address in addresses]
    value, read = await read_of(*links, resources={address: written("x" * 50_000) for address in addresses})
    assert read == addresses[:LINKS]
    assert value.count("x") == LINKED_LIMIT
    assert value.count("[cut: 48,000 characters]") == LINKS
    assert value.count("[not read: only the first 5") == 2
    assert len(value) < 2 * LINKED_LIMIT
    value, _ = await read_of(link(), resources={NOTES: written("x" * LINKED_LIMIT)})
    assert value.endswith("\n" + "x" * LINKED_LIMIT)


def test_structured_content_is_compared_by_value():
    assert content._is_written({"b": [1.0], "a": "x"}, json.dumps({"a": "x", "b": [1]}))
