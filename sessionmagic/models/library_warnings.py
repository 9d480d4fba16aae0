"""Python warnings of the libraries that ask models. They are for programmers, and would appear in the cell."""

from __future__ import annotations

import re
import warnings

LIBRARIES = re.compile(r"(pydantic_ai|genai_prices|openai|anthropic|google\.genai)(\.|$)")
"""Matches the modules whose own warnings are hidden. A warning about a caller's code counts as the caller's."""
_HIDDEN = ("ignore", None, Warning, LIBRARIES, 0)


def hide_library_warnings() -> None:
    """Hide the warnings that these libraries raise about themselves, and no others.

    The user's functions run in the same process, and `warnings.catch_warnings` holds for all threads. So this only adds
    a filter for these modules. It is added again when a newer filter stands before it. It is not added otherwise,
    because Python then forgets which warnings it has shown once.
    """
    if warnings.filters[:1] != [_HIDDEN]:
        warnings.filterwarnings("ignore", module=LIBRARIES.pattern)
