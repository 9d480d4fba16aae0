"""Ask several models the same prompt, each in its own branch of one session."""

from __future__ import annotations

import asyncio
import random
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from sessionmagic.comparing.answers import Answers
from sessionmagic.conversation.column import Column
from sessionmagic.exceptions import UsageError
from sessionmagic.loop import in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sessionmagic.comparing.contestants import Contestant
    from sessionmagic.turns.group import TurnGroup
    from sessionmagic.turns.request import Request
    from sessionmagic.turns.turn import Turn, TurnResult

COLUMNS = 12
"""How many columns a comparison can have. More cannot be read side by side, and have no letters that users know."""
REPEATS = 20
PER_PROVIDER = 8
"""How many runs of a comparison ask one provider at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a comparison: a request in a column."""

    column: Column
    request: Request
    provider: tuple[str, str] = ("", "")
    """What identifies the provider that it asks first."""


def runs_of(request: Request, contestants: Sequence[Contestant], *, repeat: int = 1, blind: bool = False) -> list[Run]:
    """Return what a comparison asks: for each contestant the same request, `repeat` times.

    Args:
        request: What is asked. Its model is that of each contestant, for one turn only.
        contestants: What answers, a column each.
        repeat: How many times each is asked.
        blind: Whether the columns have letters instead of labels, in random order.

    Raises `UsageError` when there are too many columns or repeats.
    """
    if len(contestants) > COLUMNS:
        raise UsageError(
            f"a comparison has at most {COLUMNS} columns, and these would be {len(contestants)}; "
            "%agent compare asks any number, without showing them side by side"
        )
    if not 1 <= repeat <= REPEATS:
        raise UsageError(f"--repeat must be at least 1 and at most {REPEATS}")
    if request.once or request.model:
        raise UsageError("a comparison names its models itself; leave the model out")
    comparison = uuid.uuid4().hex[:8]
    order = random.sample(contestants, len(contestants)) if blind else contestants
    columns = [
        Column(comparison, number, each.label, settings=dict(each.settings), hidden=blind)
        for number, each in enumerate(order, 1)
    ]
    return [
        _run(request, contestant, replace(column, repeat=time))
        for contestant, column in zip(order, columns, strict=True)
        for time in range(1, repeat + 1)
    ]


def _run(request: Request, contestant: Contestant, column: Column) -> Run:
    return Run(
        column=column,
        request=replace(
            request,
            model=contestant.model,
            once=True,
            settings={**request.settings, **contestant.settings},
            moves_head=False,
            reuse=False,
            column=column,
        ),
    )


async def prepared(
    runs: Sequence[Run],
    group: TurnGroup,
    prepare: Callable[[Sequence[Request]], tuple[list[Request], list[tuple[str, str]]]],
) -> list[Run]:
    """Return runs that can be started. If one cannot, leave the group and raise why.

    Args:
        runs: The runs.
        group: The claim on their session.
        prepare: Checks their requests in a worker thread; returns them, and what identifies their providers.
    """
    try:
        requests, providers = await in_thread(prepare, [run.request for run in runs])
    except BaseException:
        group.leave()
        raise
    return [
        replace(run, request=request, provider=provider)
        for run, request, provider in zip(runs, requests, providers, strict=True)
    ]


class Comparison:
    """The runs of one comparison on a session that is claimed for all of them.

    Each run is a turn of its own once it has started. The claim is released when `leave` was called and all turns
    have ended.

    Args:
        runs: The runs, in the order of their columns.
        group: The claim.
        start: Starts a turn of the group.
        keep: Lets a session go on with one of its turns; takes ids of both and of the comparison, and whether the
            turn's model stays.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        group: TurnGroup,
        start: Callable[[Request, TurnGroup], Awaitable[Turn]],
        keep: Callable[..., object],
    ) -> None:
        self.runs = runs
        self._group = group
        self._start = start
        self._keep = keep
        self._admitting = asyncio.Lock()
        """Held while a run is stored, so that the turns are numbered like the columns."""
        self._slots = {run.provider: asyncio.Semaphore(PER_PROVIDER) for run in runs}
        self._turns: set[asyncio.Task[None]] = set()
        self._stopped = False
        self.on_stop: Callable[[], object] | None = None
        """Called by `stop`, on any thread: ends what is done with the answers."""
        group.on_stop = self.stop

    async def answers(self) -> Answers:
        """Start all runs, and return their answers when all have ended. Raises what the start of a run raises.

        Runs that were stopped before they started have no answer.
        """

        async def ended(run: Run) -> TurnResult:
            return await (await self.start(run)).result()

        try:
            found = await asyncio.gather(*map(ended, self.runs), return_exceptions=True)
        finally:
            self.leave()
        for each in found:
            if isinstance(each, BaseException) and not isinstance(each, asyncio.CancelledError):
                raise each
        return self.answers_of([each for each in found if not isinstance(each, BaseException)])

    def answers_of(self, results: Sequence[TurnResult]) -> Answers:
        """Return the results of runs as answers."""
        return Answers(results, partial(self._keep, self.session_id))

    async def start(self, run: Run) -> Turn:
        """Start a run, once few enough others ask the same provider.

        Raises what the start of a turn raises, and `asyncio.CancelledError` when the comparison was stopped before.
        """
        slot = self._slots[run.provider]
        await slot.acquire()
        try:
            async with self._admitting:
                turn = await self._started(run)
        except BaseException:
            slot.release()
            raise
        running = asyncio.ensure_future(_until_end(turn, slot))
        self._turns.add(running)  # the loop itself does not keep its tasks alive
        running.add_done_callback(self._turns.discard)
        return turn

    async def _started(self, run: Run) -> Turn:
        if self._stopped:
            raise asyncio.CancelledError
        return await self._start(run.request, self._group)

    @property
    def session_id(self) -> str:
        """The session's id."""
        return self._group.session_id

    def stop(self) -> None:
        """Start no more runs. Those that run are stopped as turns. Safe on any thread."""
        self._stopped = True
        if self.on_stop is not None:
            self.on_stop()

    def leave(self) -> None:
        """Give up the claim, because no more runs will be started. It is released when all turns have ended."""
        self._group.leave()


async def _until_end(turn: Turn, slot: asyncio.Semaphore) -> None:
    try:
        with suppress(Exception):
            await turn.result()
    finally:
        slot.release()
