"""The difference between two turns as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.notebook.captions import tool_line, written
from sessionmagic.notebook.excerpts import excerpt, in_both
from sessionmagic.notebook.visible import visible

if TYPE_CHECKING:
    from sessionmagic.conversation.difference import Change, Difference
    from sessionmagic.conversation.transcript import ToolBlock

EXCERPT_LINES = 12
"""Lines of a call's arguments, and of its result, that are shown."""


def difference_text(found: Difference) -> str:
    """Return a difference as text, with signs around what is in one of the texts only."""
    calls = f"{found.calls[0]:,} and {found.calls[1]:,} tool calls"
    lines = [f"- {found.first}", f"+ {found.second}", ""]
    if found.call is None:
        lines.append(f"{calls}, all the same" if any(found.calls) else "no tool calls")
    else:
        lines.append(f"{calls}; call {found.call.number:,} is the first that differs")
        lines += [*_call_lines("-", found.call.first), *_call_lines("+", found.call.second)]
    for text in found.texts:
        lines += ["", f"{text.what}: the same" if text.same else f"{text.what}:"]
        if not text.same:
            lines.append("".join(map(_change_text, text.changes)))
    return visible("\n".join(lines))


def _call_lines(sign: str, call: ToolBlock | None) -> list[str]:
    if call is None:
        return [f"{sign} no further call"]
    details = "\n".join(filter(None, [written(call.args), call.content]))
    return [
        f"{sign} {tool_line(call)}",
        *(f"{sign}     {line}" for line in excerpt(details, EXCERPT_LINES).split("\n")),
    ]


def _change_text(change: Change) -> str:
    match change.kind:
        case "added":
            return f"[+{change.text}+]"
        case "removed":
            return f"[-{change.text}-]"
        case "same":
            return in_both(change.text)
