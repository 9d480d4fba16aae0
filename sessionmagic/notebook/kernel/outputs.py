"""What came of code that a model has written: text of bounded length, and rich outputs made harmless."""

from __future__ import annotations

import base64
import re
from collections import deque
from dataclasses import dataclass, field
from io import TextIOBase
from typing import Any

from IPython.display import publish_display_data

from sessionmagic.conversation.attachment import IMAGE_STARTS
from sessionmagic.keys import without_keys
from sessionmagic.notebook.page.answer import NO_MATH
from sessionmagic.notebook.page.rendering import clean_html, render_markdown

TEXT_LIMIT = 10_000
"""Characters of text that are kept, half of them from the end. Less than a model reads, so it is cut once."""
SHOWN_LIMIT = 10
"""Rich outputs of one call that are kept and shown."""
CONTENT_LIMIT = 10_000_000
"""Characters of one rich output that are shown."""
IMAGES = ("image/png", "image/jpeg")
SVG = "image/svg+xml"
FIGURES = (*IMAGES, SVG)
KINDS = (*FIGURES, "text/html", "text/markdown", "text/plain")
"""What can be shown, or read by a model."""
_TAG = re.compile(r"<[^>]*>")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class RichOutput:
    """What was displayed, by MIME type; images in base64.

    Args:
        display_id: by which it is replaced later, if it can be.
    """

    def __init__(
        self, data: dict[str, Any], metadata: dict[str, Any] | None = None, display_id: str | None = None
    ) -> None:
        texts = {kind: _as_text(data[kind]) for kind in KINDS if kind in data}
        self._data = {kind: content for kind, text in texts.items() if (content := _showable(kind, text))}
        self._missing = [str(kind) for kind in data if kind not in {"text/plain", *self._data}]
        self._metadata = metadata or {}
        self.display_id = display_id

    @property
    def text(self) -> str:
        """What a model reads of it."""
        return "" if self.is_figure else self._data.get("text/markdown") or self._plain

    @property
    def image(self) -> tuple[str, str] | None:
        """MIME type and content of its image, if a model can see it."""
        return next(((kind, self._data[kind]) for kind in IMAGES if kind in self._data), None)

    @property
    def is_figure(self) -> bool:
        """Whether it is to be looked at."""
        return bool({*FIGURES} & set(self._data))

    @property
    def is_rich(self) -> bool:
        """Whether there is more to it than text, if only what cannot be shown."""
        return bool(set(self._data) - {"text/plain"} or self._missing)

    def display(self) -> None:
        """Show what is harmless of it under the cell."""
        if self.is_rich:
            publish_display_data({"text/plain": without_keys(self._plain[:TEXT_LIMIT])} | self._rich(), self._sizes())

    @property
    def _plain(self) -> str:
        """Its text; where that is all there is to see, with a note of what is missing."""
        all_there_is = set(self._data) <= {"text/plain"}
        note = f"[not shown: {', '.join(self._missing)}]" if self._missing and all_there_is else ""
        return "\n".join(filter(None, [self._data.get("text/plain"), note]))

    def _rich(self) -> dict[str, str]:
        rich = dict([self.image]) if self.image else {}
        if "text/html" in self._data:
            rich["text/html"] = _closed(self._data["text/html"])
        elif "text/markdown" in self._data:
            rich["text/html"] = render_markdown(without_keys(self._data["text/markdown"]))
        elif SVG in self._data and not rich:
            # within an image, nothing of it runs and nothing is fetched
            source = base64.b64encode(self._data[SVG].encode()).decode()
            rich["text/html"] = f'<img alt="figure" src="data:{SVG};base64,{source}">'
        return rich

    def _sizes(self) -> dict[str, Any]:
        """How large images are shown: of a sharp one, half as large as it is."""
        return {
            kind: {side: sizes[side] for side in ("width", "height") if isinstance(sizes.get(side), int | float)}
            for kind, sizes in self._metadata.items()
            if kind in IMAGES and isinstance(sizes, dict)
        }


@dataclass(slots=True)
class Ran:
    """What came of a call: text in the order in which it appeared, rich outputs, and what it raised."""

    text: str = ""
    shown: list[RichOutput] = field(default_factory=list)
    error: BaseException | None = None

    def display(self) -> None:
        """Show the rich outputs under the cell, where they stay."""
        for output in self.shown:
            output.display()

    def then(self, later: Ran) -> Ran:
        """Return this with what came after it."""
        text = "\n".join(filter(None, [self.text, later.text]))
        return Ran(text, [*self.shown, *later.shown], self.error or later.error)


