"""``%agent diff``: how two turns or two branches differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionmagic.conversation.difference import Side, difference
from sessionmagic.notebook.commands.registry import argument, chosen, command
from sessionmagic.notebook.html_block import html_block
from sessionmagic.notebook.page.difference import difference_html
from sessionmagic.notebook.terminal.difference import difference_text

if TYPE_CHECKING:
    import argparse

    from sessionmagic.conversation.difference import Difference
    from sessionmagic.notebook.context import NotebookContext

_TURN = "[NAME][@TURN]"


@dataclass(frozen=True, slots=True)
class Shown:
    """A difference as the value of a cell."""

    difference: Difference

    def __repr__(self) -> str:
        """Return the difference as text."""
        return difference_text(self.difference)

    def _repr_html_(self) -> str:
        return html_block(difference_html(self.difference))


@command(
    "Show how two turns or branches differ: the first tool call that is not the same, and the texts word by word.",
    argument("first", metavar=_TURN, help="a turn, or a session for its latest turn; @TURN is in the active session"),
    argument("second", metavar=_TURN, help="branches of one session are compared from where they part"),
)
def diff(context: NotebookContext, options: argparse.Namespace) -> Shown:
    return Shown(difference(_side(context, options.first), _side(context, options.second)))


def _side(context: NotebookContext, reference: str) -> Side:
    """Return what a reference names. A session may have an ``@`` in its name."""
    sessions, reference = context.manager.sessions, context.named(reference)
    name, at, turn = reference.rpartition("@")
    if at and context.manager.store.find(reference) is None:
        return Side(sessions.load(chosen(context, name)), turn)
    return Side(sessions.load(reference))
