"""Report what a tool call prints while it runs, a few times a second."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sessionmagic.turns.key_scanner import ready_for
from sessionmagic.turns.turn import current_turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sessionmagic.notebook.kernel.outputs import CapturedOutput
    from sessionmagic.turns.turn import Turn

PAUSE_SECONDS = 0.2
"""The time between two reports. What a shorter call prints is only in its result."""


@asynccontextmanager
async def reported(output: CapturedOutput) -> AsyncIterator[None]:
    """Report to the running turn what `output` captures within the block, and the rest if the block is cancelled."""
    turn = current_turn.get()
    reporting = asyncio.ensure_future(_keep_reporting(turn, output))
    try:
        yield
    except asyncio.CancelledError:
        turn.report_printed(output.taken())
        raise
    finally:
        reporting.cancel()


async def _keep_reporting(turn: Turn, output: CapturedOutput) -> None:
    while True:
        await asyncio.sleep(PAUSE_SECONDS)
        if text := output.taken():
            await ready_for(text)
            turn.report_printed(text)
