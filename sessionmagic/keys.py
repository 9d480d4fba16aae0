"""The keys in the environment, and how to remove them from texts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

KEY_LENGTH = 8
"""The minimum length of a key. Shorter values would also match parts of ordinary words."""


def names_a_key(variable: str) -> bool:
    """Return whether an environment variable with that name holds a key."""
    return variable.upper().endswith(("_KEY", "_TOKEN", "_SECRET"))


def without_keys(text: str, others: Iterable[str] = ()) -> str:
    """Return the text with dots in place of each key and each of the other secrets."""
    keys = {value for name, value in os.environ.items() if names_a_key(name) and len(value) >= KEY_LENGTH}
    # The longest first: when a secret begins with another one, its rest must not stay readable.
    for secret in sorted(keys.union(others), key=len, reverse=True):
        text = text.replace(secret, "•••")
    return text
