"""Read a page of the web: from an address that was checked, and no more of it than is wanted."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from importlib.metadata import version
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

from httpx2 import URL, AsyncClient, ConnectError, HTTPError, InvalidURL

from sessionmagic.exceptions import ToolError
from sessionmagic.loop import in_thread
from sessionmagic.models.connections import tls
from sessionmagic.tools.toolsets.addresses import addresses_of, check_public
from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    from httpx2 import Response

LIMIT = 1_000_000
"""Bytes of a page that are read, as in docker-agent."""
REDIRECTS = 5
PORTS = {"http": 80, "https": 443}
LAST_PORT = 65_535
ACCEPTED = "text/html, text/markdown, text/plain, application/json;q=0.9, */*;q=0.1"
_TEXT = re.compile(r"text/.*|application/(?:json|xml|javascript|x?html|yaml|x-yaml|x-ndjson|toml)|.*\+(?:json|xml)")
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([\w-]{1,30})", re.IGNORECASE)
_CHARSETS = re.compile(
    r"utf-?(?:8|16)(?:-?[lb]e)?|(?:us-)?ascii|latin-?1|iso-?8859-\d\d?|(?:windows-|cp)125\d|koi8-[ru]"
    r"|shift_jis|euc-(?:jp|kr)|iso-2022-jp|gb2312|gbk|gb18030|big5",
    re.IGNORECASE,
)
"""The encodings that pages use. Others of Python take long for some texts, or are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What an address has answered."""

    url: str
    status: int
    is_html: bool
    text: str
    is_cut: bool
    """Whether it is longer."""


async def read_page(address: str, seconds: float, *, local: bool = False) -> Page:
    """Return what an address answers to GET. Redirects on the same host are followed.

    Args:
        address: An ``http`` or ``https`` address.
        seconds: How long it may take.
        local: Whether addresses of this machine and its network are allowed.

    Raises `ToolError` if it cannot be read, is not allowed, or is no text.
    """
    url = _checked(address)
    try:
        async with asyncio.timeout(seconds):
            for _ in range(REDIRECTS + 1):
                page = await _asked(url, local=local)
                if isinstance(page, Page):
                    return page
                url = page
    except TimeoutError:
        raise ToolError(f"{_shown(url)} did not answer within {seconds:g} s") from None
    except HTTPError as error:
        why = printable(str(error)) or type(error).__name__
        raise ToolError(f"{_shown(url)} cannot be read: {shortened(why, 200)}") from error
    raise ToolError(f"{_shown(url)} redirects more than {REDIRECTS} times")


def _checked(address: str) -> URL:
    """Return an address that may be asked. Raises `ToolError`."""
    try:
        url = URL(address)
    except InvalidURL as error:
        raise ToolError(f"{shortened(printable(address))!r} is not an address: {error}") from error
    if url.scheme not in PORTS or not url.host or not (url.port is None or 0 < url.port <= LAST_PORT):
        raise ToolError(f"{shortened(printable(address))!r} is not an http or https address")
    if url.userinfo:
        raise ToolError("an address with a name or a password before @ is not fetched; leave them out")
    return url


async def _asked(url: URL, *, local: bool) -> Page | URL:
    """Ask an address, and return the page, or the address to which it redirects."""
    behind_proxy = _is_behind_proxy(url)
    port = url.port or PORTS[url.scheme]
    places = [url.host] if behind_proxy else await addresses_of(url.host, port, local=local)
    if behind_proxy and not local:
        _check_named(url.host)
    headers = {"User-Agent": f"sessionmagic/{version('sessionmagic')}", "Accept": ACCEPTED}
    async with AsyncClient(
        verify=await in_thread(tls), trust_env=behind_proxy, headers=headers, timeout=None
    ) as client:
        for number, place in enumerate(places, 1):
            # The connection goes to the address that was checked; the name may stand for another one by now.
            request = client.build_request("GET", url, extensions={"sni_hostname": url.host})
            request.url = url.copy_with(host=place)
            try:
                response = await client.send(request, stream=True)
            except ConnectError:
                if number == len(places):
                    raise
                continue
            try:
                return await _answer(url, response)
            finally:
                await response.aclose()
    raise ToolError(f"no address was found for {_shown(url)}")


def _is_behind_proxy(url: URL) -> bool:
    """Return whether the user's proxy makes the connection. It then also looks up the name."""
    return url.scheme in getproxies() and not proxy_bypass(url.host)


def _check_named(host: str) -> None:
    """Raise `ToolError` for a name that stands for this machine, or an address of its network."""
    try:
        check_public(host, str(ip_address(host)))
    except ValueError:
        if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
            check_public(host, "127.0.0.1")


async def _answer(url: URL, response: Response) -> Page | URL:
    if response.is_redirect and "location" in response.headers:
        return _redirected(url, response.headers["location"])
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and not _TEXT.fullmatch(kind):
        raise ToolError(f"{_shown(url)} is {shortened(printable(kind))}, and only texts are read")
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > LIMIT:
            break
    is_html = "html" in kind or (not kind and content[:200].lstrip().lower().startswith((b"<!doctype html", b"<html")))
    text = bytes(content[:LIMIT]).decode(_charset(response, content, is_html=is_html), errors="replace")
    if "\0" in text:
        raise ToolError(f"{_shown(url)} is no text")
    cut = len(content) > LIMIT
    return Page(url=str(url), status=response.status_code, is_html=is_html, text=text, is_cut=cut)


def _redirected(url: URL, location: str) -> URL:
    """Return where an address redirects, if that is on the same host. Raises `ToolError`."""
    try:
        target = _checked(str(url.join(location)))
    except (InvalidURL, ValueError) as error:
        raise ToolError(f"{_shown(url)} redirects to something that is not an address") from error
    same_port = (target.port or PORTS[target.scheme]) == (url.port or PORTS[url.scheme])
    upgraded = (url.scheme, target.scheme) == ("http", "https") and url.port is None and target.port is None
    if target.host != url.host or not (upgraded or (same_port and target.scheme == url.scheme)):
        raise ToolError(f"{_shown(url)} redirects to {_shown(target)}; fetch that if it is wanted")
    return target


def _charset(response: Response, content: bytes | bytearray, *, is_html: bool) -> str:
    named = response.charset_encoding or ""
    if not named and is_html and (found := _CHARSET.search(content, 0, 2_000)):
        named = found[1].decode()
    return named if _CHARSETS.fullmatch(named) else "utf-8"


def _shown(url: URL) -> str:
    return shortened(printable(str(url)), 200)
