"""Which of the turns before a new one are summarized, and which are sent word by word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionmagic.turns.context_size import tokens_of, uncounted
from sessionmagic.turns.summaries import conversation_message

if TYPE_CHECKING:
    from sessionmagic.turns.history import History
    from sessionmagic.turns.messages import Messages

KEPT_TURNS = 2
"""How many of the newest turns are sent word by word, if they have room."""
KEPT_SHARE = 0.2
"""Their largest share of the context."""
READ_SHARE = 0.6
"""The largest share of the context that the conversation takes while the model reads it to summarize it."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A history in two: what is summarized, and what stays word by word. It runs between two turns."""

    covers: str
    """The id of the last turn that is summarized."""
    covered: Messages
    """The messages up to that turn, an earlier summary first."""
    kept: Messages
    """The messages after that turn."""

    def conversation(self, limit: int | None, at: float) -> Messages:
        """Return what the model reads to summarize it.

        Args:
            limit: How many tokens the model can read, if that is known.
            at: The time, in seconds since the epoch.
        """
        return conversation_message(self.covered, None if limit is None else int(READ_SHARE * limit), at)

    def compacted(self, summary: Messages) -> Messages:
        """Return the history with a summary in place of the turns that it covers."""
        return [*summary, *uncounted(self.kept)]


def cut_of(history: History, limit: int | None, kept: int | None = None) -> Cut | None:
    """Return where a history is cut; None if it has no turn that is not summarized yet.

    The newest turns stay word by word: `KEPT_TURNS`, or fewer if they take more than `KEPT_SHARE` of the context. At
    least one turn is summarized.

    Args:
        history: The turns that are sent.
        limit: How many tokens the model can read, if that is known.
        kept: How many turns stay, if a recording says it.
    """
    first = 1 if history.turns and history.turns[0].turn.kind == "compaction" else 0
    last = len(history.turns) - 1
    if last < first:
        return None
    end, room = last, KEPT_SHARE * limit if limit is not None and kept is None else None
    while end > first and last - end < (KEPT_TURNS if kept is None else kept):
        if room is not None and (room := room - tokens_of(history.turns[end].messages)) < 0:
            break
        end -= 1
    before, after = history.turns[: end + 1], history.turns[end + 1 :]
    return Cut(
        covers=before[-1].turn.id,
        covered=[message for each in before for message in each.messages],
        kept=[message for each in after for message in each.messages],
    )
