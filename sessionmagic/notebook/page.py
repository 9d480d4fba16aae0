"""One piece of HTML as a widget, looking like a saved answer."""

from __future__ import annotations

from typing import Any

PAGE_CLASSES = ("jp-RenderedHTMLCommon", "jp-OutputArea-output")
"""What JupyterLab gives a saved answer, so that the growing one looks the same."""


def page(html: str) -> Any:
    """Return a page with a layout and style of its own: a page that was reloaded cannot resolve older ones in time."""
    from ipywidgets import HTMLMath

    return HTMLMath(html, style={"font_size": "var(--jp-content-font-size1)"}, _dom_classes=PAGE_CLASSES)


def wrapped(html: str) -> str:
    """Let a word that is longer than the line break, instead of widening the page."""
    return f'<div style="overflow-wrap:anywhere">{html}</div>'
