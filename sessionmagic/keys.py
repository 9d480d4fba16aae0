"""The keys that this process knows from its environment, and how to keep them to ourselves."""

from __future__ import annotations

import os

KEY_LENGTH = 8
"""What is shorter is no key, and would be found in innocent words."""


def names_a_key(variable: str) -> bool:
    """Say whether an environment variable of that name holds a key."""
    return variable.upper().endswith(("_KEY", "_TOKEN", "_SECRET"))


def without_keys(text: str) -> str:
    """Take the keys out of a text."""
    for name, value in os.environ.items():
        if names_a_key(name) and len(value) >= KEY_LENGTH:
            text = text.replace(value, "•••")
    return text
