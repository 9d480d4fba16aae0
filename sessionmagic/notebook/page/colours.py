"""Syntax colours that can be read on light and on dark pages."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING

from sessionmagic.notebook.visible import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pygments.lexer import Lexer

_LONGEST_CODE = 50_000  # characters; more is not coloured
_SECONDS = 1.0  # to colour one piece of code

# Each colour, and the tokens that have it. Contrast is 4.4:1 on white and 4.2:1 on #111.
_COLOURS = (
    ("#482", "Name.Builtin Name.Exception"),
    ("#487", "Comment Generic.Prompt"),
    ("#27d", "Name.Class Name.Function Generic.Heading"),
    ("#283", "Keyword Name.Tag Operator.Word Generic.Inserted"),
    ("#a4d", "Name.Decorator Generic.Subheading"),
    ("#186", "Literal.Number"),
    ("#189", "Name.Attribute Name.Variable"),
    ("#d44", "Literal.String Generic.Deleted"),
)
# Variables of the theme are not an alternative: JupyterLab removes them in notebooks that are not trusted, and they
# would double the size of the HTML.
STYLES = {kind: f"color:{colour}" for colour, kinds in _COLOURS for kind in kinds.split()}


def coloured(code: str, info: str) -> str:
    """Return code as HTML, coloured if the first word of `info`, a fence's info string, names a language."""
    from pygments.lexers import find_lexer_class

    name = _languages().get(info.strip().split(" ")[0].lower())
    lexer = find_lexer_class(name) if name and len(code) <= _LONGEST_CODE else None
    if lexer is None:
        return escape(code)
    runs: list[tuple[str | None, list[str]]] = []
    try:
        for style, value in _styled(code, lexer(stripnl=False, ensurenl=False)):
            if runs and (runs[-1][0] == style or value.isspace()):
                runs[-1][1].append(value)
            else:
                runs.append((style, [value]))
    except Exception:  # noqa: BLE001  code is shown without colours if its lexer fails or is slow
        return escape(code)
    shown = [(style, escape("".join(values))) for style, values in runs]
    return "".join(f'<span style="{style}">{run}</span>' if style else run for style, run in shown)


def _styled(code: str, lexer: Lexer) -> Iterator[tuple[str | None, str]]:
    deadline = time.monotonic() + _SECONDS
    for kind, value in lexer.get_tokens(code):
        if time.monotonic() > deadline:
            raise TimeoutError
        yield _style(kind), value


@functools.cache
def _style(kind: tuple[str, ...]) -> str | None:
    names = (".".join(kind[:end]) for end in range(len(kind), 0, -1))
    return next((STYLES[name] for name in names if name in STYLES), None)


@functools.cache
def _languages() -> dict[str, str]:
    from pygments.lexers import get_all_lexers

    # Looking for plugins would read the metadata of every installed package.
    return {alias.lower(): name for name, aliases, *_ in get_all_lexers(plugins=False) for alias in aliases}
