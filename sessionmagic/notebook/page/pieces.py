"""Pieces of the page as widgets: HTML that looks like a saved answer, and buttons; and letting go of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.page.attention import answer_at_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

PAGE_CLASSES = ("jp-RenderedHTMLCommon", "jp-OutputArea-output")
"""What JupyterLab gives a saved answer, so that the growing one looks the same."""


def page(html: str) -> Any:
    """Return a page with a layout and style of its own: a page that was reloaded cannot resolve older ones in time.

    It is as wide as its column by its class, so that a margin at its sides would make a scroll bar.
    """
    from ipywidgets import HTMLMath

    style = {"font_size": "var(--jp-content-font-size1)"}
    return HTMLMath(html, style=style, layout={"margin": "2px 0"}, _dom_classes=PAGE_CLASSES)


def column(*children: Any) -> Any:
    """Return widgets one below the other."""
    from ipywidgets import VBox

    return VBox(children)


def row(*children: Any, **layout: str) -> Any:
    """Return widgets one beside the other."""
    from ipywidgets import HBox

    return HBox(children, layout=layout)


def button(words: str, clicked: Callable[[], object], **about: Any) -> Any:
    """Return a button whose clicks arrive also while a cell runs."""
    from ipywidgets import Button, Layout

    made = Button(description=words, layout=Layout(width="auto"), **about)
    made.on_click(lambda _: clicked())
    answer_at_once(made)
    return made


def wrapped(html: str) -> str:
    """Let a word that is longer than the line break, instead of widening the page."""
    return f'<div style="overflow-wrap:anywhere">{html}</div>'


def forget(widgets: Iterable[Any], keep: Sequence[Any] = ()) -> None:
    """Let go of widgets that no page shows any more, and of all within them, without telling every page of each."""
    for part in [part for widget in widgets for part in within(widget)]:
        if part.comm is not None and all(part is not kept for kept in keep):
            part.comm.publish_msg = lambda *_, **__: None
            part.close()


def within(widget: Any) -> Iterator[Any]:
    """Yield a widget and all that it is made of."""
    yield widget
    for part in (getattr(widget, "style", None), getattr(widget, "layout", None), *getattr(widget, "children", ())):
        if hasattr(part, "comm"):
            yield from within(part)
