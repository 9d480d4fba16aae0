"""HTML of the values that notebooks display: IPython and marimo ask a value for it by ``_repr_html_``.

It is made by the notebook package, which is above all that has such values. So that is imported by its name, and only
when a value is displayed. It does not import IPython.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def answer_html(text: str, value: Any = None) -> str:
    """Return an answer, which is hostile Markdown, as safe HTML.

    Args:
        text: The answer.
        value: The same as a `conversation.value.StoredValue` if it is structured. It is shown in place of the text.
    """
    return str(_page().answer_html(text, value))


def answer_markdown(text: str, value: Any = None) -> str:
    """Return an answer, given as for `answer_html`, as Markdown that is safe in any renderer."""
    return str(_page().answer_markdown(text, value))


def answers_html(answers: Sequence[tuple[str, str, Any, str]]) -> str:
    """Return answers side by side as safe HTML.

    Each has a heading, its text and its value as for `answer_html`, and a note, which may be empty.
    """
    return str(_page().answers_html(answers))


def tables_html(tables: Sequence[Any]) -> str:
    """Return tables, each a `comparing.table.Table`, as safe HTML."""
    return str(_page().tables_html(tables))


def _page() -> Any:
    return import_module("sessionmagic.notebook.page.values")
