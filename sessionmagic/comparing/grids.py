"""The grids of one store: where they are kept, and how they are started."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sessionmagic.comparing.contestants import Contestant
from sessionmagic.comparing.grid import Grid
from sessionmagic.comparing.grid_store import NAME_BYTES, FileGrids, MemoryGrids
from sessionmagic.comparing.judging import Answer
from sessionmagic.comparing.plan import Spender
from sessionmagic.loop import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sessionmagic.comparing.judge import Judge
    from sessionmagic.comparing.judge_report import JudgeReport
    from sessionmagic.comparing.plan import GridRequest
    from sessionmagic.comparing.results import GridResults
    from sessionmagic.models.catalog import Models


class Grids:
    """Runs grids.

    Args:
        models: Returns the models that references can name.
        home: The directory in which the answers are kept; None to keep them in memory.
    """

    def __init__(self, models: Callable[[], Models], home: Path | None) -> None:
        self._models = models
        self._kept: FileGrids | MemoryGrids = FileGrids(home) if home is not None else MemoryGrids()

    def new(self, request: GridRequest) -> Grid:
        """Return a grid that has not begun. Its `results` has the rows at any time, also when its run is cancelled."""
        return Grid(request, self._models, self._kept)

    async def judge(self, results: GridResults, judge: Judge, **options: Any) -> JudgeReport:
        """Let a judge compare each two answers to a prompt in both orders, and return what it has found.

        Its verdicts are kept like the answers of a grid, so that it is asked about new answers only. The report becomes
        the results' `judged`.

        Args:
            results: The rows to judge. Rows without an answer are left out.
            judge: The judge.
            options: Other fields of `GridRequest`, such as `progress` and `max_cost`.

        Raises `UsageError` if there are no two answers to a prompt, or the libraries of the statistics are not
        installed, and what a grid raises.
        """
        from sessionmagic.comparing.intervals import check_installed
        from sessionmagic.comparing.judge import judged
        from sessionmagic.comparing.judge_report import judge_report

        check_installed()
        rows = {(row.prompt, row.label, row.repeat): row for row in results if row.answer is not None}
        found = await judged(
            self.run,
            judge,
            [Answer(*key, row.answer or "") for key, row in rows.items()],
            {row.prompt: row.prompt for row in rows.values()},
            [Contestant(row.model, row.settings) for row in {row.label: row for row in results}.values()],
            name=_name_of_judge(results.name),
            spender=Spender("the judge"),
            **options,
        )
        report = judge_report(judge.model, found.judgements, results.labels, found.warnings)
        results.judged = replace(report, cost=found.results.cost)
        return results.judged

    async def run(self, request: GridRequest) -> GridResults:
        """Run a grid to its end, and score the answers in a worker thread."""
        results = await self.new(request).run()
        if request.score is not None:
            await in_thread(results.score, request.score)
        return results


def _name_of_judge(grid: str) -> str:
    """Return the name of the grid of a judge's requests, which is not longer than a name may be."""
    end = "-judge"
    return grid[: 100 - len(end)].encode()[: NAME_BYTES - len(end)].decode(errors="ignore") + end
