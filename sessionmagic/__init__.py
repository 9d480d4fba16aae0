"""Agent sessions in notebook cells: `%%agent` asks a model, streams the answer and remembers the conversation.

    %load_ext sessionmagic

Then ``%%agent?`` is the manual. Without IPython, `SessionManager().run_sync(prompt, session="name")` does the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from sessionmagic.conversation.attachment import Attachment
    from sessionmagic.manager import SessionManager
    from sessionmagic.models.catalog import Models
    from sessionmagic.models.sources import register_model
    from sessionmagic.storage.memory import MemoryStore
    from sessionmagic.storage.store import TinyStore
    from sessionmagic.tools.functions import tool
    from sessionmagic.turns.turn import Turn, TurnResult

__version__ = "0.1.0"

_HOMES = {
    "SessionManager": "sessionmagic.manager",
    "Models": "sessionmagic.models.catalog",
    "register_model": "sessionmagic.models.sources",
    "Attachment": "sessionmagic.conversation.attachment",
    "MemoryStore": "sessionmagic.storage.memory",
    "TinyStore": "sessionmagic.storage.store",
    "tool": "sessionmagic.tools.functions",
    "Turn": "sessionmagic.turns.turn",
    "TurnResult": "sessionmagic.turns.turn",
}

__all__ = [
    "Attachment",
    "MemoryStore",
    "Models",
    "SessionManager",
    "TinyStore",
    "Turn",
    "TurnResult",
    "load_ipython_extension",
    "register_model",
    "tool",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that loading the extension imports nothing heavy."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%%agent`` and ``%agent``. Called by ``%load_ext sessionmagic``."""
    from sessionmagic.notebook.extension import load

    load(shell)
