"""The button with which a show goes on, step by step."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page.in_view import FOLLOW, GOES_ON, GOES_ON_STYLE
from sessionmagic.notebook.page.pieces import button, forget, page, row


class NextButton:
    """A button and a line that says how far the show is, which stay in sight. Made on the loop on which the show runs.

    Args:
        count: How many turns the show has.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._loop = asyncio.get_running_loop()
        self._clicks = asyncio.Semaphore(0)
        self._line = page("")
        self._follow = _hidden("")
        self._steps = 0
        next_step = button("Next", self._go_on, icon="step-forward", tooltip="Go on to the next step")
        self._box = row(next_step, self._line, _hidden(GOES_ON_STYLE), self._follow)
        self._box.add_class(GOES_ON)
        self._handle: Any = None

    def show(self) -> None:
        """Show the button under the cell."""
        bundle = self._box._repr_mimebundle_()
        self._handle = Output(bundle | {"text/plain": "a button that goes on to the next step"}).display(with_id=True)

    def at(self, number: int) -> None:
        """Say which turn is shown, counted from 1."""
        self._line.value = f"turn {number} of {self._count}"

    def follow(self) -> None:
        """Bring what was shown last into view."""
        self._steps += 1
        self._follow.value = FOLLOW.format(step=self._steps)

    def end(self, line: str) -> None:
        """Put a line, which is not escaped, in place of the button."""
        self._handle.update({"text/html": f"<p>{line}</p>", "text/plain": line}, raw=True)
        forget([self._box])

    async def clicked(self) -> None:
        """Wait for a click. Each one counts, also one that came before, while nothing waited."""
        self.follow()
        await self._clicks.acquire()

    def _go_on(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._clicks.release)


def _hidden(html: str) -> Any:
    from ipywidgets import HTML

    return HTML(html, layout={"display": "none"})
