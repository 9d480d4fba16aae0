"""The text of a web page, plain or as Markdown.

It is found tag by tag, in time in proportion to the page: parsers that mend HTML as browsers do take minutes for a page
that was made to be slow.
"""

from __future__ import annotations

import html
import re
from urllib.parse import urljoin, urlsplit

LONGEST = 200_000
"""Characters of text after which the rest of a page is left out. A model reads fewer of a result."""
_TAG = re.compile(r"<(?P<end>/?)(?P<name>[a-zA-Z][\w:-]*)(?P<attributes>[^<>]*)>", re.ASCII)
_HREF = re.compile(r"""(?:^|\s)href\s*=\s*(?:"(?P<two>[^"]*)"|'(?P<one>[^']*)'|(?P<bare>[^\s"'>]+))""", re.IGNORECASE)
_HIDDEN = {"script", "style", "template", "noscript", "svg", "iframe", "object", "textarea"}
"""Elements whose content is no text of the page."""
_BREAKS = {"br", "tr", "li", "dt", "dd", "option"}
_BLOCKS = {
    *("address", "article", "aside", "blockquote", "body", "div", "dl", "fieldset", "figcaption", "figure", "footer"),
    *("form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "main", "nav", "ol", "p", "pre", "section", "table"),
    *("tbody", "tfoot", "thead", "title", "ul"),
}
_MARKS = {**{f"h{level}": "#" * level + " " for level in range(1, 7)}, "li": "- ", "pre": "```\n", "code": "`"}
_SPACES = re.compile(r"[ \t\r\f\n]+")


def page_text(page: str, *, base: str = "", markdown: bool = False) -> str:
    """Return the text of a page.

    Args:
        page: Its HTML.
        base: Its address, at which relative links begin.
        markdown: Whether headings, lists, links and code keep their marks.
    """
    reader = _Reader(base, markdown=markdown)
    reader.read(page)
    return reader.text


class _Reader:
    def __init__(self, base: str, *, markdown: bool) -> None:
        self._base = base
        self._markdown = markdown
        self._pieces: list[str] = []
        self._length = 0
        self._preformatted = 0
        self._link = ""

    @property
    def text(self) -> str:
        lines = [line.rstrip() for line in "".join(self._pieces).split("\n")]
        kept = [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]
        return "\n".join(kept).strip("\n")

    def read(self, page: str) -> None:
        at = 0
        while (opened := page.find("<", at)) != -1 and self._length < LONGEST:
            self._add(page[at:opened])
            at = self._after(page, opened)
        self._add(page[at : at + LONGEST])

    def _after(self, page: str, opened: int) -> int:
        """Read what begins with ``<``, and return where it ends. What is not closed goes to the end of the page."""
        if tag := _TAG.match(page, opened):
            name = tag["name"].lower()
            if name in _HIDDEN and not tag["end"]:
                closing = re.compile(rf"</{name}\s*>", re.IGNORECASE).search(page, tag.end())
                return closing.end() if closing else len(page)
            self._tag(name, tag["attributes"], ends=bool(tag["end"]))
            return tag.end()
        end = "-->" if page.startswith("<!--", opened) else ">"
        if page[opened + 1 : opened + 2] in {"!", "?", "/"}:
            closed = page.find(end, opened)
            return closed + len(end) if closed != -1 else len(page)
        self._add("<")
        return opened + 1

    def _tag(self, name: str, attributes: str, *, ends: bool) -> None:
        if self._markdown and ends:
            self._end_mark(name)
        if name in _BLOCKS:
            self._pieces.append("\n\n")
        elif name in _BREAKS:
            self._pieces.append("" if ends else "\n")
        elif name in {"td", "th"}:
            self._pieces.append("" if ends else " | " if self._markdown else "\t")
        if name == "pre":
            self._preformatted = max(self._preformatted + (-1 if ends else 1), 0)
        if self._markdown and not ends:
            self._begin_mark(name, attributes)

    def _begin_mark(self, name: str, attributes: str) -> None:
        if name == "a" and not self._link:
            self._link = self._target(attributes)
            self._pieces.append("[" if self._link else "")
        elif name == "code" and self._preformatted:
            return
        else:
            self._pieces.append(_MARKS.get(name, ""))

    def _end_mark(self, name: str) -> None:
        if name == "a" and self._link:
            self._pieces.append(f"]({self._link})")
            self._link = ""
        elif name == "pre" and self._preformatted:
            self._pieces.append("\n```")
        elif name == "code" and not self._preformatted:
            self._pieces.append("`")

    def _target(self, attributes: str) -> str:
        """Return where a link leads; empty if it has no address of the web."""
        found = _HREF.search(attributes)
        if found is None:
            return ""
        try:
            target = urljoin(self._base, html.unescape(found["two"] or found["one"] or found["bare"] or "").strip())
            urlsplit(target)
        except ValueError:
            return ""
        return re.sub(r"[\s()<>]", "", target) if target.startswith(("http://", "https://")) else ""

    def _add(self, text: str) -> None:
        if not text:  # as between two tags
            return
        text = html.unescape(text)
        self._length += len(text)
        self._pieces.append(text if self._preformatted else _SPACES.sub(" ", text))
