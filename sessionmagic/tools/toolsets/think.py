"""The tool of the type ``think``."""

from __future__ import annotations


async def think(thought: str) -> str:  # noqa: ARG001  it is in the history with its call
    """Note a thought before the next step; nothing else happens."""
    return "noted"
