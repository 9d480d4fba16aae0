"""Registering the magics with a shell, and ending turns with the kernel."""

from __future__ import annotations

import atexit
import threading
from typing import TYPE_CHECKING

from sessionmagic.notebook.completion import register_completion
from sessionmagic.notebook.magics import AgentMagics

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load(shell: InteractiveShell) -> None:
    """Register the magics, their completion, and the end of all turns at kernel shutdown; once per shell."""
    if "AgentMagics" in shell.magics_manager.registry:
        return
    magics = AgentMagics(shell)
    shell.register_magics(magics)
    register_completion(shell, magics)
    atexit.register(magics.close)
    threading.Thread(target=_import_the_view, daemon=True).start()


def _import_the_view() -> None:
    """Import what the first cell shows its status line with, while its user is still writing it."""
    import ipywidgets  # noqa: F401

    import sessionmagic.notebook.launch
    import sessionmagic.notebook.widgets  # noqa: F401
