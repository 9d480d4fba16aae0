"""Facts about the front end and the running cell."""

from __future__ import annotations

import os
import re
import sys
import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sessionmagic.notebook.page.attention import offer_a_widget, refuses_widgets
from sessionmagic.notebook.recognition import COLLABORATION, HOSTED, PAGE_METADATA, Evidence, recognized
from sessionmagic.notebook.visible import visible

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from sessionmagic.notebook.recognition import Recognized
    from sessionmagic.notebook.settings import Settings
    from sessionmagic.turns.request import Cell

SERVED = "JPY_SESSION_NAME"
"""The variable of the environment in which a Jupyter server gives the path of a notebook to its kernel."""
LITE_KERNEL = "pyodide_kernel"
"""The module of JupyterLite's kernel for Python."""
NBFORMAT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""The form of ids that are stored in the notebook's file. VS Code numbers cells anew when it opens a notebook."""
NOTEBOOK_LENGTH = 100
"""How many characters of a notebook's name are used in the name of its session."""


class FrontEnd:
    """The notebook page, console, terminal or runner that runs the shell's cells.

    Args:
        shell: The shell.
        settings: Say whether the user wants buttons.
    """

    def __init__(self, shell: InteractiveShell, settings: Settings) -> None:
        self._shell = shell
        self._settings = settings
        self._began_at = time.time()
        self.kernel: Any = _ipykernel_of(shell)
        """The ipykernel that runs the cells; None in a terminal, and in other kernels and programs."""

    @property
    def kind(self) -> Recognized:
        """What runs this cell, and what it can do. It may be another front end than that of the last cell."""
        return recognized(self.evidence)

    @property
    def evidence(self) -> Evidence:
        """What is known about the front end that runs this cell."""
        if self.kernel is None:
            return Evidence("terminal" if self.in_terminal else "lite" if LITE_KERNEL in sys.modules else "other")
        return Evidence(
            "kernel",
            takes_input=bool(self._parent.get("content", {}).get("allow_stdin", False)),
            message_id=self.run,
            metadata=frozenset(self._parent.get("metadata", {})),
            started_by=os.environ.get("JPY_PARENT_PID", ""),
            in_server=bool(_served_notebook()),
            collaborates=_is_installed(COLLABORATION),
            hosted=any(name in os.environ for name in HOSTED),
            refuses_widgets=refuses_widgets(self._client),
            wants_buttons=self._settings.approval == "buttons" and self.clicks_arrive,
        )

    def offer_a_widget(self) -> None:
        """Offer the page that runs the cell a widget, to know whether it has any. Does nothing elsewhere."""
        is_page = not PAGE_METADATA.isdisjoint(self._parent.get("metadata", {}))
        if is_page and self._settings.view == "auto":
            offer_a_widget(self.kernel, self._client)

    @property
    def clears(self) -> bool:
        """Whether a turn may clear the running cell: that works, and the cell has no code that shows something else."""
        code = str(self._parent.get("content", {}).get("code", ""))
        return self.kind.changes != "never" and code.lstrip().startswith("%%agent")

    @property
    def takes_input(self) -> bool:
        """Whether ``input()`` is answered."""
        return self.in_terminal if self.kernel is None else self.evidence.takes_input

    @property
    def attended(self) -> bool:
        """Whether there is somebody who can answer questions."""
        return self.kind.asks != "nobody"

    @property
    def in_terminal(self) -> bool:
        """Whether IPython runs in a terminal."""
        from IPython.terminal.interactiveshell import TerminalInteractiveShell

        return isinstance(self._shell, TerminalInteractiveShell)

    @property
    def clicks_arrive(self) -> bool:
        """Whether clicks reach the kernel while a cell runs, which needs ipykernel 7."""
        return getattr(self.kernel, "shell_channel_thread", None) is not None

    @property
    def notebook_path(self) -> str:
        """The path of the notebook; empty if the front end does not give it."""
        return str(self._shell.user_ns.get("__vsc_ipynb_file__") or _served_notebook())

    @property
    def directory(self) -> Path | None:
        """The directory of the notebook, or the kernel's working directory if the front end does not tell it.

        None if that was deleted.
        """
        path = Path(self.notebook_path)
        if path.is_absolute() and path.parent.is_dir():
            return path.parent
        try:
            return Path.cwd()
        except OSError:
            return None

    @property
    def notebook(self) -> str:
        """The notebook's name without its suffix, as a session's name; empty if the front end does not give it."""
        return visible(" ".join(Path(self.notebook_path).stem.split()))[:NOTEBOOK_LENGTH]

    @property
    def place(self) -> str:
        """A description of the running cell that helps the user find it."""
        history: Any = self._shell.history_manager
        number = len(history.input_hist_parsed) - 1  # not `execution_count`: since IPython 9 that is the next cell's
        cell = f"cell In [{number}]" if number else "a cell"  # a shell that keeps no history does not count
        return f"{cell}{f' of {self.notebook}' if self.notebook else ''}"

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
    def _client(self) -> str:
        """What identifies the connection of the page that runs the cell."""
        return str(self._parent.get("header", {}).get("session", ""))

    @property
    def _parent(self) -> dict[str, Any]:
        """The execute request of the running cell; empty outside a kernel."""
        parent: dict[str, Any] = self.kernel.get_parent("shell") if self.kernel is not None else {}
        return parent or {}


def _ipykernel_of(shell: InteractiveShell) -> Any:
    """Return the shell's kernel if it is an ipykernel. Others, such as xeus-python, tell nothing of their requests.

    An ipykernel has a loop when it has started, which is later if it loads the extension from its configuration.
    """
    kernel = getattr(shell, "kernel", None)
    return kernel if hasattr(kernel, "io_loop") or _starts_later(kernel) else None


def _starts_later(kernel: object) -> bool:
    """Return whether a kernel without a loop is an ipykernel, and not one that runs in the process of its front end."""
    classes = {(each.__module__, each.__name__) for each in type(kernel).__mro__}
    in_process = ("ipykernel.inprocess.ipkernel", "InProcessKernel")
    return ("ipykernel.kernelbase", "Kernel") in classes and in_process not in classes


def _served_notebook() -> str:
    """Return the path of the notebook that a Jupyter server has started this kernel for; empty for none.

    Programs that a notebook starts inherit the variable, and so do their kernels, for example those of papermill.
    """
    path = os.environ.get(SERVED, "")
    return "" if path and path == _inherited(SERVED, os.environ.get("JPY_PARENT_PID", "")) else path


@cache
def _inherited(name: str, process: str) -> str:
    """Return the value that a process gives to what it starts in a variable of the environment, as far as is known."""
    import psutil

    try:
        return str(psutil.Process(int(process)).environ().get(name, ""))
    except (ValueError, OSError, psutil.Error):
        return ""


@cache
def _is_installed(package: str) -> bool:
    return find_spec(package) is not None
