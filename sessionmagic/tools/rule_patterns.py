"""Patterns of tool calls, of which rules are made.

A pattern is a glob for the tool's name, which any number of conditions may follow, each of the form ``:argument=glob``:
``read_*``, or ``fetch:url=https://example.org/*:method=GET``. It matches a call if the name and all conditions match.

- ``*`` stands for any text, ``?`` for any character, and ``[abc]`` for one of some characters. Case does not matter.
- A condition on an argument that the call does not have, not even by default, never matches.
- Text is compared as it is, and as the path that it leads to, which `tools.paths` explains. Numbers, booleans, null,
  lists and objects are compared as JSON. A whole number may be written as ``1`` or as ``1.0``.
- An argument is compared as the model wrote it and as the tool receives it. A time, a duration, a decimal or a URL that
  the tool receives is compared in both texts: ``60`` and ``PT60S``.
- For a deny or an ask rule, one of these matches is enough. An allow rule must match in all these ways.
"""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sessionmagic.tools.paths import leads_into, stays

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sessionmagic.tools.call import Call

_WILDCARD = re.compile(r"[*?[]")
# A colon only begins a condition when `argument=` follows, as the name of a tool and a glob may contain colons, too.
_CONDITION = re.compile(r":(?=[\w.-]+=)")


def matches(pattern: str, call: Call) -> bool:
    """Return whether the pattern of a deny or an ask rule matches a call."""
    forms = (call.args, *call.received)  # `rewritten` has nothing else
    return fits_tool(pattern, call.tool) and all(
        any(_may_hold(argument, glob, form) for form in forms) for argument, glob in split_pattern(pattern)[1]
    )


def allows(pattern: str, call: Call) -> bool:
    """Return whether the pattern of an allow rule matches a call."""
    return fits_tool(pattern, call.tool) and all(
        _surely_holds(argument, glob, call.args)
        and any(_surely_holds(argument, glob, form) for form in (*call.received, *call.rewritten) or (call.args,))
        for argument, glob in split_pattern(pattern)[1]
    )


def fits_tool(pattern: str, tool: str) -> bool:
    """Return whether a pattern can match calls of the tool: whether the glob for the tool's name matches."""
    return _matches_glob(split_pattern(pattern)[0], tool)


@lru_cache(maxsize=10_000)
def split_pattern(pattern: str) -> tuple[str, Sequence[tuple[str, str]]]:
    """Split a pattern into the glob for the tool's name and the conditions.

    A condition is the name of an argument and its glob. One argument may have several conditions.
    """
    tool, *conditions = _CONDITION.split(pattern)
    return tool, [(argument, glob) for argument, _, glob in (condition.partition("=") for condition in conditions)]


def _may_hold(argument: str, glob: str, args: Mapping[str, Any]) -> bool:
    """Return whether a condition holds for an argument, or for the path that it leads to."""
    if argument not in args:
        return False
    value = args[argument]
    is_path = not isinstance(value, dict | list)
    return any(_matches_glob(glob, text) or (is_path and leads_into(glob, text)) for text in _texts_of(value))


def _surely_holds(argument: str, glob: str, args: Mapping[str, Any]) -> bool:
    """Return whether a condition holds for an argument, and for the path that it leads to."""
    if argument not in args:
        return False
    value = args[argument]
    matching = [text for text in _texts_of(value) if _matches_glob(glob, text)]
    if isinstance(value, dict | list):
        return bool(matching) and stays(value)
    return any(leads_into(glob, text) for text in matching)


def _texts_of(value: object) -> list[str]:
    """Return the texts of an argument with which a glob is compared: two for a whole number, as ``1`` and ``1.0``."""
    is_json = value is None or isinstance(value, dict | list | bool | int | float)
    text = json.dumps(value, ensure_ascii=False, default=str, skipkeys=True) if is_json else str(value)
    if isinstance(value, float) and value.is_integer():  # a float parameter receives 1.0 where the model wrote 1
        return [text, str(int(value))]
    return [text, f"{text}.0"] if type(value) is int else [text]


def _matches_glob(pattern: str, text: str) -> bool:
    text, pattern = text.casefold(), pattern.casefold()
    return fnmatchcase(text, pattern) if _WILDCARD.search(pattern) else text == pattern
