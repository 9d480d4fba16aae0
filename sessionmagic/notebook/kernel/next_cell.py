"""The cell that is proposed below the running one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from sessionmagic.notebook.front_end import FrontEnd

DROPPED = "the proposed cell was not added, because this cell ended in an error; its code is in the answer above"


class NextCell:
    """Code that the front end puts into a new cell, without running it, when the running cell ends.

    A front end takes it from the reply to the running cell, and JupyterLab takes one cell from each reply. So all that
    is proposed while a cell runs becomes one cell.

    Args:
        shell: The user's shell.
        front_end: What shows the notebook.
    """

    def __init__(self, shell: InteractiveShell, front_end: FrontEnd) -> None:
        self._shell = shell
        self._front_end = front_end
        self._proposed = ""
        shell.events.register("post_run_cell", self._report_dropped)

    @property
    def possible(self) -> bool:
        """Whether the front end adds a cell."""
        return self._front_end.kind.adds_cells

    @property
    def where(self) -> str:
        """Where proposed code is, in words."""
        return "a new cell" if self._front_end.kind.view in {"widgets", "display"} else "the next prompt"

    def propose(self, code: str, *, replace: bool = False) -> None:
        """Propose code, below what the running cell has proposed before. Call this on the main thread.

        Args:
            code: The code.
            replace: Whether it takes the place of the running cell's code. No front end can change another cell.
        """
        self._proposed = f"{self._proposed}\n\n{code}" if self._is_pending else code
        self._shell.set_next_input(self._proposed, replace=replace)

    @property
    def _is_pending(self) -> bool:
        """Whether the proposed cell waits for the end of the running cell, when the front end receives it."""
        payloads: Any = self._shell.payload_manager
        texts = [each["text"] for each in payloads.read_payload() if each.get("source") == "set_next_input"]
        return self._proposed in [*texts, getattr(self._shell, "rl_next_input", None)]

    def _report_dropped(self, result: Any) -> None:
        """Print that a proposed cell is lost, because a page adds none when the running cell ends in an error."""
        # A model's code runs without history. Its errors do not end the cell in which it runs.
        failed = result is not None and not result.success and result.info.store_history
        if failed and self._is_pending and self._front_end.kernel is not None:
            print(DROPPED)
