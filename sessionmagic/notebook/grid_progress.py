"""How far a grid is, on one line that changes in place where the front end can show that."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.usage import dollars
from sessionmagic.notebook.compared import BAR_LENGTH, bar
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page.answer import note_html
from sessionmagic.notebook.visible import visible
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from sessionmagic.comparing.progress import Progress
    from sessionmagic.notebook.recognition import Recognized

LEAST_DONE = 3
"""How many answers it takes to tell how long the rest will take."""
MINUTE, HOUR = 60, 3600


class GridProgress:
    """A line under the cell that shows how far a grid is.

    Args:
        front_end: Says how the line changes: as an output that is replaced, or as text that is printed over itself.
            Where neither works, only the last line is shown.
        done: What a cell is that is done, in words.
    """

    def __init__(self, front_end: Recognized, done: str = "answered") -> None:
        self._done = done
        self._changes_in_place = front_end.changes == "in place"
        self._live = front_end.live
        self._last = ""
        self._handle: Any = None
        self._began_at = time.monotonic()
        self._done_before: int | None = None
        self._width = 0

    def show(self, progress: Progress) -> None:
        """Show how far the grid is now."""
        if self._done_before is None:
            self._done_before = progress.done
        seconds = time.monotonic() - self._began_at
        self.say(progress_line(progress, progress.done - self._done_before, seconds, self._done))

    def say(self, line: str) -> None:
        """Show another line in its place."""
        self._last = visible(line)
        if not self._changes_in_place:
            if self._live:
                self._print_over()
            return
        output = Output({"text/html": note_html(line), "text/plain": self._last})
        if self._handle is None:
            self._handle = output.display(with_id=True)
        else:
            self._handle.update(dict(output.data), raw=True, metadata={})

    def end(self) -> None:
        """Leave the line as it is."""
        if not self._changes_in_place and self._last:
            print("" if self._live else self._last)

    def _print_over(self) -> None:
        # A line that is wrapped cannot be printed over.
        shown = shortened(self._last, shutil.get_terminal_size().columns - 1)
        self._width = max(self._width, len(shown))
        print(shown.ljust(self._width), end="\r", flush=True)


def progress_line(progress: Progress, answered: int, seconds: float, done: str = "answered") -> str:
    """Return how far a grid is, what it has cost, and how long it may still take.

    Args:
        progress: How far it is.
        answered: How many answers have come in since it began.
        seconds: How long ago it began.
        done: What a cell is that is done, in words.
    """
    ended = progress.done + progress.failed
    whole = bar(ended, progress.total).ljust(BAR_LENGTH, "·")
    parts = [f"{whole} {progress.done:,} of {progress.total:,} {done}"]
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    if progress.open and not progress.ended:
        parts.append(f"{progress.open:,} open")
    if progress.cost is not None or progress.estimate.cost:
        about = f" of {progress.estimate.cost and f'about {dollars(progress.estimate.cost)}'}"
        parts.append(f"{dollars(progress.cost or 0.0)}{about if progress.estimate.cost else ''}")
    left = progress.total - ended
    if progress.ended:
        return " · ".join(parts)
    if left and answered >= LEAST_DONE:
        parts.append(f"{_time(seconds / answered * left)} left")
    if progress.waiting:
        parts.append(f"waiting: {progress.waiting}")
    return " · ".join(parts)


def _time(seconds: float) -> str:
    if seconds < MINUTE:
        return f"about {max(1, round(seconds))} s"
    return f"about {round(seconds / MINUTE)} min" if seconds < HOUR else f"about {seconds / HOUR:.1f} h"
