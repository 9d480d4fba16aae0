"""The environment and the working directory of a scratch kernel: without keys, and without a hint at the store."""

from __future__ import annotations

from pathlib import Path

from sessionmagic.tools.environment import environment


def kernel_environment(store: Path) -> dict[str, str]:
    """Return the environment of a kernel in which all code counts as that of a tool."""
    backend = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    return {**environment(store, "run_python_isolated"), **backend}


def working_directory(store: Path) -> str:
    """Return this process's working directory, or the user's home directory if the former is in the store."""
    here = Path.cwd()
    return str(Path.home() if here.resolve().is_relative_to(store.resolve()) else here)
