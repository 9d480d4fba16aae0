"""Values as they are displayed on a page: answers, and tables of statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.conversation.transcript import ValueBlock
from sessionmagic.notebook.html_block import html_block
from sessionmagic.notebook.page import tables
from sessionmagic.notebook.page.answer import note_html, text_html, value_html
from sessionmagic.notebook.page.markdown import safe_markdown, value_markdown
from sessionmagic.notebook.page.side_by_side import headed, side_by_side
from sessionmagic.notebook.page.wide import framed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.conversation.value import StoredValue
    from sessionmagic.notebook.page.tables import Table


def answer_html(text: str, value: StoredValue | None) -> str:
    """Return an answer as safe HTML: its value if it is structured, else its text."""
    return html_block(framed(_answer_html(text, value)))


def answer_markdown(text: str, value: StoredValue | None) -> str:
    """Return an answer as Markdown that is safe in any renderer."""
    return safe_markdown(text) if value is None else value_markdown(value.json)


def answers_html(answers: Sequence[tuple[str, str, StoredValue | None, str]]) -> str:
    """Return answers side by side as safe HTML. Each has a heading, its text, its value, and a note."""
    columns = [
        headed(heading, _answer_html(text, value) + (note_html(note) if note else ""))
        for heading, text, value, note in answers
    ]
    return html_block(framed(side_by_side(columns)))


def _answer_html(text: str, value: StoredValue | None) -> str:
    return text_html(text) if value is None else value_html(ValueBlock(text, value.json, given=True))


def tables_html(shown: Sequence[Table]) -> str:
    """Return tables as safe HTML."""
    return html_block(framed(tables.tables_html(shown)))
