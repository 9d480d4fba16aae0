"""The tool of the type ``fetch``: reads pages of the web with GET.

It asks like every tool that may change something, because an address carries what it says to somebody else. A redirect
to another host is not followed, so that what was approved is what is read. The name is docker-agent's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sessionmagic.exceptions import ToolError
from sessionmagic.loop import in_own_thread
from sessionmagic.tools.toolsets.page_text import page_text

if TYPE_CHECKING:
    from sessionmagic.tools.toolsets.pages import Page

Format = Literal["text", "markdown", "html"]
SECONDS = 30
LONGEST_SECONDS = 300
"""The longest timeout, which is docker-agent's."""
MOST = 10
"""Addresses of one call."""


class Fetch:
    """The tool.

    Args:
        seconds: How long one page may take, if the call does not say it.
        local: Whether addresses of this machine and its network may be fetched.
    """

    def __init__(self, seconds: int | None = None, *, local: bool = False) -> None:
        self._seconds = seconds or SECONDS
        self._local = local

    async def fetch(self, urls: list[str], format: Format = "text", timeout: int | None = None) -> str:  # noqa: A002
        """Read web pages."""
        seconds = self._seconds if timeout is None else timeout
        if not 0 < seconds <= LONGEST_SECONDS:
            raise ToolError(f"the timeout must be more than 0 and at most {LONGEST_SECONDS} seconds")
        if not 0 < len(urls) <= MOST:
            raise ToolError(f"{len(urls)} addresses were given; give one to {MOST}")
        if len(urls) == 1:
            return await self._read(urls[0], format, seconds)
        return "\n\n".join([await self._read_or_problem(url, format, seconds) for url in urls])

    async def _read_or_problem(self, url: str, form: Format, seconds: float) -> str:
        try:
            return await self._read(url, form, seconds)
        except ToolError as error:
            return f"[{error}]"

    async def _read(self, url: str, form: Format, seconds: float) -> str:
        from sessionmagic.tools.toolsets.pages import read_page

        page = await read_page(url, seconds, local=self._local)
        return await in_own_thread(_shown, page, form)


def _shown(page: Page, form: Format) -> str:
    text = page.text
    if page.is_html and form != "html":
        text = page_text(text, base=page.url, markdown=form == "markdown")
    cut = "\n[the page is longer]" if page.is_cut else ""
    return f"{page.url} (status {page.status})\n\n{text}{cut}"
