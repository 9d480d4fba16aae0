"""Bytecode in a folder of its own, compiled before anything is measured, so that no figure contains that time."""

from __future__ import annotations

import os
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CELL = "%%agent -m test -s bytecode\n```python\n1\n```"


@contextmanager
def bytecode_kept() -> Iterator[None]:
    """Let all processes that are started within the block keep their bytecode in one temporary folder."""
    before = {name: os.environ.pop(name, None) for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")}
    with TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as folder:
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        try:
            yield
        finally:
            del os.environ["PYTHONPYCACHEPREFIX"]
            os.environ.update({name: value for name, value in before.items() if value is not None})


def compile_used() -> None:
    """Compile what the first cells of a kernel import."""
    from benchmarks.kernel import Kernel
    from benchmarks.server import Server
    from benchmarks.subjects import OURS

    with Server() as server, Kernel(server.url, OURS) as kernel:
        kernel.run("%config AgentMagics.kernel_tools = False")
        kernel.run(CELL)
        kernel.ask("markdown-40")


if __name__ == "__main__":
    compile_used()
