"""The program of a scratch kernel: ipykernel with limits. It is run by its path, not imported."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

MEMORY_LIMIT = 4 * 2**30
"""Bytes of address space that the process may use."""
PIECE = 1_000_000
"""Characters of printed text that are sent in one message."""


def limit_memory() -> None:
    """Make allocations beyond `MEMORY_LIMIT` raise `MemoryError`, where the system supports it."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    except (ImportError, OSError, ValueError):  # on Windows; on macOS; where a lower limit is set
        pass


def print_in_pieces() -> None:
    """Send printed text in pieces that the parent can read.

    ipykernel (6 and 7) sends all text that is printed within a fifth of a second in one message, whatever its length.
    """
    from ipykernel.iostream import OutStream

    write = OutStream.write
    unsent: dict[Any, int] = {}

    def write_pieces(self: Any, string: str) -> int:
        for start in range(0, len(string), PIECE):
            written = write(self, string[start : start + PIECE]) or 0
            unsent[self] = unsent.get(self, 0) + written
            if unsent[self] >= PIECE:
                unsent[self] = 0
                self.flush()
        return len(string)

    OutStream.write = write_pieces  # type: ignore[method-assign]


def print_help() -> None:
    """Print what ``name?`` shows, because a model has no pager."""
    from IPython.core import page

    def show(data: Any, *_: object, **__: object) -> None:
        text = data["text/plain"] if isinstance(data, dict) else str(data)
        print(re.sub(r"\x1b\[[0-9;]*m", "", text))

    page.page = show


if __name__ == "__main__":
    if sys.path[0] == str(Path(__file__).parent):  # or a model's code could import our modules by their short names
        del sys.path[0]
    limit_memory()
    print_in_pieces()
    print_help()
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance()
