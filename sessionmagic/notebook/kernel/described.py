"""A value as a model reads it."""

from __future__ import annotations

from typing import NamedTuple


class Described(NamedTuple):
    """The description of a value, and what of the value is not in it."""

    text: str
    shown: str = ""
    """How much of the value is in the text, as ``5 of 1,000 rows``; empty if all of it is."""
