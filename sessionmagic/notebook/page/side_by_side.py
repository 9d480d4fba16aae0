"""Answers side by side where there is room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.notebook.page.answer import NO_MATH
from sessionmagic.notebook.visible import escape

if TYPE_CHECKING:
    from collections.abc import Iterable

COLUMNS = "display: flex; flex-wrap: wrap; gap: 0.5em 1.5em; align-items: flex-start"
COLUMN = "flex: 1 1 16em; min-width: 0; border-top: 2px solid var(--jp-border-color2, #ccc)"
"""A column is as wide as there is place for, and at least 16 letters; on a narrow page, they stand below each other."""


def side_by_side(columns: Iterable[str]) -> str:
    """Return columns of HTML side by side. They are no sections, which reveal.js would take for slides."""
    beside = "".join(f'<div style="{COLUMN}">{column}</div>' for column in columns)
    return f'<div style="{COLUMNS}">{beside}</div>'


def headed(heading: str, html: str) -> str:
    """Return HTML below a heading."""
    return f'<p {NO_MATH} style="font-weight: 600; margin: 0.3em 0">{escape(heading)}</p>{html}'
