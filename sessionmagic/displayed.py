"""HTML of the values that notebooks display: IPython and marimo ask a value for it by ``_repr_html_``.

It is made by the notebook package, which is above all that has such values. So that is imported by its name, and only
when a value is displayed. It does not import IPython.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def answer_html(text: str) -> str:
    """Return an answer, which is hostile Markdown, as safe HTML."""
    return str(_page().answer_html(text))


def answer_markdown(text: str) -> str:
    """Return an answer, which is hostile Markdown, as Markdown that is safe in any renderer."""
    return str(_page().answer_markdown(text))


def answers_html(answers: Sequence[tuple[str, str, str]]) -> str:
    """Return answers side by side as safe HTML. Each has a heading, its text, and a note, which may be empty."""
    return str(_page().answers_html(answers))


def tables_html(tables: Sequence[Any]) -> str:
    """Return tables, each a `comparing.table.Table`, as safe HTML."""
    return str(_page().tables_html(tables))


def _page() -> Any:
    return import_module("sessionmagic.notebook.page.values")
