"""What may be wider than the page: long words are broken, and tables, code and formulas scroll in boxes of their own.

Front ends show HTML without a style sheet of ours, so each element has its style. JupyterLab removes other values of
`overflow-wrap` from notebooks that it does not trust.
"""

from __future__ import annotations

BREAKS = "overflow-wrap:break-word"
"""Breaks words that are longer than a line."""
SCROLLS = "overflow-x:auto;overflow-wrap:normal"
"""A box that scrolls sideways. Words in it are not broken."""
LIKE_TEXT = "font-size:inherit;width:auto;box-shadow:none"
"""Gives code the size of the text around it. Slides of reveal.js would show it half as large, with a shadow."""
TABLE_BOX = f"{SCROLLS};margin:0 0 1em"
TABLE = "margin:0"
"""The space below a table is below the scroll bar of its box."""


def framed(html: str) -> str:
    """Return HTML in which a word that is longer than a line is broken."""
    return f'<div style="{BREAKS}">{html}</div>'


def scrolling_table(rows: str, attributes: str = "", style: str = "") -> str:
    """Return a table that scrolls sideways where it is wider than its place.

    Args:
        rows: Its head and its rows as HTML.
        attributes: Its attributes.
        style: Its style.
    """
    return f'<div style="{TABLE_BOX}"><table {attributes} style="{TABLE}{style}">{rows}</table></div>'
