"""What the front end tells of the running cell: whether somebody watches, what arrives, and which notebook it is in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.visible import visible

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

NOTEBOOK_LENGTH = 100
"""Characters of a notebook's name that its session is named after."""


class FrontEnd:
    """A notebook's page, or a terminal."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self.kernel: Any = getattr(shell, "kernel", None)
        """The ipykernel that the page talks to; None in a terminal."""

    @property
    def headless(self) -> bool:
        """Whether nobody watches: such front ends answer no questions, and drop what comes after the cell's end."""
        return self.kernel is not None and not self._parent.get("content", {}).get("allow_stdin", False)

    @property
    def clicks_arrive(self) -> bool:
        """Whether clicks reach the kernel while a cell runs."""
        return getattr(self.kernel, "shell_channel_thread", None) is not None

    @property
    def notebook(self) -> str:
        """The notebook's name without its ending, fit for a session; empty where the front end does not tell it."""
        path = self._shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME", "")
        return visible(" ".join(Path(str(path)).stem.split()))[:NOTEBOOK_LENGTH]

    @property
    def cell(self) -> str:
        """The running cell, in words for whoever looks for it."""
        history: Any = self._shell.history_manager
        number = len(history.input_hist_parsed) - 1  # `execution_count` is that of the next one, from IPython 9 on
        return f"cell In [{number}]{f' of {self.notebook}' if self.notebook else ''}"

    @property
    def cell_id(self) -> str | None:
        """The front end's id of the running cell."""
        cell_id: str | None = self._parent.get("metadata", {}).get("cellId")
        return cell_id

    @property
    def _parent(self) -> dict[str, Any]:
        """The execute request of the running cell, empty outside a kernel."""
        parent: dict[str, Any] = self.kernel.get_parent("shell") if self.kernel is not None else {}
        return parent or {}
