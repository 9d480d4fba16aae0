"""Regular expressions whose search takes time in proportion to the text.

Patterns come from models and from files of others. Python's own `re` may search for a bad one for years, and nothing
can stop it. Pydantic's regular expressions are those of Rust, which never go back in the text.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from sessionmagic.exceptions import ToolError
from sessionmagic.words import printable, shortened

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 1_000
"""Characters of a pattern that somebody has written."""


@lru_cache(maxsize=1_000)
def searcher(pattern: str) -> Callable[[str], bool]:
    """Return a function that says whether a text has a match of a pattern. Raises `ToolError`."""
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    if len(pattern) > LONGEST:
        raise ToolError(f"the pattern has {len(pattern):,} characters; use at most {LONGEST:,}")
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")).isinstance_python
    except (SchemaError, UnicodeError) as error:
        why = str(error).strip().rpartition("\n")[2].strip().removeprefix("error: ")
        problem = f"is not a valid pattern ({shortened(printable(why), 200)})"
        raise ToolError(f"{shortened(printable(pattern))!r} {problem}") from error
