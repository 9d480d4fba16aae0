"""The output of code that a model has written: text of bounded length, and rich outputs made harmless."""

from __future__ import annotations

import base64
import re
from collections import deque
from dataclasses import dataclass, field
from io import TextIOBase
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.attachment import IMAGE_STARTS
from sessionmagic.conversation.printed import LENGTH
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.notebook.kernel.bounded import TEXT_LIMIT, BoundedText
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page.answer import NO_MATH
from sessionmagic.notebook.page.rendering import clean_html, render_markdown
from sessionmagic.notebook.page.wide import SCROLLS

if TYPE_CHECKING:
    from collections.abc import Mapping

PIECES = 1_000
"""How many of the latest pieces of text are kept for `CapturedOutput.taken`."""
SHOWN_LIMIT = 10
"""Rich outputs of one call that are kept and shown; the others are only counted."""
STORED_LIMIT = 1_000_000
"""Characters of what a call displays that are stored, so that `--reuse` can show it again."""
CONTENT_LIMIT = 10_000_000
"""Characters of one rich output; a longer one is not shown."""
IMAGES = ("image/png", "image/jpeg")
SVG = "image/svg+xml"
FIGURES = (*IMAGES, SVG)
KINDS = (*FIGURES, "text/html", "text/markdown", "text/plain")
"""MIME types that can be shown or that a model can read."""
_TAG = re.compile(r"<[^>]*>")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class RichOutput:
    """One displayed object, as content by MIME type.

    Args:
        data: The content as code displayed it; images are bytes or base64.
        metadata: The metadata by MIME type, of which only the sizes of images are used.
        display_id: The id with which a later output can replace this one.
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
        """The text that a model reads; empty for a figure."""
        return "" if self.is_figure else self._data.get("text/markdown") or self._plain

    @property
    def image(self) -> tuple[str, str] | None:
        """MIME type and base64 of the image that a model can see, if there is one."""
        return next(((kind, self._data[kind]) for kind in IMAGES if kind in self._data), None)

    @property
    def is_figure(self) -> bool:
        """Whether it is an image or a drawing."""
        return bool({*FIGURES} & set(self._data))

    @property
    def is_rich(self) -> bool:
        """Whether it has a form other than plain text, even one that cannot be shown."""
        return bool(set(self._data) - {"text/plain"} or self._missing)

    @property
    def output(self) -> Output:
        """The harmless content as an output under the cell."""
        text = without_keys(self._plain)[:TEXT_LIMIT]
        return Output(({"text/plain": text} if text else {}) | self._rich(), self._sizes())

    @property
    def stored(self) -> dict[str, Any]:
        """The output as it is stored with the result of its call; `restored` reads it."""
        kept = {
            kind: {"kind": "binary", "media_type": kind, "data": content} if kind in IMAGES else content
            for kind, content in self._data.items()
        }
        return {"data": kept | dict.fromkeys(self._missing, ""), "metadata": self._sizes()}

    @property
    def size(self) -> int:
        """Characters of the content."""
        return sum(map(len, self._data.values()))

    @property
    def _plain(self) -> str:
        """The plain text, with a note of what is missing if nothing else can be shown."""
        only_text = set(self._data) <= {"text/plain"}
        note = f"[not shown: {', '.join(self._missing)}]" if self._missing and only_text else ""
        return "\n".join(filter(None, [self._data.get("text/plain"), note]))

    def _rich(self) -> dict[str, str]:
        rich = dict([self.image]) if self.image else {}
        if "text/html" in self._data:
            rich["text/html"] = _without_math(without_keys(self._data["text/html"]))
        elif "text/markdown" in self._data:
            rich["text/html"] = render_markdown(without_keys(self._data["text/markdown"]))
        elif SVG in self._data and not rich:
            # A browser runs no scripts in an image, and loads nothing for it.
            source = base64.b64encode(without_keys(self._data[SVG]).encode()).decode()
            rich["text/html"] = f'<img alt="figure" src="data:{SVG};base64,{source}">'
        return rich

    def _sizes(self) -> dict[str, Any]:
        """Return the metadata that sizes images; a high-resolution image is shown at half its size."""
        return {
            kind: {side: sizes[side] for side in ("width", "height") if isinstance(sizes.get(side), int | float)}
            for kind, sizes in self._metadata.items()
            if kind in IMAGES and isinstance(sizes, dict)
        }


@dataclass(slots=True)
class CallResult:
    """The output of a call, in order, and its error."""

    text: str = ""
    shown: list[RichOutput] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def displays(self) -> list[Output]:
        """What is shown under the cell: all but plain text alone, which the call's text contains."""
        return [shown.output for shown in self.shown if shown.is_rich]

    def stored_after(self, before: list[Any] | None) -> list[Any] | None:
        """Return what is shown in the form in which it is stored, after what the call has shown before.

        Return None if it is too much, or if it was before.
        """
        rich = [shown for shown in self.shown if shown.is_rich]
        if before is None or sum(shown.size for shown in rich) > STORED_LIMIT:
            return None
        return [*before, *(shown.stored for shown in rich)]

    def followed_by(self, later: CallResult) -> CallResult:
        """Return this result with the result of a later part of the same call appended."""
        text = "\n".join(filter(None, [self.text, later.text]))
        return CallResult(text, [*self.shown, *later.shown], self.error or later.error)


