"""Code in colours that read on light and on dark pages, with a theme's variables and without."""

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

# JupyterLab's name of a colour; one that reads on white (4.4:1) and on #111 (4.2:1); whose colour it is.
_COLOURS = {
    "builtin": ("#438722", "Name.Builtin Name.Exception"),
    "comment": ("#418181", "Comment Generic.Prompt"),
    "def": ("#1f77db", "Name.Class Name.Function Generic.Heading"),
    "keyword": ("#288938", "Keyword Name.Tag Operator.Word Generic.Inserted"),
    "meta": ("#a648e5", "Name.Decorator Generic.Subheading"),
    "number": ("#18876b", "Literal.Number"),
    "property": ("#197fb1", "Name.Attribute Name.Variable"),
    "string": ("#d14747", "Literal.String Generic.Deleted"),
}
# The colour twice: JupyterLab's sanitizer, at work in untrusted notebooks, drops the one with var().
STYLES = {
    kind: f"color:{colour};color:var(--jp-mirror-editor-{name}-color,{colour})"
    for name, (colour, kinds) in _COLOURS.items()
    for kind in kinds.split()
}


def coloured(code: str, info: str) -> str:
    """Return escaped code, its tokens coloured if the first word of `info` names a language."""
    from pygments.lexers import find_lexer_class

    name = _languages().get(info.strip().split(" ")[0].lower())
    lexer = find_lexer_class(name) if name and len(code) <= _LONGEST_CODE else None
    if lexer is None:
        return escape(code)
    runs: list[tuple[str | None, list[str]]] = []
    try:
        for style, value in _styled(code, lexer(stripnl=False, ensurenl=False)):
            if runs and runs[-1][0] == style:
                runs[-1][1].append(value)
            else:
                runs.append((style, [value]))
    except Exception:  # noqa: BLE001  a lexer that fails or dawdles costs the colours, not the code
        return escape(code)
    shown = [(style, escape("".join(values))) for style, values in runs]
    return "".join(f'<span style="{style}">{run}</span>' if style else run for style, run in shown)


def _styled(code: str, lexer: Lexer) -> Iterator[tuple[str | None, str]]:
    deadline = time.monotonic() + _SECONDS
    for kind, value in lexer.get_tokens(code):
        if time.monotonic() > deadline:
            raise TimeoutError
        yield (None if value.isspace() else _style(kind)), value


@functools.cache
def _style(kind: tuple[str, ...]) -> str | None:
    names = (".".join(kind[:end]) for end in range(len(kind), 0, -1))
    return next((STYLES[name] for name in names if name in STYLES), None)


@functools.cache
def _languages() -> dict[str, str]:
    from pygments.lexers import get_all_lexers

    # Without plugins: looking for those reads the metadata of every installed package.
    return {alias.lower(): name for name, aliases, *_ in get_all_lexers(plugins=False) for alias in aliases}
