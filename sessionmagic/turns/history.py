"""The messages of earlier turns that a new turn sends to its model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionmagic.conversation.compaction import sent_turns
from sessionmagic.exceptions import StoreError
from sessionmagic.garbage import uncollected

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.turns.messages import Messages
    from sessionmagic.turns.reading import ReadTurn

REFUSALS = {"model_error", "context_exceeded", "content_filter"}
"""Error codes of turns that may have failed because of the content they sent."""


@dataclass(frozen=True, slots=True)
class SentTurn:
    """A turn, and the messages that are sent for it. For a compaction, that is its summary."""

    turn: TurnRecord
    messages: Messages
    said: list[ModelMessage]
    """The same as objects of pydantic-ai."""


@dataclass(frozen=True, slots=True)
class History:
    """The earlier turns that are sent, and warnings about what was left out of them."""

    turns: list[SentTurn]
    warnings: list[str]

    @property
    def messages(self) -> Messages:
        """The messages of all turns."""
        return [message for each in self.turns for message in each.messages]

    @property
    def said(self) -> list[ModelMessage]:
        """The messages of all turns as objects of pydantic-ai. Turns that were read before have the same objects."""
        return [message for each in self.turns for message in each.said]


@uncollected()  # a long history is many objects, which stay
def history_before(session: Session, parent: str | None, *, sees_images: bool) -> History:
    """Return the turns of the path to `parent` that are sent, with their messages as far as these can be sent.

    The summary of the latest compaction is sent in place of the turns that it covers. Parts that our own code never
    stores are left out. So are those images of tool results that may make the turn fail: for a model that cannot see
    images, all of them; for other models, those of the turns that were sent with a request that failed at the provider,
    as one of these images may have been the reason.

    Args:
        session: The session.
        parent: The turn that is continued, if any.
        sees_images: Whether the model can be sent images.

    Raises `StoreError` when the messages of a turn cannot be read.
    """
    from sessionmagic.turns.foreign import LeftOut
    from sessionmagic.turns.messages import as_history
    from sessionmagic.turns.reading import read
    from sessionmagic.turns.summaries import summary_message

    path = session.path(parent) if parent else []
    suspects = _suspects(session)
    compaction, turns = sent_turns(path)
    sent: list[SentTurn] = []
    if compaction is not None:
        _require_readable(compaction, read(compaction), session, path)
        summary = summary_message(compaction)
        sent.append(SentTurn(compaction, summary, as_history(summary)))
    earlier = {turn.id for turn in path[: path.index(compaction)]} if compaction is not None else set()
    left_out = LeftOut()
    for turn in turns:
        kept = read(turn, with_images=sees_images and turn.id not in suspects, with_counts=turn.id not in earlier)
        _require_readable(turn, kept, session, path)
        left_out.counts.update(kept.left_out)
        sent.append(SentTurn(turn, kept.messages, kept.said))
    warning = f"left out of the history, as they do not come from sessionmagic: {left_out}"
    return History(sent, [warning] if left_out.counts else [])


def _suspects(session: Session) -> set[str]:
    """Return the ids of the turns that were sent with a request that failed at the provider."""
    refused = [turn.id for turn in session.turns if turn.error_code in REFUSALS and turn.kind != "compaction"]
    return {turn.id for turn_id in refused for turn in session.path(turn_id)}


def _require_readable(turn: TurnRecord, read: ReadTurn, session: Session, path: list[TurnRecord]) -> None:
    if read.problem:
        count = len(path) - path.index(turn)
        advice = f"%agent drop {count} takes it off" if path[-1].id == session.head else "continue an earlier turn"
        raise StoreError(
            f"turn {turn.id} of session {session.name!r} cannot be read ({read.problem}); {advice}, "
            "or use another session"
        )
