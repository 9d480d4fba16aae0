"""The keys that this process knows from its environment, and how to keep them to ourselves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

KEY_LENGTH = 8
"""What is shorter is no key, and would be found in innocent words."""


def names_a_key(variable: str) -> bool:
    """Say whether an environment variable of that name holds a key."""
    return variable.upper().endswith(("_KEY", "_TOKEN", "_SECRET"))


def without_keys(text: str, others: Iterable[str] = ()) -> str:
    """Take the keys out of a text, and other secrets: the longest first, as one may begin with another."""
    keys = {value for name, value in os.environ.items() if names_a_key(name) and len(value) >= KEY_LENGTH}
    for secret in sorted(keys.union(others), key=len, reverse=True):
        text = text.replace(secret, "•••")
    return text
