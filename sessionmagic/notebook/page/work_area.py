"""What a sub-agent says and does for a running call, in an area that is folded until it asks the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sessionmagic.notebook.activity import activity
from sessionmagic.notebook.page.in_view import WORK
from sessionmagic.notebook.page.pieces import column

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic.conversation.transcript import Transcript


class ShowsWork(Protocol):
    """Shows the blocks of a transcript in a box."""

    def show(self, transcript: Transcript) -> int:
        """Show them as they are now; return roughly how many bytes were sent to the page."""


class WorkArea:
    """The work of a sub-agent.

    Args:
        agent: The sub-agent's name.
        blocks: Makes what shows its work, by its name, in a box.
    """

    def __init__(self, agent: str, blocks: Callable[[Any, str], ShowsWork]) -> None:
        from ipywidgets import Accordion

        inner = column()
        self._agent = agent
        self._blocks = blocks(inner, agent)
        self._waits = False
        self.box = Accordion([inner], titles=(agent,), selected_index=None)
        self.box.add_class(WORK)

    def show(self, work: Transcript) -> int:
        """Show the work as it is now; return roughly how many bytes were sent to the page."""
        waits = work.waits_for_an_answer
        title = " · ".join(filter(None, (self._agent, "waits for your answer" if waits else activity(work))))
        if self.box.titles != (title,):
            self.box.titles = (title,)
        if waits and not self._waits:
            self.box.selected_index = 0
        self._waits = waits
        return self._blocks.show(work)