class CapturedOutput(TextIOBase):
    """A file that keeps the output of a call, in bounded size, until it is closed."""

    def __init__(self) -> None:
        self._untaken: deque[str] = deque(maxlen=PIECES)
        self._reset()

    def _reset(self) -> None:
        self.shown: list[RichOutput] = []
        self._not_shown = 0
        self._text = BoundedText()
        self._clear_pending = False
        """Whether the next output replaces everything before it."""

    def write(self, text: str) -> int:
        """Keep the beginning and the end of everything that is written."""
        if text and self._clear_pending:
            self._reset()
        self._text.write(text)
        self._untaken.append(text[-LENGTH:])
        return len(text)

    def taken(self) -> str:
        """Return what was written since the last call of this, or the end of it. Safe on any thread."""
        pieces = [self._untaken.popleft() for _ in range(len(self._untaken))]
        return "".join(pieces)[-LENGTH:]

    def write_line(self, text: str) -> None:
        """Write text without colours, beginning and ending a line."""
        if text:
            self.write("\n" * self._text.mid_line + _ANSI.sub("", text) + "\n")

    def handle(self, message: dict[str, Any]) -> None:
        """Apply a display message of the kernel: show an output, update one, or clear all."""
        kind, content = message["msg_type"], message["content"]
        if kind == "clear_output":
            self.clear(wait=content.get("wait", False))
        elif kind in {"display_data", "update_display_data", "execute_result"}:
            display_id = (content.get("transient") or {}).get("display_id")
            output = RichOutput(content["data"], content.get("metadata"), display_id)
            self.show(output, replacing=display_id if kind == "update_display_data" else None)

    def clear(self, *, wait: bool) -> None:
        """Forget everything, at once or, with `wait`, when the next output comes."""
        if wait:
            self._clear_pending = True
        else:
            self._reset()

    def show(self, output: RichOutput, *, replacing: str | None = None) -> None:
        """Keep a displayed output.

        Args:
            output: The output.
            replacing: The display id of the outputs that it replaces, if there are any.
        """
        if self._clear_pending:
            self._reset()
        places = [n for n, other in enumerate(self.shown) if replacing and other.display_id == replacing]
        for n in places:
            self.shown[n] = output
        if output.is_rich and not places:
            if len(self.shown) < SHOWN_LIMIT:
                self.shown.append(output)
            else:
                self._not_shown += 1
        self.write_line(output.text)

    @property
    def text(self) -> str:
        """The written text, with notes of how many characters were cut and how many outputs are not shown."""
        note = f"[only the first {SHOWN_LIMIT} figures and other displays are shown; {self._not_shown:,} more are not]"
        return "\n".join(filter(None, [self._text.text, note if self._not_shown else ""]))


def restored(stored: Mapping[str, Any]) -> Output:
    """Return a stored output, made harmless again: its session may come from somebody else."""
    contents, metadata = stored.get("data"), stored.get("metadata")
    found = contents.items() if isinstance(contents, dict) else ()
    data = {str(kind): each.get("data", "") if isinstance(each, dict) else each for kind, each in found}
    return RichOutput(data, metadata if isinstance(metadata, dict) else None).output


def _as_text(content: object) -> str:
    text = base64.b64encode(content).decode() if isinstance(content, bytes) else str(content)
    return text.encode(errors="replace").decode()  # a lone surrogate can be neither shown nor sent


def _showable(kind: str, content: str) -> str:
    """Return the content if it can be shown, or an empty string. Code and loaded resources are removed from HTML."""
    if kind == "text/plain":
        return content
    if len(content) > CONTENT_LIMIT or (kind in IMAGES and not _is_image(kind, content)):
        return ""
    if kind != "text/html":
        return content
    html = clean_html(content)
    return html if _TAG.sub("", html).strip() else ""


def _is_image(kind: str, content: str) -> bool:
    """Return whether content is an image of this kind in base64. A provider refuses a request with a bad image."""
    try:
        return base64.b64decode(content).startswith(IMAGE_STARTS[kind])
    except ValueError:
        return False


def _without_math(html: str) -> str:
    """Keep the page from typesetting formulas in HTML that code displayed: they may contain links."""
    return f'<div {NO_MATH} style="{SCROLLS}">{html}</div>'
