"""The difference between two turns as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.notebook.captions import tool_line
from sessionmagic.notebook.excerpts import in_both
from sessionmagic.notebook.page.answer import NO_MATH, OPENED, RESULT, call_html, note_html
from sessionmagic.notebook.page.wide import framed
from sessionmagic.notebook.visible import escape

if TYPE_CHECKING:
    from sessionmagic.conversation.difference import Change, Difference
    from sessionmagic.conversation.transcript import ToolBlock

ADDED = "background: rgba(46, 160, 67, 0.25)"
REMOVED = "background: rgba(248, 81, 73, 0.25)"
"""Colours that can be seen on light and on dark pages. Signs, or lines under and through words, tell the same."""


def difference_html(found: Difference) -> str:
    """Return a difference as safe HTML, in which what only one of the turns has is coloured and marked."""
    sides = (("−", REMOVED, found.first), ("+", ADDED, found.second))
    names = [f'<span style="{style}">{sign} {escape(name)}</span>' for sign, style, name in sides]
    parts = [f"<p {NO_MATH}><strong>{' &nbsp; '.join(names)}</strong></p>"]
    calls = f"{found.calls[0]:,} and {found.calls[1]:,} tool calls"
    if found.call is None:
        parts.append(note_html(f"{calls}, all the same" if any(found.calls) else "no tool calls"))
    else:
        parts.append(note_html(f"{calls}; call {found.call.number:,} is the first that differs"))
        parts += [_call_html("−", REMOVED, found.call.first), _call_html("+", ADDED, found.call.second)]
    for text in found.texts:
        parts.append(note_html(f"{text.what}: the same" if text.same else text.what))
        if not text.same:
            shown = "".join(map(_change_html, text.changes))
            parts.append(f'<pre {NO_MATH} style="{RESULT}">{shown}</pre>')
    return framed("".join(parts))


def _call_html(sign: str, style: str, call: ToolBlock | None) -> str:
    if call is None:
        return f'<p {NO_MATH}><span style="{style}">{sign} no further call</span></p>'
    result = f'<pre {NO_MATH} style="{RESULT}">{escape(in_both(call.content))}</pre>' if call.content else ""
    line = f'<p {NO_MATH}><span style="{style}">{sign} {escape(tool_line(call))}</span></p>'
    return f'{line}<div style="{OPENED}">{call_html(call.args)}{result}</div>'


def _change_html(change: Change) -> str:
    match change.kind:
        case "added":
            return f'<ins style="{ADDED}">{escape(change.text)}</ins>'
        case "removed":
            return f'<del style="{REMOVED}">{escape(change.text)}</del>'
        case "same":
            return escape(in_both(change.text))
