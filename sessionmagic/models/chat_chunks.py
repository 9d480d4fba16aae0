"""The chunks of a streamed chat completion, as a server sends them.

The OpenAI SDK 3.57 makes each chunk in Python, field by field. Here, pydantic's own parser makes those that are as
OpenAI specifies them, twenty times faster. All others are made as the SDK makes them.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from httpx2 import RequestError, TimeoutException
from openai import APIConnectionError, APIError, APITimeoutError
from openai.types.chat import ChatCompletionChunk
from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

    from httpx2 import Request, Response

END = b"[DONE]"
"""The data of the last event."""
DRAIN_SECONDS = 0.1
"""How long the end of a body may take to come after the last event. The connection can be used again after it."""


async def chunks_of(response: Response) -> AsyncGenerator[ChatCompletionChunk]:
    """Yield the chunks of a response, and close it.

    Raises:
        APIError: A chunk reports an error. Its body is that error.
        APIConnectionError: The connection was lost, or the server was silent for too long.
        ValueError: A chunk is not JSON.
    """
    events, blocks = Events(), aiter(response.aiter_bytes())
    try:
        async for block in blocks:
            for data in events.feed(block):
                if data.startswith(END):
                    await _drained(blocks)
                    return
                chunk = parsed(data, response.request)
                if chunk is not None:
                    yield chunk
    except TimeoutException as error:
        raise APITimeoutError(request=response.request) from error
    except (RequestError, ssl.SSLError) as error:
        raise APIConnectionError(request=response.request) from error
    finally:
        await response.aclose()


async def _drained(blocks: AsyncIterator[bytes]) -> None:
    with suppress(RequestError, ssl.SSLError, TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in blocks:
                pass


def parsed(data: bytes, request: Request) -> ChatCompletionChunk | None:
    """Return the chunk that is the data of an event; None if it is not even a JSON object.

    Raises `APIError` if it reports an error, and `ValueError` if it is not JSON.
    """
    try:
        chunk = ChatCompletionChunk.model_validate_json(data, strict=True)
    except ValidationError:
        fields: Any = json.loads(data.decode())
        if not isinstance(fields, dict):
            return None
        chunk = ChatCompletionChunk.construct(**fields)
    error = chunk.model_extra.get("error") if chunk.model_extra else None
    if error:
        words = error.get("message") if isinstance(error, dict) else None
        message = words if words and isinstance(words, str) else "An error occurred during streaming"
        raise APIError(message, request, body=error)
    return chunk


class Events:
    """Finds the data of server-sent events in a stream of bytes. Lines may end with CR, LF or both."""

    def __init__(self) -> None:
        self._line = b""
        """The beginning of a line that is not complete."""
        self._ends_with_cr = False
        self._data: list[bytes] = []

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Take the next bytes, and yield the data of each event that is complete now, if it has any."""
        if self._ends_with_cr and block[:1] == b"\n":
            block = block[1:]
            self._ends_with_cr = False
        if not block:
            return
        self._ends_with_cr = block.endswith(b"\r")
        *lines, self._line = _split(self._line + block)
        for line in lines:
            name, _, value = line.partition(b":")
            if name == b"data":
                self._data.append(value.removeprefix(b" "))
            elif not line and self._data:
                data, self._data = b"\n".join(self._data), []
                if data:
                    yield data


def _split(text: bytes) -> list[bytes]:
    """Return the lines of a text, and what follows the last one's end."""
    lines = text.splitlines()
    return lines if text[-1:] not in (b"\r", b"\n") else [*lines, b""]
