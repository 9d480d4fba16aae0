"""Facts about the front end and the running cell."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.visible import visible

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from sessionmagic.turns.request import Cell

NBFORMAT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""The form of ids that are stored in the notebook's file. VS Code numbers cells anew when it opens a notebook."""
NOTEBOOK_LENGTH = 100
"""How many characters of a notebook's name are used in the name of its session."""


class FrontEnd:
    """The notebook page or terminal that runs the shell's cells."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._began_at = time.time()
        self.kernel: Any = getattr(shell, "kernel", None)
        """The ipykernel that a page is connected to; None in a terminal."""

    @property
    def headless(self) -> bool:
        """Whether nobody watches: the front end takes no input, and drops output that arrives after the cell."""
        return self.kernel is not None and not self._parent.get("content", {}).get("allow_stdin", False)

    @property
    def clicks_arrive(self) -> bool:
        """Whether clicks reach the kernel while a cell runs, which needs ipykernel 7."""
        return getattr(self.kernel, "shell_channel_thread", None) is not None

    @property
    def notebook_path(self) -> str:
        """The path of the notebook; empty if the front end does not give it."""
        return str(self._shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", ""))

    @property
    def notebook(self) -> str:
        """The notebook's name without its suffix, as a session's name; empty if the front end does not give it."""
        return visible(" ".join(Path(self.notebook_path).stem.split()))[:NOTEBOOK_LENGTH]

    @property
    def place(self) -> str:
        """A description of the running cell that helps the user find it."""
        history: Any = self._shell.history_manager
        number = len(history.input_hist_parsed) - 1  # not `execution_count`: since IPython 9 that is the next cell's
        return f"cell In [{number}]{f' of {self.notebook}' if self.notebook else ''}"

    @property
    def cell(self) -> Cell | None:
        """The running cell, if the front end identifies it."""
        from sessionmagic.turns.request import Cell

        cell_id = self._parent.get("metadata", {}).get("cellId")
        if not cell_id or not isinstance(cell_id, str):
            return None
        is_in_file = NBFORMAT_ID.fullmatch(cell_id) is not None
        return Cell(id=cell_id, ids_since=0.0 if is_in_file else self._began_at)

    @property
    def run(self) -> str:
        """What identifies this run of the cell; empty outside a kernel."""
        return str(self._parent.get("header", {}).get("msg_id", ""))

    @property
    def _parent(self) -> dict[str, Any]:
        """The execute request of the running cell; empty outside a kernel."""
        parent: dict[str, Any] = self.kernel.get_parent("shell") if self.kernel is not None else {}
        return parent or {}
