"""Read the question marks of ``%agent`` lines: ``%agent steer why?`` asks a model, ``%agent compare?`` asks for help.

IPython takes both for a request for help about an object, and finds none.
"""

from __future__ import annotations

import re

_HELP = re.compile(r"(\s*)%agent\s+([\w-]+(?: +[\w-]+)?)\s*\?{1,2}\s*")
_LINE = re.compile(r"(\s*)%agent\s+((?:steer|queue|approve|compact|search|fix)\s.*\?)\s*")


def keep_question_marks(lines: list[str]) -> list[str]:
    """Rewrite these lines as calls of the magic, as IPython does for other magics. An input transformer."""
    if lines and lines[0].startswith("%%"):
        return lines
    return [_rewritten(line) for line in lines]


def _rewritten(line: str) -> str:
    if found := _HELP.fullmatch(line):
        from sessionmagic.notebook.commands import COMMANDS

        if found[2] in COMMANDS:
            return _call(found[1], f"{found[2]} --help")
    found = _LINE.fullmatch(line)
    return _call(found[1], found[2]) if found else line


def _call(indent: str, words: str) -> str:
    return f"{indent}get_ipython().run_line_magic('agent', {words!r})\n"
