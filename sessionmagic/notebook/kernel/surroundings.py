"""The environment and the working directory of a scratch kernel: without keys, and without a hint at the store."""

from __future__ import annotations

import os
from pathlib import Path

from sessionmagic.keys.known import names_a_key
from sessionmagic.tools.tool_code import ISOLATED

OURS = "SESSIONMAGIC_"
"""How the names of our environment variables begin."""


def environment(store: Path) -> dict[str, str]:
    """Return this process's environment without keys, and without our variables and those whose value names the store.

    In the process, all code counts as that of a tool.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not names_a_key(name) and not name.upper().startswith(OURS) and str(store.absolute()) not in value
    }
    return {**kept, "MPLBACKEND": "module://matplotlib_inline.backend_inline", ISOLATED: "run_python_isolated"}


def working_directory(store: Path) -> str:
    """Return this process's working directory, or the user's home directory if the former is in the store."""
    here = Path.cwd()
    return str(Path.home() if here.resolve().is_relative_to(store.resolve()) else here)
