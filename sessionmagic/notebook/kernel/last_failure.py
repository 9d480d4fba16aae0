"""The cell that failed last: its code, its error, and the variables that it names."""

from __future__ import annotations

import linecache
import re
import traceback
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import SessionMagicError
from sessionmagic.words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from sessionmagic.notebook.front_end import FrontEnd

OURS = re.compile(r"\s*%%?agent\b")
NAME = re.compile(r"(?<![.\w])[^\W\d]\w*")
"""A name in code, also in code that is not valid. That of an attribute does not count."""
FRAMES = 8
"""The lines of a traceback that are kept at each end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A cell that ended in an error.

    Attributes:
        code: The code of the cell.
        number: Its number in brackets.
        error: The type and the message of the error.
        trace: Where the error was raised, a line for each frame, without the frames of IPython.
        cell: The id of the cell; empty if the front end gives none.
    """

    code: str
    number: int | None
    error: str
    trace: str
    cell: str

    @property
    def place(self) -> str:
        """The cell in words."""
        return "the cell" if self.number is None else f"cell In [{self.number}]"


class LastFailure:
    """Knows which of the user's cells has failed last. Cells that begin with ``%agent`` do not count.

    Args:
        shell: The user's shell.
        front_end: Says which cell runs.
    """

    def __init__(self, shell: InteractiveShell, front_end: FrontEnd) -> None:
        self._shell = shell
        self._front_end = front_end
        self._failure: Failure | None = None
        shell.events.register("post_run_cell", self._note)

    @property
    def failure(self) -> Failure | None:
        """The failure; None if no cell has failed, or if the one that failed last has run since without an error."""
        return self._failure

    def _note(self, result: Any) -> None:
        """Note how a cell has ended. A model's code and a front end's own code run without history."""
        if result is None or not result.info.store_history or OURS.match(result.info.raw_cell):
            return
        error, cell = result.error_before_exec or result.error_in_exec, self._front_end.cell
        cell_id = cell.id if cell is not None else ""
        if isinstance(error, Exception) and not isinstance(error, SessionMagicError):
            self._failure = Failure(
                code=result.info.raw_cell.strip("\n"),
                number=result.execution_count,
                error=words_of(error),
                trace=trace_of(error, self._shell),
                cell=cell_id,
            )
        elif error is None and cell_id and self._failure is not None and self._failure.cell == cell_id:
            self._failure = None


def trace_of(error: Exception, shell: InteractiveShell) -> str:
    """Return where an error was raised, a line for each frame from the user's code on, and the error itself."""
    if isinstance(error, SyntaxError):
        line = (error.text or "").strip()
        return f"line {error.lineno}: {line}\n{type(error).__name__}: {error.msg}"
    frames = [_frame(frame, shell) for frame in traceback.extract_tb(error.__traceback__)]
    own = next((at for at, (is_own, _) in enumerate(frames) if is_own), 0)
    lines = [line for _, line in frames[own:]]
    if len(lines) > 2 * FRAMES:
        lines[FRAMES:-FRAMES] = [f"[{len(lines) - 2 * FRAMES:,} more]"]
    words = "".join(traceback.format_exception_only(error)).rstrip("\n")
    cause = [f"caused by {words_of(error.__cause__)}"] if error.__cause__ is not None else []
    return "\n".join([*lines, words, *cause])


def _frame(frame: traceback.FrameSummary, shell: InteractiveShell) -> tuple[bool, str]:
    """Return whether a frame is in one of the user's cells, and a line about it, without the folder of its file."""
    compiler: Any = shell.compile
    cell = compiler.format_code_name(frame.filename)
    line = linecache.getline(frame.filename, frame.lineno or 0).strip()
    file = " ".join(cell) if cell else "/".join(frame.filename.replace("\\", "/").split("/")[-2:])
    return cell is not None, f"{file}, line {frame.lineno}, in {frame.name}: {line}"


def variables_in(code: str, namespace: Mapping[str, Any], hidden: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the user's variables that code names, in its order, without modules.

    Args:
        code: The code.
        namespace: The user's variables.
        hidden: Those which the shell has put there itself.
    """
    for name in dict.fromkeys(NAME.findall(code)):
        if name in namespace and name not in hidden and not isinstance(value := namespace[name], types.ModuleType):
            yield name, value
