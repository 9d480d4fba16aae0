"""What tool calls print, much as a terminal would show it."""

from __future__ import annotations

import re

LENGTH = 4_000
"""Characters at the end of a running call's output that are kept."""
CUT = "…\n"
"""Stands above text of which the beginning is not kept."""
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[=>78DEHMc])")
"""A complete control sequence, such as a colour or a title."""
_LINE_END = re.compile(r"\r+\n")


def with_printed(before: str, text: str) -> str:
    """Return what is kept of a call's output after more text."""
    kept = as_shown(before.removeprefix(CUT) + text)
    cut = len(kept) > LENGTH or before.startswith(CUT)
    return f"{CUT}{kept[-LENGTH:]}" if cut else kept


def as_shown(text: str) -> str:
    """Return printed text without colours, and of each line that was written over, such as a progress bar, the last."""
    plain = _ESCAPE.sub("", text) if "\x1b" in text else text
    if "\r" not in plain:
        return plain
    return "\n".join(map(_last_state, _LINE_END.sub("\n", plain).split("\n")))


def _last_state(line: str) -> str:
    """Return a line without what was written over after a carriage return. One at its end may have an effect later."""
    state = line.rstrip("\r")
    return state[state.rfind("\r") + 1 :] + "\r" * (state != line)
