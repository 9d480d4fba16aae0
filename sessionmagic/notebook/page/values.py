"""Values as they are displayed on a page: answers, and tables of statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.notebook.html_block import html_block
from sessionmagic.notebook.page import tables
from sessionmagic.notebook.page.answer import note_html, text_html
from sessionmagic.notebook.page.markdown import safe_markdown
from sessionmagic.notebook.page.side_by_side import headed, side_by_side
from sessionmagic.notebook.page.wide import framed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.notebook.page.tables import Table


def answer_html(text: str) -> str:
    """Return an answer as safe HTML."""
    return html_block(framed(text_html(text)))


def answer_markdown(text: str) -> str:
    """Return an answer as Markdown that is safe in any renderer."""
    return safe_markdown(text)


def answers_html(answers: Sequence[tuple[str, str, str]]) -> str:
    """Return answers side by side as safe HTML. Each has a heading, its text, and a note, which may be empty."""
    columns = [headed(heading, text_html(text) + (note_html(note) if note else "")) for heading, text, note in answers]
    return html_block(framed(side_by_side(columns)))


def tables_html(shown: Sequence[Table]) -> str:
    """Return tables as safe HTML."""
    return html_block(framed(tables.tables_html(shown)))
