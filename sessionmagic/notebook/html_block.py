"""HTML that stays HTML in a Markdown document, into which exporters write it as it is."""

from __future__ import annotations

import re

_BEGINS_BLOCK = re.compile(r"<(?:blockquote|details|div|h[1-6r]|ol|p|section|table|ul)[\s>]")
"""Tags that begin a block of HTML in Markdown which only a blank line ends. Others end sooner, or begin none."""
_BEFORE_BLANK_LINE = re.compile(r"\n(?=[^\S\n]*\n)")


def html_block(html: str) -> str:
    """Return HTML that is one block of HTML in Markdown, and the same on a page.

    After a blank line, the rest would be read as Markdown: what a model wrote in code could become an image, which is
    fetched. So an entity takes the place of each newline before a blank line. It is shown and copied as a newline.
    """
    html = html.replace("\r\n", "\n").replace("\r", "\n")
    return _BEFORE_BLANK_LINE.sub("&#10;", html if _BEGINS_BLOCK.match(html) else f"<div>{html}</div>")
