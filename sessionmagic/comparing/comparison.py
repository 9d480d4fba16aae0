"""Ask several models the same prompt, each in its own branch of one session."""

from __future__ import annotations

import asyncio
import random
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sessionmagic.conversation.session import Column
from sessionmagic.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sessionmagic.comparing.contestants import Contestant
    from sessionmagic.turns.group import TurnGroup
    from sessionmagic.turns.request import Request
    from sessionmagic.turns.turn import Turn

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
            new=False,
            model=contestant.model,
            once=bool(contestant.model),
            settings={**request.settings, **contestant.settings},
            moves_head=False,
            reuse=False,
            column=column,
        ),
    )


class Comparison:
    """The runs of one comparison on a session that is claimed for all of them.

    Each run is a turn of its own once it has started. The claim is released when `leave` was called and all turns
    have ended.

    Attributes:
        runs: The runs, in the order of their columns.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        providers: Sequence[str],
        group: TurnGroup,
        start: Callable[[Request, TurnGroup], Awaitable[Turn]],
    ) -> None:
        self.runs = runs
        self._group = group
        self._start = start
        slots = {provider: asyncio.Semaphore(PER_PROVIDER) for provider in providers}
        self._slots = [slots[provider] for provider in providers]
        self._turns: set[asyncio.Task[None]] = set()

    async def start(self, number: int) -> Turn:
        """Start the run at an index, once few enough others ask the same provider. Raises what its start does."""
        slot = self._slots[number]
        await slot.acquire()
        try:
            turn = await self._start(self.runs[number].request, self._group)
        except BaseException:
            slot.release()
            raise
        running = asyncio.ensure_future(_until_end(turn, slot))
        self._turns.add(running)  # the loop itself does not keep its tasks alive
        running.add_done_callback(self._turns.discard)
        return turn

    @property
    def session_name(self) -> str:
        """The session's name."""
        return self._group.session

    @property
    def session_id(self) -> str:
        """The session's id."""
        return self._group.session_id

    def leave(self) -> None:
        """Give up the claim, because no more runs will be started. It is released when all turns have ended."""
        self._group.leave()


async def _until_end(turn: Turn, slot: asyncio.Semaphore) -> None:
    try:
        with suppress(Exception):
            await turn.result()
    finally:
        slot.release()
