"""Report what a tool call prints while it runs, a few times a second."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from sessionmagic.turns.key_scanner import ready_for
from sessionmagic.turns.turn import current_turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sessionmagic.turns.turn import Turn

PAUSE_SECONDS = 0.2
"""The time between two reports. What a shorter call prints is only in its result."""


class Printed(Protocol):
    """What is printed while a call runs."""

    def taken(self) -> str:
        """Return what was printed since the last time."""


@asynccontextmanager
async def reported(output: Printed) -> AsyncIterator[None]:
    """Report to the running turn what `output` gets within the block, and the rest if the block is cancelled."""
    turn = current_turn.get()
    reporting = asyncio.ensure_future(_keep_reporting(turn, output))
    try:
        yield
    except asyncio.CancelledError:
        turn.report_printed(output.taken())
        raise
    finally:
        reporting.cancel()


async def _keep_reporting(turn: Turn, output: Printed) -> None:
    while True:
        await asyncio.sleep(PAUSE_SECONDS)
        if text := output.taken():
            await ready_for(text)
            turn.report_printed(text)
