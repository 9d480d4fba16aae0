"""A comparison where there are no widgets: a line for each run that has ended in a terminal, and then all answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sessionmagic.conversation.comparison import shown
from sessionmagic.notebook.captions import run_line
from sessionmagic.notebook.compared import ShownRun
from sessionmagic.notebook.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sessionmagic.conversation.column import Column
    from sessionmagic.conversation.transcript import Transcript
    from sessionmagic.notebook.controls import Controls
    from sessionmagic.notebook.output import Output


class PlainArea:
    """The place of a comparison without widgets.

    Args:
        reports: Whether each run is reported when it has ended.
    """

    has_buttons = has_draft = False

    def __init__(self, *, reports: bool) -> None:
        self._reports = reports

    def view(self, column: Column, controls: Controls) -> PlainView:  # noqa: ARG002
        """Return the view of one run."""
        return PlainView(column, reports=self._reports)

    def wait(self, line: str) -> None:
        """Print a line in a terminal."""
        self.say(line)

    def discard(self, why: str) -> None:
        """Print why there will be no views, if the cell does not say it."""
        if why:
            self.say(why)

    def open(self) -> None:
        """Show nothing yet."""

    def say(self, line: str) -> None:
        """Print a line in a terminal."""
        if self._reports:
            print(visible(line))

    def finish(self, output: Output, line: str, vote: Callable[[str], Sequence[str]] | None) -> None:  # noqa: ARG002
        """Show all answers."""
        output.display()


class PlainView:
    """One run, which is reported when it has ended."""

    html = ""

    def __init__(self, column: Column, *, reports: bool) -> None:
        self._column = column
        self._reports = reports
        self._opened_at = time.monotonic()

    def open(self) -> None:
        pass

    def update(self, transcript: Transcript) -> int:  # noqa: ARG002
        return 0

    def rendered(self, transcript: Transcript) -> Sequence[Output]:  # noqa: ARG002
        return ()

    def finish(self, transcript: Transcript, outputs: Sequence[Output]) -> None:  # noqa: ARG002
        if self._reports:
            run = ShownRun(self._column, shown(transcript, self._column))
            print(visible(f"{run.heading}: {run_line(run.transcript, self._opened_at, ended=True)}"))

    def release(self) -> None:
        pass

    def discard(self) -> None:
        pass
