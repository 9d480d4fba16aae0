"""What the model reads of a call's result: text, structured content, images, and the resources that it links to."""

from __future__ import annotations

import asyncio
import base64
import re
from typing import TYPE_CHECKING, Any

from mcp.types import (
    AudioContent,
    BlobResourceContents,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.messages import BinaryContent
from pydantic_core import from_json, to_json

from sessionmagic.tools.results import as_read, readable
from sessionmagic.words import counted, shortened

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from mcp.types import CallToolResult, ContentBlock

    Resources = Sequence[TextResourceContents | BlobResourceContents]
    Read = Callable[[str], Awaitable[Resources]]

NOTHING = "the tool returned nothing"
NO_REASON = "the tool failed and gave no reason"
LINKS = 5
"""How many linked resources of one result are read."""
LINKED_LIMIT = 10_000
"""Characters of the linked resources of one result that the model reads."""
LINKED_BYTES = 1_000_000
"""A resource that is larger, by what its link states, is not read."""
READ_SECONDS = 10.0
"""How long the server may take to read a linked resource. Those of one result are read side by side."""
FIELD_LIMIT = 500
"""Characters of each field of a link that the model reads."""

_TEXT = re.compile(
    r"text/|application/([\w.-]+\+)?(json|xml|yaml|x-yaml|toml|sql|javascript|x-ndjson)\b", re.IGNORECASE
)
"""The media types that are text."""


async def value_of(result: CallToolResult, read: Read) -> Any:
    """Return the value of a call's result: a plain value, text, `BinaryContent`, or a list with `BinaryContent`.

    This replaces the mapping of pydantic-ai 2.68, which drops the text beside structured content, and gives only the
    address of a linked resource.

    Args:
        result: The result as the server sent it.
        read: Reads a resource of the server by its address.

    Raises `ToolFailed` with the server's words if the tool reports an error.
    """
    structured = _structured(result)
    blocks = [block for block in result.content if not (isinstance(block, TextContent) and not block.text.strip())]
    if structured is not None:
        blocks = _without_repetitions(blocks, structured, result.structured_content)
    links = [block for block in blocks if isinstance(block, ResourceLink)]
    limit = LINKED_LIMIT // max(1, min(len(links), LINKS))
    linked = iter(
        await asyncio.gather(
            *(_linked(link, read, limit if number < LINKS else 0) for number, link in enumerate(links))
        )
    )
    parts: list[Any] = [next(linked) if isinstance(block, ResourceLink) else _value(block) for block in blocks]
    if structured is not None:
        parts.append(structured)
    value = await _joined(parts)
    if result.is_error:
        raise ToolFailed(str((await as_read(value)).return_value) if parts else NO_REASON)
    return value if parts else NOTHING


async def _joined(parts: list[Any]) -> Any:
    if len(parts) == 1 or any(isinstance(part, BinaryContent) for part in parts):
        return parts[0] if len(parts) == 1 else parts
    return "\n".join([str(await readable(part)) for part in parts])


def _structured(result: CallToolResult) -> Any:
    """Return the structured content; None if it holds nothing, or the same images as the other content.

    Servers wrap a value that is not an object as ``{"result": value}``.
    """
    content = result.structured_content
    value = content["result"] if isinstance(content, dict) and list(content) == ["result"] else content
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    data = [block.data for block in result.content if isinstance(block, ImageContent | AudioContent)]
    if data:
        written = to_json(value).decode()
        if any(each in written for each in data):
            return None
    return value


def _without_repetitions(blocks: list[ContentBlock], value: Any, structured: Any) -> list[ContentBlock]:
    """Return the content without the texts that repeat the structured content, as the protocol advises servers to do.

    A list may be repeated in one text, or in one text for each item.
    """
    texts = [block.text for block in blocks if isinstance(block, TextContent)]
    items = list(_items(value)) if isinstance(value, list) else []
    if items and len(items) == len(texts) and all(map(_is_written, items, texts)):
        return [block for block in blocks if not isinstance(block, TextContent)]
    return [
        block
        for block in blocks
        if not (
            isinstance(block, TextContent) and (_is_written(value, block.text) or _is_written(structured, block.text))
        )
    ]


def _items(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _items(item)
    elif value is not None:
        yield value


def _is_written(value: Any, text: str) -> bool:
    """Return whether the text is the value, as it is or as JSON."""
    if value == text:
        return True
    try:
        return bool(from_json(text) == value)
    except ValueError:
        return False


def _value(block: ContentBlock) -> str | BinaryContent:
    match block:
        case TextContent():
            return block.text
        case ImageContent() | AudioContent():
            return _decoded(block.data, block.mime_type)
        case EmbeddedResource(resource=TextResourceContents(text=text)):
            return text
        case EmbeddedResource(resource=BlobResourceContents(blob=blob, mime_type=media_type)):
            return _decoded(blob, media_type or "application/octet-stream")
        case _:  # a kind that a later version of the protocol adds
            return f"[{shortened(str(block.type))}: cannot be shown]"


def _decoded(data: str, media_type: str) -> str | BinaryContent:
    try:
        return BinaryContent(base64.b64decode(data), media_type=media_type)
    except ValueError:  # the rest of the result stays useful
        return f"[{_one_line(media_type)}: its data is damaged]"


async def _linked(link: ResourceLink, read: Read, limit: int) -> str:
    """Return what a link states about its resource, and the resource's text, up to `limit` characters."""
    name = link.title or link.name
    stated = [name, link.description, link.uri, link.mime_type, counted(link.size, "byte") if link.size else ""]
    label = f"[resource: {'; '.join(_one_line(each) for each in stated if each)}]"
    if link.mime_type and not _TEXT.match(link.mime_type):
        return f"{label}\n[not read: it is not text]"
    if link.size and link.size > LINKED_BYTES:
        return f"{label}\n[not read: it is too large]"
    if not limit:
        return f"{label}\n[not read: only the first {LINKS} linked resources of a result are]"
    try:
        async with asyncio.timeout(READ_SECONDS):
            contents = await read(link.uri)
    except TimeoutError:
        return f"{label}\n[not read: the server did not answer within {READ_SECONDS:g} s]"
    except Exception as error:  # noqa: BLE001  the result stays useful without the resource
        return f"{label}\n[not read: {_one_line(str(error) or type(error).__name__)}]"
    texts = [each.text for each in contents if isinstance(each, TextResourceContents)]
    if not texts:
        return f"{label}\n[it is not text]" if contents else f"{label}\n[it is empty]"
    text = "\n".join(texts)
    note = f"\n[cut: {counted(len(text) - limit, 'character')}]" if len(text) > limit else ""
    return f"{label}\n{text[:limit]}{note}"


def _one_line(text: str) -> str:
    return shortened(" ".join(text.split()), FIELD_LIMIT)
