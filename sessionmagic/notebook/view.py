"""Show a turn in a view that follows it while it runs, or as one output afterwards."""

from __future__ import annotations

import asyncio
import contextvars
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from sessionmagic.loop import in_thread
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page.answer import answer_html, note_html, user_text_html
from sessionmagic.notebook.page.markdown import turn_markdown, user_text_markdown
from sessionmagic.notebook.page.static import StaticView, answer_outputs, facts
from sessionmagic.notebook.terminal.text import turn_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.conversation.transcript import Transcript
    from sessionmagic.turns.turn import Turn

TICK_SECONDS = 1.0
"""How often the elapsed time is updated while nothing arrives from the model."""
BYTES_PER_SECOND = 100_000
"""The maximum rate at which a running answer is sent to the page. A long block is not cut, but sent less often."""


class View(Protocol):
    """A place where a turn is shown: widgets, a terminal, or static output.

    Called in the context of the cell that started the turn: `update` and `rendered` in a worker thread while a turn
    runs, everything else on the loop thread. No two calls overlap.
    """

    def open(self) -> None:
        """Show that a turn is starting."""

    def update(self, transcript: Transcript) -> int:
        """Show the turn as it is now; return roughly how many bytes of the answer were sent to the page."""

    def rendered(self, transcript: Transcript) -> Sequence[Output]:
        """Return the final form of a finished turn. This may take a second."""

    def finish(self, transcript: Transcript, outputs: Sequence[Output]) -> None:
        """Show the finished turn in its final form, which `rendered` has made."""

    def release(self) -> None:
        """Go on without the cell, which ends before its turn. Called on the thread of the cell."""

    def discard(self) -> None:
        """Remove everything shown so far, because the turn did not start."""


class GuardedView:
    """Wraps a view so that an error in it loses an update, but not the turn or its answer."""

    def __init__(self, view: View) -> None:
        self._view = view

    def open(self) -> None:
        with suppress(Exception):
            self._view.open()

    def update(self, transcript: Transcript) -> int:
        with suppress(Exception):
            return self._view.update(transcript)
        return 0

    def rendered(self, transcript: Transcript) -> Sequence[Output]:
        try:
            return self._view.rendered(transcript)
        except Exception:  # noqa: BLE001  a view may fail in any way
            return answer_outputs(transcript)

    def finish(self, transcript: Transcript, outputs: Sequence[Output]) -> None:
        try:
            self._view.finish(transcript, outputs)
        except Exception:  # noqa: BLE001  a view may fail in any way
            StaticView().finish(transcript, outputs)

    def release(self) -> None:
        with suppress(Exception):
            self._view.release()

    def discard(self) -> None:
        with suppress(Exception):
            self._view.discard()


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a view is updated.

    Attributes:
        hz: The updates a second at most.
        shares: How many turns are shown under the cell at the same time. They share the rate.
    """

    hz: float
    shares: int = 1

    def pause(self, sent: int, seconds: float) -> float:
        """Return how many seconds to wait after an update that has sent so many bytes and has taken so long."""
        return self.shares * max(1 / self.hz, sent / BYTES_PER_SECOND, seconds)


async def follow(turn: Turn, view: View, rate: Rate, *, with_error: bool = True) -> None:
    """Show a turn until it ends: the first text at once, and then at a limited rate.

    Rendering a long answer takes a second or more, and other turns run on this loop. So it is done in a worker thread,
    for at most half of the time, because Python runs only one thread at once.

    Args:
        turn: The turn.
        view: Where to show it.
        rate: How often it is updated.
        with_error: Whether to say at the end why the turn failed.
    """
    seen = 0
    if turn.transcript.remark:  # the final form, which is saved, does not have it
        await in_thread(contextvars.copy_context().run, view.update, turn.transcript)
    over = asyncio.ensure_future(turn.result())
    try:
        while not turn.finished:
            seen = await turn.news(seen, TICK_SECONDS)
            if turn.finished:
                break
            transcript, began = turn.transcript, time.monotonic()
            sent = await in_thread(contextvars.copy_context().run, view.update, transcript)
            if transcript.blocks:
                pause = rate.pause(sent, time.monotonic() - began)
                await asyncio.wait([over], timeout=pause)  # the end of the turn cuts the pause short
    finally:
        over.cancel()
    transcript = turn.transcript if with_error else replace(turn.transcript, error=None)
    view.finish(transcript, await in_thread(contextvars.copy_context().run, view.rendered, transcript))


def show_turn(transcript: Transcript, prompt: str, asked_with: str = "") -> None:
    """Display a turn again, with its prompt, as one output, because JupyterLab hides outputs after the fiftieth.

    Args:
        transcript: The turn.
        prompt: Its prompt.
        asked_with: Its settings and instructions in one line.
    """
    settings = note_html(asked_with) if asked_with else ""
    Output(
        {
            "text/html": f"<hr>{user_text_html(prompt)}{settings}{answer_html(transcript)}",
            "text/markdown": f"{user_text_markdown(prompt)}\n{turn_markdown(transcript)}",
            "text/plain": turn_text(transcript, prompt, asked_with),
        },
        {"sessionmagic": facts(transcript, "turn")},
    ).display()