class Kept(TextIOBase):
    """What a call writes and shows, in bounded size."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.shown: list[RichOutput] = []
        self._left_out = 0
        self._head: list[str] = []
        self._tail: deque[str] = deque()
        self._room = TEXT_LIMIT // 2
        self._kept = 0
        """Characters in the tail."""
        self._lost = 0
        self._in_line = False
        self._clearing = False
        """Whether what comes next takes the place of all that is there."""

    def write(self, text: str) -> int:
        """Keep the beginning and the end of all that is written."""
        if text and self._clearing:
            self._begin()
        self._in_line = not text.endswith("\n") if text else self._in_line
        if head := text[: self._room]:
            self._head.append(head)
            self._room -= len(head)
        if tail := text[len(head) :][-TEXT_LIMIT:]:
            self._lost += len(text) - len(head) - len(tail)
            self._tail.append(tail)
            self._kept += len(tail)
            while self._kept - len(self._tail[0]) >= TEXT_LIMIT // 2:
                self._kept -= len(self._tail[0])
                self._lost += len(self._tail.popleft())
        return len(text)

    def write_line(self, text: str) -> None:
        """Write text on lines of its own, without colours."""
        if text:
            self.write("\n" * self._in_line + _ANSI.sub("", text) + "\n")

    def take(self, message: dict[str, Any]) -> None:
        """Do what a kernel's message asks of a page: display something, also in the place of something, or clear."""
        kind, content = message["msg_type"], message["content"]
        if kind == "clear_output":
            self.clear(wait=content.get("wait", False))
        elif kind in {"display_data", "update_display_data", "execute_result"}:
            display_id = (content.get("transient") or {}).get("display_id")
            output = RichOutput(content["data"], content.get("metadata"), display_id)
            self.show(output, in_place_of=display_id if kind == "update_display_data" else None)

    def clear(self, *, wait: bool) -> None:
        """Forget all; with `wait`, once there is something else."""
        if wait:
            self._clearing = True
        else:
            self._begin()

    def show(self, output: RichOutput, *, in_place_of: str | None = None) -> None:
        """Keep what is displayed, in the place of what has that id, if there is something."""
        if self._clearing:
            self._begin()
        places = [n for n, other in enumerate(self.shown) if in_place_of and other.display_id == in_place_of]
        for n in places:
            self.shown[n] = output
        if output.is_rich and not places:
            if len(self.shown) < SHOWN_LIMIT:
                self.shown.append(output)
            else:
                self._left_out += 1
        self.write_line(output.text)

    @property
    def text(self) -> str:
        """What was written, with notes of how much was cut, and of how much is not shown."""
        tail = "".join(self._tail)
        lost = self._lost + max(0, len(tail) - TEXT_LIMIT // 2)
        cut = f"\n[cut: {lost:,} characters]\n" if lost else ""
        text = "".join([*self._head, cut, tail[-TEXT_LIMIT // 2 :]]).strip("\n")
        first = f"[only the first {SHOWN_LIMIT} figures and other displays are shown; {self._left_out:,} more are not]"
        return "\n".join(filter(None, [text, first if self._left_out else ""]))


def _as_text(content: object) -> str:
    text = base64.b64encode(content).decode() if isinstance(content, bytes) else str(content)
    return text.encode(errors="replace").decode()  # half a character can be neither shown nor sent


def _showable(kind: str, content: str) -> str:
    """Return what can be shown of content of that kind, HTML without what acts or fetches; empty if nothing can."""
    if kind == "text/plain":
        return content
    if len(content) > CONTENT_LIMIT or (kind in IMAGES and not _is_image(kind, content)):
        return ""
    if kind != "text/html":
        return content
    html = clean_html(without_keys(content))
    return html if _TAG.sub("", html).strip() else ""


def _is_image(kind: str, content: str) -> bool:
    """Whether that is the base64 of such an image: a model's provider refuses all if one is none."""
    try:
        return base64.b64decode(content).startswith(IMAGE_STARTS[kind])
    except ValueError:
        return False


def _closed(html: str) -> str:
    """Keep formulas in foreign HTML from being typeset: they may hold links."""
    return f"<div {NO_MATH}>{html}</div>"
