"""A session as a notebook that runs: each prompt is a ``%%agent`` cell, and each answer its saved output."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.comparison import shown_turn
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.models.settings import as_typed
from sessionmagic.notebook.exports.html import cut_in_html
from sessionmagic.notebook.page.static import answer_outputs
from sessionmagic.notebook.prompts import EXPRESSION
from sessionmagic.sessions.formats.markdown import heading
from sessionmagic.turns.compaction_request import PROMPT
from sessionmagic.turns.proposing import CARRY_OUT, told_by_user
from sessionmagic.words import counted, typed

if TYPE_CHECKING:
    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.sessions.formats.contents import Content

HOLDS: frozenset[Content] = frozenset(
    {"summaries", "reasoning", "calls", "values", "instructions", "settings", "usage", "endings"}
)
_CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""The ids that a notebook's format allows. VS Code sends others."""
_EXPANDED = re.compile(r"[{}$\"'\n\r]")
"""What would not arrive as it is when it stands on the line of a magic."""


LONGEST_OPTION = 2_000
"""Characters of the longest text that is written on the line of a cell."""


def to_notebook(session: Session) -> str:
    """Return a session as a notebook in version 4.5 of the format. Cells keep the ids of those that asked."""
    used: set[str] = set()
    path = session.path()
    cells = [
        _markdown(f"# {heading(session.title or session.name)}", "title"),
        _code("%load_ext sessionmagic", "load-sessionmagic", []),
    ]
    name = _EXPANDED.sub("-", session.name).strip()
    before: TurnRecord | None = None
    for turn in path:
        cell_id = _cell_id(turn, used)
        used.add(cell_id)
        if turn.kind == "compaction":
            source = _compact_line(name, turn)
        else:
            source, before = _source(name, turn, before), turn
        cells.append(_code(source, cell_id, _outputs(session, turn)))
    document = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode(errors="replace").decode() + "\n"


def not_in_notebook(session: Session) -> list[str]:
    """Return in words what of a session's turns cannot stand on the line of a cell, or is cut."""
    path = session.path()
    system = sum(bool(own := told_by_user(turn)) and not _fits(own) for turn in path)
    settings = sum(turn.settings != _typeable(turn) for turn in path)
    typed_answers = sum(turn.value is not None for turn in path)
    return [
        *(
            [f"the type of {counted(typed_answers, 'structured answer')}, which its session does not have"]
            if typed_answers
            else []
        ),
        *([f"the instructions of {counted(system, 'turn')}, which do not fit on the line of a cell"] if system else []),
        *([f"settings of {counted(settings, 'turn')}, which do not fit on the line of a cell"] if settings else []),
        *cut_in_html(session),
    ]


def _source(name: str, turn: TurnRecord, before: TurnRecord | None) -> str:
    """Return the cell that asks for a turn."""
    options = _options(name, turn, before)
    if turn.kind == "go":
        words = " ".join(turn.prompt.removeprefix(CARRY_OUT).split())
        return f"%agent go {options} {words}".rstrip()
    return f"%%agent {options}{' --plan' if turn.kind == 'plan' else ''}\n{turn.prompt}"


def _options(name: str, turn: TurnRecord, before: TurnRecord | None) -> str:
    turn = shown_turn(turn)
    words = [_named(name)]
    if (before is None or turn.model != before.model) and _can_be_asked(turn):
        words += ["--model", typed(turn.model)]
    if written := as_typed(_typeable(turn)):
        words += ["--set", written]
    if (system := told_by_user(turn)) and _fits(system):
        words += ["--system", f'"{system}"']
    if EXPRESSION.search(turn.prompt):  # they have been replaced by their values already, or were meant as they are
        words.append("--raw")
    return " ".join(words)


def _compact_line(name: str, turn: TurnRecord) -> str:
    instruction = " ".join(turn.prompt.split()).lstrip("-") if turn.prompt != PROMPT else ""
    return f"%agent compact {_named(name)} {instruction}".rstrip()


def _named(name: str) -> str:
    return f"--session={typed(name)}" if name.startswith("-") else f"--session {typed(name)}"


def _can_be_asked(turn: TurnRecord) -> bool:
    """Return whether the turn's model is a reference that may be shown.

    Another program's turn has only the name of its model.
    """
    is_hidden = turn.column is not None and turn.column.hidden
    return _fits(turn.model) and not is_hidden and (turn.origin != "import" or ":" in turn.model)


def _fits(text: str) -> bool:
    return len(text) <= LONGEST_OPTION and not text.startswith("-") and not _EXPANDED.search(text)


def _typeable(turn: TurnRecord) -> dict[str, Any]:
    """Return the settings of a turn that can be typed as they are: `as_typed` shortens long ones."""
    return {
        name: value
        for name, value in turn.settings.items()
        if not set(written := as_typed({name: value})) & set("{}$") and not written.rstrip("'").endswith("…")
    }


def _cell_id(turn: TurnRecord, used: set[str]) -> str:
    kept = turn.cell_id or ""
    return kept if _CELL_ID.fullmatch(kept) and kept not in used else f"turn-{turn.id}"


def _outputs(session: Session, turn: TurnRecord) -> list[dict[str, Any]]:
    return [
        {
            "output_type": "display_data",
            "data": {kind: _lines(content) for kind, content in output.data.items()},
            "metadata": dict(output.metadata),
        }
        for output in answer_outputs(transcript_of(session.name, turn, session.turns))
    ]


def _markdown(text: str, cell_id: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": cell_id, "metadata": {}, "source": _lines(text)}


def _code(text: str, cell_id: str, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": cell_id,
        "metadata": {},
        "outputs": outputs,
        "source": _lines(text),
    }


def _lines(text: str) -> list[str]:
    """Return the lines of a text as notebooks store them."""
    return text.splitlines(keepends=True)
