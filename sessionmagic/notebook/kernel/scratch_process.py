"""What the process of a scratch kernel runs: ipykernel, with bounds. It is run by its path, not imported."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

MEMORY_LIMIT = 4 * 2**30
"""Bytes of address space."""
PIECE = 1_000_000
"""Characters that are printed with one message."""
PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """End at once when the parent does. Elsewhere ipykernel notices within a second, unless code holds the GIL."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(os.environ["JPY_PARENT_PID"]):
            sys.exit("the parent process has already ended")


def limit_memory() -> None:
    """Have more than `MEMORY_LIMIT` be a `MemoryError`, where the system can do that."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    except (ImportError, OSError, ValueError):  # Windows; macOS; a lower limit holds already
        pass


def print_in_pieces() -> None:
    """Send what is printed in pieces: ipykernel sends all of a fifth of a second at once, however much it is."""
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
    """Print what ``name?`` says, instead of having the front end open a pager."""
    from IPython.core import page

    def show(data: Any, *_: object, **__: object) -> None:
        text = data["text/plain"] if isinstance(data, dict) else str(data)
        print(re.sub(r"\x1b\[[0-9;]*m", "", text))

    page.page = show


if __name__ == "__main__":
    if sys.path[0] == str(Path(__file__).parent):
        del sys.path[0]
    end_with_parent()
    limit_memory()
    print_in_pieces()
    print_help()
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance()
