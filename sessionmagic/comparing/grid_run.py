"""The requests of one run of a grid: what is missing is asked, stored and paid for."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import BrokenExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.comparing.asking import CellFailure, Errand, ask_in_worker
from sessionmagic.comparing.pace import MOST, Lane, Pace
from sessionmagic.comparing.progress import Progress
from sessionmagic.comparing.provider_run import ProviderRun
from sessionmagic.conversation.usage import Usage, dollars, total
from sessionmagic.exceptions import SessionMagicError, StoreError, ToolError, TurnLimitError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.loop import in_thread
from sessionmagic.turns.account import KERNEL, Account
from sessionmagic.turns.charged_model import require_price
from sessionmagic.words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionmagic.comparing.asking import CellOutcome
    from sessionmagic.comparing.cells import Cell
    from sessionmagic.comparing.estimate import Estimate
    from sessionmagic.comparing.grid_store import GridStore
    from sessionmagic.comparing.plan import Column, GridRequest, Plan

SYNC_SECONDS = 0.2
"""How often what was stored is synced to disk, and the progress is reported."""
CANCEL_SECONDS = 0.5
"""How long requests that were cancelled may take to end."""


class GridRun:
    """The requests of one run of a grid.

    Args:
        plan: What is asked.
        store: Where the answers are kept.
        request: What the user has asked for.

    Attributes:
        errors: Why cells have no answer, by their keys.
        missing: How many cells have no answer when the run begins.
        asked: How many requests were made.
        stopped: Why the run has ended before all was asked; empty if it has not.
        failure: The error that has stopped it; None if there was none, or only a provider was given up.
    """

    estimate: Estimate

    def __init__(self, plan: Plan, store: GridStore, request: GridRequest) -> None:
        self.store = store
        self.errors: dict[bytes, str] = {}
        self.missing = 0
        self.asked = 0
        self.stopped = ""
        self._plan = plan
        self._request = request
        self._report = request.progress
        self._total = 0
        self._open = 0
        self._providers: list[ProviderRun] = []
        self.failure: SessionMagicError | None = None
        self._ended = False

    def prepare(self) -> None:
        """Find out what is missing. Looks at each cell, so it runs in a worker thread."""
        keys = {cell.key for cell in self._plan.cells}
        self._total = len(keys)
        self.missing = sum(key not in self.store.answers for key in keys)
        self.estimate = self._plan.estimate(self.store.answers)

    async def to_end(self) -> None:
        """Ask what is missing.

        Raises `StoreError` when an answer cannot be stored, and `ToolError` when the executor has failed.

        When the grid has to stop, the requests that are open are awaited, because they are paid for. When this is
        cancelled, they are given up.
        """
        tasks: list[asyncio.Task[None]] = []
        if self.missing:
            names = dict.fromkeys(column.provider for column in self._plan.columns)
            self._providers = [self._provider(name) for name in names]
            workers = [each.work() for each in self._providers for _ in range(min(each.workers, self.missing))]
            tasks = [asyncio.create_task(work) for work in workers]
        keeper = asyncio.create_task(self._keep())
        try:
            if tasks:  # not one after the other: a cancelled `await task` waits for a task that does not end
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
                for task in done:
                    task.result()
        finally:
            self._ended = True
            for task in (keeper, *tasks):
                task.cancel()
            await asyncio.wait([keeper, *tasks], timeout=CANCEL_SECONDS)
            self.stopped = self.stopped or "; ".join(each.given_up for each in self._providers if each.given_up)
            self._tell(ended=True)
        if isinstance(self.failure, StoreError | ToolError):
            raise self.failure

    def _provider(self, name: tuple[str, str]) -> ProviderRun:
        columns = self._plan.columns_of(name)
        local = self._plan.columns[columns[0]].model.is_local
        lane = Lane(Pace(limit=1, most=1) if local else Pace())
        return ProviderRun(self, lane, self._unanswered(columns), workers=1 if local else MOST)

    def _unanswered(self, columns: list[int]) -> Iterator[Cell]:
        """Yield the cells that are to be asked, each key once, until the run has to stop."""
        taken: set[bytes] = set()
        for cell in self._plan.cells.of(columns):
            if self.failure is not None or self._ended:
                return
            if cell.key not in self.store.answers and cell.key not in taken:
                taken.add(cell.key)
                yield cell

    async def ask(self, cell: Cell) -> CellOutcome | None:
        """Ask the model of a cell once, within the budgets, and store the answer.

        Returns None, and lets the run stop, when a budget does not allow it, or the answer cannot be stored.
        """
        if self.failure is not None or self._ended:  # a model may have swallowed that it was cancelled
            return None
        column = self._plan.columns[cell.column]
        try:
            require_price(column.model, KERNEL)
            self._check_cost(column)
            async with KERNEL.request():
                outcome = await self._asked(column, self._plan.cells.prompts[cell.row])
                self._charge(column, outcome)
            if not isinstance(outcome, CellFailure):
                self.store.add(cell.key, outcome)
        except SessionMagicError as error:
            self.stop(error)
            return None
        return outcome

    def stop(self, error: SessionMagicError) -> None:
        """Ask nothing more."""
        if self.failure is None:
            self.failure, self.stopped = error, str(error)
            for each in self._providers:
                each.end()

    async def _asked(self, column: Column, prompt: str) -> CellOutcome:
        self.asked += 1
        self._open += 1
        try:
            if self._request.executor is None:
                outcome = await column.asker.ask(prompt, self._check_try)
            else:
                outcome = await self._asked_elsewhere(column, prompt)
        finally:
            self._open -= 1
        self.asked += outcome.requests - 1
        return outcome

    async def _asked_elsewhere(self, column: Column, prompt: str) -> CellOutcome:
        """Ask in a worker of the executor. Its answer is cleaned here too, as its environment may have other keys."""
        plan, model = self._plan, column.model
        prices = {each.reference: each.price for each in model.each if each.price is not None}
        errand = Errand(
            model.reference,
            column.settings,
            plan.system,
            plan.endpoints,
            prices,
            plan.output_type,
            plan.defaults,
            plan.names.without_headers(),
        )
        try:
            assert self._request.executor is not None  # noqa: S101  for the type checker
            call = self._request.executor.submit(ask_in_worker, errand, prompt, secrets.token_hex(8))
            outcome: CellOutcome = await asyncio.wrap_future(call)
        except BrokenExecutor as error:
            raise ToolError(f"the executor has failed: {words_of(error)}; run the grid again to go on") from error
        except Exception as error:  # noqa: BLE001  an executor may fail in any way
            return CellFailure("final", without_keys(words_of(error)), may_have_cost=True)
        if isinstance(outcome, CellFailure):
            return replace(outcome, error=without_keys(outcome.error))
        return replace(outcome, text=without_keys(outcome.text))

    def _charge(self, column: Column, outcome: CellOutcome) -> None:
        if isinstance(outcome, CellFailure) and not outcome.may_have_cost:
            return
        usage = outcome.usage or Usage(unmeasured_requests=1)
        for account in (KERNEL, self._plan.account):
            account.add(usage, column.model.reference)

    def _check_cost(self, column: Column) -> None:
        """Raise `TurnLimitError` if another request could cost more than is left, as far as others tell."""
        limit, account = self._request.max_cost, self._plan.account
        if limit is None:
            return
        require_price(column.model, account, limit)
        spent = account.used.cost or 0.0
        answered = self._answered_now()
        self._check_spent(spent, self._open * spent / answered if answered else 0.0)

    def _check_try(self, used: Usage) -> None:
        """Stop the run, and raise `TurnLimitError`, if a cell that has used this must not be asked again.

        Until the cell ends, that is in no account.
        """
        try:
            Account(KERNEL.owner, KERNEL.advice, budget=KERNEL.budget, used=total([KERNEL.used, used])).check()
            self._check_spent(total([self._plan.account.used, used]).cost or 0.0)
        except TurnLimitError as error:
            self.stop(error)
            raise

    def _check_spent(self, spent: float, of_open: float = 0.0) -> None:
        """Raise `TurnLimitError` if what is spent, and what open requests will cost, reaches what this run may cost."""
        limit, spender = self._request.max_cost, self._request.spender
        if limit is not None and spent + of_open >= limit:
            allowed = spender.limit.format(dollars(limit))
            raise TurnLimitError(f"{spender.name} has spent {dollars(spent)} of {allowed}; {spender.if_spent}")

    async def _keep(self) -> None:
        """Sync the store and report the progress, again and again."""
        while True:
            self._tell()
            await asyncio.sleep(SYNC_SECONDS)
            try:
                await in_thread(self.store.sync)
            except StoreError as error:
                self.stop(error)

    def _tell(self, *, ended: bool = False) -> None:
        if self._report is None:
            return
        left = self.missing - len(self.errors) - self._answered_now()
        try:
            self._report(
                Progress(
                    done=self._total - left - len(self.errors),
                    failed=len(self.errors),
                    total=self._total,
                    open=self._open,
                    cost=self._plan.account.used.cost,
                    estimate=self.estimate,
                    waiting=next((each.waiting for each in self._providers if each.waiting), ""),
                    ended=ended,
                )
            )
        except Exception as error:  # noqa: BLE001  what reports must not end what is paid for
            self._report = None
            self._plan.warnings.append(f"the progress was not reported any more: {without_keys(words_of(error))}")

    def _answered_now(self) -> int:
        return sum(each.answered for each in self._providers)
