"""The grids of one store: where they are kept, and how they are started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.comparing.grid import Grid
from sessionmagic.comparing.grid_store import FileGrids, MemoryGrids
from sessionmagic.loop import in_thread

if TYPE_CHECKING:
    from pathlib import Path

    from sessionmagic.comparing.plan import GridRequest
    from sessionmagic.comparing.results import GridResults
    from sessionmagic.models.catalog import Models


class Grids:
    """Runs grids.

    Args:
        models: The models that references can name.
        home: The directory in which the answers are kept; None to keep them in memory.
    """

    def __init__(self, models: Models, home: Path | None) -> None:
        self._models = models
        self._kept: FileGrids | MemoryGrids = FileGrids(home) if home is not None else MemoryGrids()

    def new(self, request: GridRequest) -> Grid:
        """Return a grid that has not begun. Its `results` has the rows at any time, also when its run is cancelled."""
        return Grid(request, self._models, self._kept)

    async def run(self, request: GridRequest) -> GridResults:
        """Run a grid to its end, and score the answers in a worker thread."""
        results = await self.new(request).run()
        if request.score is not None:
            await in_thread(results.score, request.score)
        return results
