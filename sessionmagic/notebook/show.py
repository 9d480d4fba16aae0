"""Show stored turns again under the running cell, as they happened."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from sessionmagic.keys.cleaning import without_keys_in
from sessionmagic.notebook.cell import launch_of
from sessionmagic.notebook.cell_work import CellWork
from sessionmagic.notebook.output import Output
from sessionmagic.notebook.page.answer import user_text_html
from sessionmagic.notebook.page.markdown import user_text_markdown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.notebook.context import NotebookContext
    from sessionmagic.notebook.launch import Launch
    from sessionmagic.turns.turn import Turn

    GoesOn = Literal["with a button", "with Enter", "by itself"]

SHOWN_SECONDS = 0.2
"""How long a step is shown before Enter is asked for, or the button goes."""


def show_again(
    context: NotebookContext, session: Session, turns: Sequence[TurnRecord], *, speed: float, step: bool
) -> None:
    """Show turns one after the other.

    Step by step, the cell ends at once where a button can be clicked, and its area goes on with each click. Elsewhere
    the cell waits for Enter. A front end that shows only finished answers shows them at once.
    """
    from sessionmagic.notebook.page.attention import attention
    from sessionmagic.notebook.surface import surface_of

    surface = surface_of(context)
    goes_on = _goes_on(context, surface) if step else "by itself"
    show = Show(context, session, turns, 0.0 if surface == "static" else speed, goes_on)
    with show.interruptible(), context.main_thread.served():
        show.begin()
        if goes_on != "with a button":
            with attention(context.front_end.kernel):
                show.wait_until_over()


def _goes_on(context: NotebookContext, surface: str) -> GoesOn:
    """Return how a show goes on step by step."""
    if surface == "widgets" and context.front_end.clicks_arrive:  # older kernels lose what comes after the cell
        return "with a button"
    return "with Enter" if surface != "static" and context.front_end.takes_input else "by itself"


class Show(CellWork):
    """Shows stored turns under the cell.

    Args:
        context: The kernel's context.
        session: The session.
        turns: The turns.
        speed: How many times faster than recorded; 0 for all at once.
        goes_on: How it goes on to the next step.
    """

    def __init__(
        self, context: NotebookContext, session: Session, turns: Sequence[TurnRecord], speed: float, goes_on: GoesOn
    ) -> None:
        super().__init__(context.main_thread, "replay stopped")
        self._context = context
        self._session = session
        self._turns = turns
        self._speed = speed
        self._goes_on = goes_on
        self._stopped = False
        self._launch: Launch | None = None
        self._button: Any = None

    def begin(self) -> None:
        """Begin to show the turns."""
        self._submit(self._run())

    def wait_until_over(self) -> None:
        """Wait until all turns are shown. Raises what went wrong."""
        self._wait()

    def stop(self) -> None:
        """Show no more turns, and end the one that is shown. Safe at any time, on any thread."""
        self._stopped = True
        if self._launch is not None:
            self._launch.stop()

    async def _run(self) -> None:
        from sessionmagic.notebook.page.next_button import NextButton

        if self._goes_on == "with a button":
            self._button = NextButton(len(self._turns))
            self._button.show()
        ended = "stopped"
        try:
            for number, record in enumerate(self._turns, start=1):
                if self._stopped:
                    break
                if self._button is not None:
                    self._button.at(number)
                await self._show(without_keys_in(record))
            if not self._stopped:
                ended = "all was shown"
                if self._button is not None:
                    self._button.follow()
                    await asyncio.sleep(SHOWN_SECONDS)
        finally:
            if self._button is not None:
                self._button.end(ended)

    async def _clicked(self) -> None:
        await self._button.clicked()

    async def _entered(self) -> None:
        """Wait for Enter, after what was shown before is on the page. Without an answer, the show goes on."""
        await asyncio.sleep(SHOWN_SECONDS)
        with suppress(Exception):
            await self._context.main_thread.run_in_cell(partial(input, "Enter goes on "))

    async def _show(self, record: TurnRecord) -> None:
        from sessionmagic.notebook.surface import view_for
        from sessionmagic.turns.played import PlayedTurn

        html, markdown = f"<hr>{user_text_html(record.prompt)}", user_text_markdown(record.prompt)
        Output({"text/html": html, "text/markdown": markdown, "text/plain": record.prompt}).display()
        background = self._button is not None
        self._launch = launch = launch_of(self._context, lambda _: None, background=background)
        launch.takes_messages = False  # no model would read them
        options = argparse.Namespace(session=self._session.name, new=False, model=record.model)
        view = view_for(self._context, options, launch, background=background)
        launch.show_in(view)
        ways = {"with a button": self._clicked, "with Enter": self._entered, "by itself": None}

        async def start() -> Turn:
            return PlayedTurn(self._session, record, self._speed, ways[self._goes_on])

        view.open()
        await launch.run(start(), view)
        if launch.error is not None:
            raise launch.error
        self._stopped = self._stopped or launch.stopped
