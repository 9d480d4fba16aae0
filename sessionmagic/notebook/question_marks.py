"""Keep IPython from taking lines such as ``%agent steer why?`` for requests for help."""

from __future__ import annotations

import re

_LINE = re.compile(r"(\s*)%agent\s+((?:steer|queue|approve|compact|search)\s.*\?)\s*")


def keep_question_marks(lines: list[str]) -> list[str]:
    """Rewrite these lines as calls of the magic, as IPython does for other magics. An input transformer."""
    if lines and lines[0].startswith("%%"):
        return lines
    return [_LINE.sub(_call, line) if _LINE.fullmatch(line) else line for line in lines]


def _call(line: re.Match[str]) -> str:
    return f"{line[1]}get_ipython().run_line_magic('agent', {line[2]!r})\n"
