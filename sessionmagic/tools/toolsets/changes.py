"""Changes of a text: the edits that a model asks for, and the difference that the user sees before they are made."""

from __future__ import annotations

from difflib import unified_diff
from typing import TYPE_CHECKING

from typing_extensions import TypedDict  # before Python 3.12, pydantic takes no other

from sessionmagic.exceptions import ToolError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

COMPARED = 2_000
"""Lines that are compared one by one, not counting equal ones at both ends. More would take too long."""
AROUND = 3
"""Equal lines that a difference shows around those that differ."""


class Edit(TypedDict):
    """An exact text that is in the file once, and what takes its place."""

    oldText: str
    newText: str


def edited(text: str, edits: Sequence[Edit]) -> str:
    """Return a text after some edits. Raises `ToolError` if one of them does not say where it belongs."""
    if not edits:
        raise ToolError("no edits were given; give one or more")
    for number, edit in enumerate(edits, 1):
        old, new = edit["oldText"], edit["newText"]
        if not old:
            raise ToolError(f"edit {number} has an empty oldText; write_file creates a file or replaces all of it")
        if old not in text and "\r\n" in text:
            old, new = old.replace("\n", "\r\n"), new.replace("\n", "\r\n")
        if (count := text.count(old)) != 1:
            found = "is not in the file" if not count else f"is in the file {counted(count, 'time')}"
            advice = "read the file again" if not count else "give more of the text around it"
            raise ToolError(f"the oldText of edit {number} {found}, so nothing was changed; {advice}")
        text = text.replace(old, new)
    return text


def difference(before: str, after: str) -> str:
    """Return how two texts differ, line by line, without the keys in them; empty if they are equal."""
    if before == after:
        return ""
    old, new = before.splitlines(), after.splitlines()
    begin = _common(old, new)
    end = _common(old[begin:][::-1], new[begin:][::-1])
    first = max(begin - AROUND, 0)
    old, new = (lines[first : len(lines) - max(end - AROUND, 0)] for lines in (old, new))
    if max(len(old), len(new)) > COMPARED:
        shown = [f"-{line}" for line in old] + [f"+{line}" for line in new]
    else:
        shown = list(unified_diff(old, new, n=AROUND, lineterm=""))[2:]
    lines = ["…" if line.startswith("@@") else line for line in shown]
    return without_keys("\n".join(lines)) or "(only the ends of lines differ)"


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    """Return how many lines at the beginning are equal."""
    return next(
        (at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), min(len(old), len(new))
    )
