"""The environment that code and commands get that a model runs: without keys, and without a hint at the store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sessionmagic.keys.known import names_a_key
from sessionmagic.tools.tool_code import ISOLATED

if TYPE_CHECKING:
    from pathlib import Path

OURS = "SESSIONMAGIC_"
"""How the names of our environment variables begin."""


def environment(store: Path, tool: str) -> dict[str, str]:
    """Return this process's environment without keys, and without our variables and those whose value names the store.

    Args:
        store: The directory of the store.
        tool: The tool for which all code in the new process counts as running.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not names_a_key(name) and not name.upper().startswith(OURS) and str(store.absolute()) not in value
    }
    return {**kept, ISOLATED: tool}
