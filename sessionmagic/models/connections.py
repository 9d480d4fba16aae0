"""The HTTP client of all turns. Its connections stay open from one turn to the next, as does what it has read of TLS.

Making a client for each turn would take 55 ms of processor time for its certificates, and a handshake with the server.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
import threading
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from httpx2 import AsyncBaseTransport, AsyncHTTPTransport, Limits, create_ssl_context

from sessionmagic.loop import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from httpx2 import AsyncClient, Request, Response

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""The variables that name the certificates by which HTTPX recognizes servers."""
LIMITS = Limits(max_connections=1000, max_keepalive_connections=100)
"""Those of pydantic-ai's own clients."""

_Kind = tuple[str, ...]
"""The scheme of an address, and for ``https`` the certificates by which its servers are recognized."""


class OpenConnections(AsyncBaseTransport):
    """Connections that stay open, each on the event loop that has opened it. They are closed with that loop.

    Proxies are not used. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[tuple[asyncio.AbstractEventLoop, _Kind], AsyncHTTPTransport] = {}
        self._endings: set[AsyncGenerator[None]] = set()

    async def handle_async_request(self, request: Request) -> Response:
        """Send a request over a connection of the running loop."""
        return await (await self._of_this_loop(request.url.scheme)).handle_async_request(request)

    async def _of_this_loop(self, scheme: str) -> AsyncHTTPTransport:
        loop = asyncio.get_running_loop()
        key = loop, (scheme, *(_certificates() if scheme == "https" else ()))
        if (known := self._open.get(key)) is not None:
            return known
        options = await _options_for(scheme)
        with self._lock:
            self._open = {each: transport for each, transport in self._open.items() if not each[0].is_closed()}
            if (known := self._open.get(key)) is not None:
                return known
            self._open[key] = made = AsyncHTTPTransport(**options)
        ending = self._closed_with_loop(key, made)
        self._endings.add(ending)
        await anext(ending)
        return made

    async def _closed_with_loop(
        self, key: tuple[asyncio.AbstractEventLoop, _Kind], transport: AsyncHTTPTransport
    ) -> AsyncGenerator[None]:
        """Close a transport when its loop ends its asynchronous generators, such as this one."""
        try:
            yield
        finally:
            with self._lock:
                self._open.pop(key, None)
            with suppress(Exception):  # a connection that is lost already
                await transport.aclose()


def tls() -> ssl.SSLContext:
    """Return the TLS context of all connections. Takes 50 ms for the first one.

    Raises `OSError` if an environment variable names certificates that do not exist.
    """
    return _tls(_certificates())


@lru_cache(maxsize=1)
def _tls(_: _Kind) -> ssl.SSLContext:
    return create_ssl_context()


async def _options_for(scheme: str) -> dict[str, Any]:
    """Return the options of a transport. In Pyodide, the browser connects, and HTTPX warns of each option."""
    if sys.platform == "emscripten":
        return {}
    context = await in_thread(tls) if scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return {"verify": context, "limits": LIMITS}


def _certificates() -> _Kind:
    """Return what tells one set of certificates from another: their places, and when they were written."""
    found: list[str] = []
    for variable in CERTIFICATES:
        place = os.environ.get(variable, "")
        found.append(place)
        with suppress(OSError):
            found.append(str(Path(place).stat().st_mtime_ns) if place else "")
    return tuple(found)


@cache
def shared_client() -> AsyncClient:
    """Return the client, which asks all servers directly and is never closed."""
    from pydantic_ai.models import create_async_httpx2_client

    return create_async_httpx2_client(transport=OpenConnections())
