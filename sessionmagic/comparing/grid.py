"""A grid: many prompts for several models, asked at the pace of each provider, never twice for the same answer."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from sessionmagic.comparing.grid_row import GridRow
from sessionmagic.comparing.grid_run import GridRun
from sessionmagic.comparing.plan import planned
from sessionmagic.comparing.results import GridResults
from sessionmagic.conversation.usage import dollars
from sessionmagic.conversation.value import fields_of
from sessionmagic.exceptions import UsageError
from sessionmagic.loop import in_own_thread, in_thread, loop_thread, settled_in_thread
from sessionmagic.turns.output_type import UnfitAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.comparing.cells import Cell, CellAnswer
    from sessionmagic.comparing.grid_store import FileGrids, GridStore, MemoryGrids
    from sessionmagic.comparing.plan import GridRequest, Plan
    from sessionmagic.models.catalog import Models

STOP_SECONDS = 0.8
"""How long an interrupted grid may take to close its file. The requests that are open may end later."""


class GridInterrupt(KeyboardInterrupt):
    """A grid was interrupted. `results` has the rows that were done."""

    def __init__(self, results: GridResults) -> None:
        super().__init__()
        self.results = results


class Grid:
    """One run of a grid.

    Args:
        request: What is asked.
        models: Returns the models that references can name.
        grids: Where the answers are kept.
    """

    def __init__(self, request: GridRequest, models: Callable[[], Models], grids: FileGrids | MemoryGrids) -> None:
        self._request = request
        self._models = models
        self._grids = grids
        self._plan: Plan | None = None
        self._run: GridRun | None = None
        self._closed = threading.Event()

    async def run(self) -> GridResults:
        """Ask what has no answer yet, and return the rows.

        When this is cancelled, the requests that are open are given up. `results` has the rows in any case.

        Raises:
            ModelReferenceError: A model cannot be used.
            SessionBusyError: The grid is running elsewhere.
            UsageError: The prompts or another argument are not valid, or the estimate is above `max_cost`.
            StoreError: The answers cannot be read or stored.
            ToolError: The executor has failed.

        Nothing was asked when one of them is raised, except for the last two. What has been answered then is stored.
        """
        plan = self._plan = await in_thread(lambda: planned(self._request, self._models()))
        # Also when this is cancelled meanwhile, the grid is open and has to be closed.
        store, cancelled = await settled_in_thread(self._opened)
        try:
            if cancelled:
                raise asyncio.CancelledError
            await self._ask(plan, store)
        finally:
            await in_thread(store.close)
            self._closed.set()
        return await in_own_thread(lambda: self.results)  # it may run validators of the user's

    def run_sync(self) -> GridResults:
        """Do what `run` does, and score the answers on this thread.

        `KeyboardInterrupt` stops the run, and is raised as a `GridInterrupt`, which has the rows.
        """
        try:
            results = loop_thread().run_sync(self.run)
        except KeyboardInterrupt:
            self._closed.wait(STOP_SECONDS)
            raise GridInterrupt(self.results) from None
        if self._request.score is not None:
            try:
                results.score(self._request.score)
            except KeyboardInterrupt:
                raise GridInterrupt(results) from None
        return results

    @property
    def results(self) -> GridResults:
        """The rows that are answered or have failed by now."""
        plan, run, name = self._plan, self._run, self._request.name
        if plan is None or run is None:
            return GridResults((), name, len(plan.cells) if plan else 0)
        rows = []
        for cell in plan.cells:
            if (answer := run.store.answers.get(cell.key)) is not None:
                rows.append(_answered(plan, cell, answer))
            elif (error := run.errors.get(cell.key)) is not None:
                rows.append(_row(plan, cell, error=error))
        results = GridResults(rows, name, len(plan.cells))
        results.asked, results.stopped, results.spent = run.asked, run.stopped, plan.account.used.cost
        results.error = run.failure
        results.warnings = [*plan.warnings, *run.store.warnings]
        return results

    def _opened(self) -> GridStore:
        return self._grids.open(self._request.name, self._request.where)

    async def _ask(self, plan: Plan, store: GridStore) -> None:
        run = self._run = GridRun(plan, store, self._request)
        await in_thread(run.prepare)
        limit, estimate, spender = self._request.max_cost, run.estimate, self._request.spender
        if limit is not None and estimate.cost is not None and estimate.cost > limit:
            raise UsageError(
                f"{spender.name} would make {estimate}, which is above {spender.limit.format(dollars(limit))}, so "
                f"nothing was asked; {spender.if_more}"
            )
        async with AsyncExitStack() as connections:
            if self._request.executor is None and run.missing:
                for column in plan.columns:
                    await connections.enter_async_context(column.asker)
            await run.to_end()


def _answered(plan: Plan, cell: Cell, answer: CellAnswer) -> GridRow:
    usage = answer.usage
    known = not usage.unmeasured_requests or bool(usage.tokens)
    return _row(
        plan,
        cell,
        answer=answer.text,
        answered_by=answer.model or None,
        **_value(plan, answer),
        input_tokens=usage.input_tokens if known else None,
        output_tokens=usage.output_tokens if known else None,
        cost=usage.cost,
        seconds=answer.seconds,
        finish_reason=answer.finish_reason,
    )


def _value(plan: Plan, answer: CellAnswer) -> dict[str, Any]:
    """Return the structured answer of a cell, whose text is its JSON, as fields of its row."""
    if plan.output_type is None:
        return {}
    try:
        content = json.loads(answer.text)
    except ValueError:  # what was left out of it as a key was more than a text
        return {}
    try:
        value = plan.output_type.of_json(content).value
    except UnfitAnswerError:  # a validator of the user's has changed since
        value = content
    return {"value": value, "fields": fields_of(content)}


def _row(plan: Plan, cell: Cell, **fields: object) -> GridRow:
    column = plan.columns[cell.column]
    return GridRow(
        number=cell.row,
        prompt=plan.cells.prompts[cell.row],
        model=column.contestant.model,
        settings=column.settings,
        label=column.contestant.label,
        repeat=cell.repeat,
        **fields,  # type: ignore[arg-type]
    )
