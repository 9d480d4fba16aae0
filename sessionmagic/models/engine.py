"""The first import of pydantic-ai, which is most of what the first cell of a kernel waits for."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sessionmagic.garbage import uncollected

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND_LINE = "httpx._main"
"""The command line of httpx, which httpx imports if rich and click are installed."""


def import_engine() -> None:
    """Import pydantic-ai. Does nothing when it is imported."""
    if "pydantic_ai" not in sys.modules:
        with uncollected(), _without_command_line():
            import pydantic_ai  # noqa: F401


@contextmanager
def _without_command_line() -> Iterator[None]:
    """Let httpx find no command line, as on a machine without rich. It takes a tenth of the whole import."""
    modules: dict[str, Any] = sys.modules
    if COMMAND_LINE in modules or "httpx" in modules:
        yield
        return
    modules[COMMAND_LINE] = None
    try:
        yield
    finally:
        if modules.get(COMMAND_LINE, ...) is None:
            del modules[COMMAND_LINE]
