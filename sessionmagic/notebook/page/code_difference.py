"""The difference between two versions of a cell, line by line."""

from __future__ import annotations

from difflib import unified_diff

from sessionmagic.notebook.page.answer import NO_MATH, RESULT
from sessionmagic.notebook.page.difference import ADDED, REMOVED
from sessionmagic.notebook.visible import escape

TAGS = {"+": ("ins", ADDED), "-": ("del", REMOVED)}


def changed_lines(before: str, after: str) -> list[str]:
    """Return the lines that differ, with ``-`` or ``+`` before them, and the lines around them; empty if none do."""
    lines = list(unified_diff(before.splitlines(), after.splitlines(), lineterm=""))[3:]
    return ["…" if line.startswith("@@") else line for line in lines]


def changed_lines_html(lines: list[str]) -> str:
    """Return such lines as safe HTML."""
    shown = "\n".join(map(_line, lines))
    return f'<pre {NO_MATH} style="{RESULT}">{shown}</pre>'


def _line(line: str) -> str:
    if line[:1] not in TAGS:
        return escape(line)
    tag, style = TAGS[line[0]]
    return f'<{tag} style="{style}; text-decoration: none">{escape(line)}</{tag}>'
