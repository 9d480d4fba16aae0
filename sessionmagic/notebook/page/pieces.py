"""Widgets that the page is built from: HTML that looks like a saved answer, columns, rows and buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.page.attention import answer_at_once
from sessionmagic.notebook.page.wide import framed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

PAGE_CLASSES = ("jp-RenderedHTMLCommon", "jp-OutputArea-output")
"""The classes that JupyterLab gives a saved answer, so that the growing one looks the same."""


def page(html: str) -> Any:
    """Return a widget that shows HTML and typesets its formulas.

    Its layout and style are not shared, because a reloaded browser page cannot resolve shared ones in time. Its class
    makes it as wide as its column, so a margin at its sides would cause a scroll bar. A block is no wider than that,
    whatever is in it.
    """
    from ipywidgets import HTMLMath

    style = {"font_size": "var(--jp-content-font-size1)"}
    return HTMLMath(html, style=style, layout={"margin": "2px 0", "display": "block"}, _dom_classes=PAGE_CLASSES)


def column(*children: Any) -> Any:
    """Return a widget that shows its children below one another."""
    from ipywidgets import VBox

    return VBox(children)


def row(*children: Any, **layout: str) -> Any:
    """Return a widget that shows its children beside one another."""
    from ipywidgets import HBox

    return HBox(children, layout=layout)


def button(words: str, clicked: Callable[[], object], **about: Any) -> Any:
    """Return a button that works while a cell runs, too. `clicked` may be called on any thread.

    On a narrow page, what stands beside it is broken into lines, and its words are not cut.
    """
    from ipywidgets import Button, Layout

    made = Button(description=words, layout=Layout(width="auto", flex="0 0 auto", max_width="100%"), **about)
    made.on_click(lambda _: clicked())
    answer_at_once(made)
    return made


def status_html(html: str) -> str:
    """Return HTML for a status beside buttons, with its first line at their height and the next ones close to it."""
    return framed(f'<div style="line-height: 1.4; padding: 0.4em 0">{html}</div>')


def forget(widgets: Iterable[Any], keep: Sequence[Any] = ()) -> None:
    """Close widgets that are no longer shown, and everything inside them except `keep`."""
    for part in [part for widget in widgets for part in within(widget)]:
        if part.comm is not None and all(part is not kept for kept in keep):
            part.comm.publish_msg = lambda *_, **__: None  # no page shows it, so none needs the message
            part.close()


def within(widget: Any) -> Iterator[Any]:
    """Yield a widget and all widgets within it, styles and layouts included."""
    yield widget
    for part in (getattr(widget, "style", None), getattr(widget, "layout", None), *getattr(widget, "children", ())):
        if hasattr(part, "comm"):
            yield from within(part)
