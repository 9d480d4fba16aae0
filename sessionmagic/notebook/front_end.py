"""Facts about the front end and the running cell."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.visible import visible

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

NOTEBOOK_LENGTH = 100
"""How many characters of a notebook's name are used in the name of its session."""


class FrontEnd:
    """The notebook page or terminal that runs the shell's cells."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
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
    def notebook(self) -> str:
        """The notebook's name without its suffix, as a session's name; empty if the front end does not give it."""
        path = self._shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", "")
        return visible(" ".join(Path(str(path)).stem.split()))[:NOTEBOOK_LENGTH]

    @property
    def cell(self) -> str:
        """A description of the running cell that helps the user find it."""
        history: Any = self._shell.history_manager
        number = len(history.input_hist_parsed) - 1  # not `execution_count`: since IPython 9 that is the next cell's
        return f"cell In [{number}]{f' of {self.notebook}' if self.notebook else ''}"

    @property
    def cell_id(self) -> str | None:
        """The front end's id of the running cell, if it has one."""
        cell_id: str | None = self._parent.get("metadata", {}).get("cellId")
        return cell_id

    @property
    def _parent(self) -> dict[str, Any]:
        """The execute request of the running cell; empty outside a kernel."""
        parent: dict[str, Any] = self.kernel.get_parent("shell") if self.kernel is not None else {}
        return parent or {}
