"""The cells of a grid that one provider answers. Workers take them one after the other, and ask again what failed."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Protocol

from sessionmagic.comparing.asking import CellFailure
from sessionmagic.comparing.pace import LONGEST_ASKED, backoff

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionmagic.comparing.asking import CellOutcome
    from sessionmagic.comparing.cells import Cell
    from sessionmagic.comparing.pace import Lane

CELL_TRIES = 4
"""How often a cell is asked on which the provider fails while it answers others."""


class Run(Protocol):
    """The run of a grid, as its providers see it."""

    errors: dict[bytes, str]

    async def ask(self, cell: Cell) -> CellOutcome | None:
        """Ask the model of a cell once, and store the answer; return None if the run has to stop."""


class ProviderRun:
    """The cells of one provider.

    Args:
        run: The run of the grid.
        lane: The requests to the provider.
        cells: The cells that are to be asked, which the workers share.
        workers: How many workers there are at most.

    Attributes:
        answered: How many cells were answered.
        waiting: Why nothing is answered now; empty if something is.
        given_up: Why nothing more is asked, although there is more; empty if it is.
    """

    def __init__(self, run: Run, lane: Lane, cells: Iterator[Cell], workers: int) -> None:
        self.workers = workers
        self.answered = 0
        self.waiting = ""
        self._run = run
        self._lane = lane
        self._cells = cells
        self.given_up = ""
        self._unusable: dict[int, str] = {}
        """The columns whose model does not exist, or whose key is wrong, and the error that says so."""

    async def work(self) -> None:
        """Ask cells until there are no more, or the run has to stop, or the provider is given up."""
        for cell in self._cells:
            if self.given_up:
                return
            if not self._is_unusable(cell):
                await self._ask(cell)

    def end(self) -> None:
        """Let the workers that wait end at once."""
        self._lane.end()

    async def _ask(self, cell: Cell) -> None:
        """Ask a cell until it has an answer, or an error that asking again will not change."""
        tries = failures = faults = 0
        while True:
            async with self._lane.turn(again=tries > 0) as began:
                if self.given_up or self._is_unusable(cell):
                    return
                outcome = await self._run.ask(cell)
                if outcome is None:
                    return
                now = asyncio.get_running_loop().time()
                if not isinstance(outcome, CellFailure):
                    self._lane.pace.answered(now)
                    self.answered += 1
                    self.waiting = ""
                    return
                others_work = self._lane.pace.has_answered_since(began)
                if (outcome.retry_after or 0.0) <= LONGEST_ASKED:
                    self._slow_down(outcome, began, now)
            faults += outcome.kind == "failed" and others_work
            if outcome.kind == "unusable":
                self._unusable[cell.column] = outcome.error
            if outcome.kind in {"unusable", "final"} or faults >= CELL_TRIES or self._is_hopeless(outcome, now):
                self._run.errors[cell.key] = outcome.error
                return
            self.waiting = outcome.error
            tries += 1
            if outcome.kind == "failed":
                failures += 1
                await self._lane.pause(backoff(failures) * random.uniform(0.75, 1.0))  # noqa: S311  not all at once

    def _is_unusable(self, cell: Cell) -> bool:
        """Return whether the model of a cell cannot be asked. The cell then has the error that says so."""
        if error := self._unusable.get(cell.column):
            self._run.errors[cell.key] = error
        return bool(error)

    def _slow_down(self, failure: CellFailure, began: float, now: float) -> None:
        if failure.kind == "refused":
            self._lane.pace.refused(now, began, failure.retry_after)
        elif failure.kind == "failed":
            self._lane.pace.failed(now, failure.retry_after)

    def _is_hopeless(self, failure: CellFailure, now: float) -> bool:
        """Return whether the provider is given up. What it was not asked then stays missing, and is asked next time."""
        asks_too_long = (failure.retry_after or 0.0) > LONGEST_ASKED
        if failure.kind == "denied" or asks_too_long or self._lane.pace.is_hopeless(now):
            self.given_up = failure.error
            self.end()
        return bool(self.given_up)
