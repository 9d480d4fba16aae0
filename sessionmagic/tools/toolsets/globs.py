"""Globs for paths, as in a ``.gitignore``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sessionmagic.tools.patterns import searcher

if TYPE_CHECKING:
    from collections.abc import Callable

_PART = re.compile(
    r"(?P<any>^\*\*/|(?<=/)\*\*/)|(?P<rest>(?:^|(?<=/))\*\*\Z)|(?P<some>\*+)|(?P<one>\?)"
    r"|\[(?P<set>[!^]?\]?[^\]]*)\]|\\?(?P<own>.)",
    re.DOTALL,
)
_RANGE = re.compile(r"\\?(.)-\\?(.)|\\?(.)", re.DOTALL)


def fits(glob: str) -> Callable[[str], bool]:
    """Return a function that says whether a path fits a glob, as in a ``.gitignore``. Raises `ToolError`.

    ``*`` stands for any characters but ``/``, and ``**/`` for any directories. A glob with ``/`` before its end begins
    at the folder; any other one fits a name at any depth.
    """
    glob = glob.removeprefix("./").rstrip("/")
    anywhere = "" if "/" in glob else "(?:.*/)?"
    return searcher(f"^(?s:{anywhere}{_regex(glob.removeprefix('/'))})$")


def _regex(glob: str) -> str:
    return "".join(map(_translated, _PART.finditer(glob)))


def _translated(part: re.Match[str]) -> str:
    match part.lastgroup:
        case "any":
            return "(?:.*/)?"
        case "rest":
            return ".+"
        case "some":
            return "[^/]*"
        case "one":
            return "[^/]"
        case "set":
            return _class(part["set"])
        case _:
            return _escaped(part["own"])


def _class(characters: str) -> str:
    """Return a class of characters, which never has the ``/``."""
    negated = characters[0] in "!^"
    inner = "".join(
        _escaped(single) if single else f"{_escaped(first)}-{_escaped(last)}"
        for first, last, single in _RANGE.findall(characters[negated:])
    )
    return f"[^/{inner}]" if negated else f"[{inner}&&[^/]]"


def _escaped(character: str) -> str:
    return character if character.isascii() and character.isalnum() else f"\\x{{{ord(character):x}}}"
