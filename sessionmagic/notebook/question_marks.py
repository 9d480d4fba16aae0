"""Lines such as ``%agent steer why?``, which IPython would take for a request for help."""

from __future__ import annotations

import re

_SAID = re.compile(r"(\s*)%agent\s+((?:steer|queue|approve)\s.*\?)\s*")


def keep_question_marks(lines: list[str]) -> list[str]:
    """Turn such lines into the call that IPython turns other magics into. An input transformer."""
    if lines and lines[0].startswith("%%"):
        return lines
    return [_SAID.sub(_call, line) if _SAID.fullmatch(line) else line for line in lines]


def _call(said: re.Match[str]) -> str:
    return f"{said[1]}get_ipython().run_line_magic('agent', {said[2]!r})\n"
