"""Where a path leads: a rule that allows ``data/*`` must not allow ``data/../secret``, or a link that leads elsewhere.

Every text may be a path, as only the tool knows what it does with an argument. A text that names no file leads to
itself, so that nothing changes for it. Relative paths begin at the working directory of this process.
"""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path

LENGTH = 4_000
"""Characters of a text in which links are followed. No system takes a longer path."""
_WILDCARD = re.compile(r"[*?[]")
_SEPARATORS = re.compile("[" + re.escape(os.sep + (os.altsep or "")) + "]")
_REPEATED = re.compile(re.escape(os.sep) + r"(?:\.?" + re.escape(os.sep) + ")+")
"""``//`` and ``/./``, which mean the same as one separator."""


def leads_into(pattern: str, text: str) -> bool:
    """Return whether the path that a text leads to matches the path that a glob leads to.

    The links in the directories that a glob names are followed. A glob that begins with ``*`` is compared with the part
    of a path below the working directory, if the text is a relative path and leads there. Case does not matter.
    """
    path = _resolved(text)
    if path is None:
        return False
    if pattern.startswith("*") and not Path(text).is_absolute():
        path = path.removeprefix(os.path.realpath(os.curdir) + os.sep)
    return fnmatchcase(path.casefold(), _resolved_pattern(pattern).casefold())


def stays(value: object) -> bool:
    """Return whether no text within a list or an object has ``..`` among its directories, or leads through a link."""
    match value:
        case str():
            return ".." not in _SEPARATORS.split(value) and _resolved(value) == _lexical(value)
        case dict():
            return all(map(stays, value.values()))
        case list():
            return all(map(stays, value))
        case _:
            return True


def _resolved(text: str) -> str | None:
    """Return the absolute path that a text leads to; None if it cannot be a path."""
    if len(text) > LENGTH:
        return _lexical(text)
    try:
        return _ended_like(text, os.path.realpath(text))
    except (OSError, ValueError):  # it has a null character
        return None


def _lexical(text: str) -> str:
    return _ended_like(text, os.path.normpath(Path.cwd() / text))


def _ended_like(text: str, path: str) -> str:
    """Return the path with a separator at its end if the text has one: ``data/`` matches ``data/*``."""
    ends = bool(text) and _SEPARATORS.fullmatch(text[-1]) and not path.endswith(os.sep)
    return path + os.sep if ends else path


def _resolved_pattern(pattern: str) -> str:
    """Return a glob for absolute paths, with the links followed in the directories before its first wildcard."""
    pattern = pattern.replace(os.altsep or os.sep, os.sep)
    wildcard = _WILDCARD.search(pattern)
    if wildcard is None:
        return escape(_resolved(pattern) or pattern)
    directory, separator, _ = pattern[: wildcard.start()].rpartition(os.sep)
    rest = _REPEATED.sub(lambda _: os.sep, pattern[len(directory) + len(separator) :])
    if pattern.startswith("*"):
        return rest
    resolved = _resolved(directory + separator) or directory
    return f"{escape(resolved.rstrip(os.sep))}{os.sep}{rest}"
