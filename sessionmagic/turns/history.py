"""The messages of earlier turns that a new turn sends to its model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionmagic.exceptions import StoreError

if TYPE_CHECKING:
    from sessionmagic.conversation.session import Session
    from sessionmagic.models.catalog import ResolvedModel
    from sessionmagic.turns.messages import Messages

REFUSALS = {"model_error", "context_exceeded", "content_filter"}
"""Error codes of turns that may have failed because of the content they sent."""


@dataclass(frozen=True, slots=True)
class History:
    """The messages of earlier turns, and warnings about what was left out of them."""

    messages: Messages
    warnings: list[str]


def history_before(session: Session, parent: str | None, model: ResolvedModel) -> History:
    """Return the messages of the path to `parent`, as far as they can be sent.

    Parts that our own code never stores are left out. So are those images of tool results that may make the turn fail:
    for a model that cannot see images, all of them; for other models, those of the turns that were sent with a request
    that failed at the provider, as one of these images may have been the reason.

    Raises `StoreError` when the messages of a turn cannot be read.
    """
    from sessionmagic.turns.foreign import LeftOut, problem_with, without_foreign_parts
    from sessionmagic.turns.messages import without_tool_images

    path = session.path(parent) if parent else []
    refused = [turn.id for turn in session.turns if turn.error_code in REFUSALS]
    suspects = {turn.id for turn_id in refused for turn in session.path(turn_id)}
    left_out = LeftOut()
    messages: Messages = []
    for number, turn in enumerate(path):
        if problem := problem_with(turn.messages):
            count = len(path) - number
            advice = f"%agent drop {count} takes it off" if parent == session.head else "continue an earlier turn"
            raise StoreError(
                f"turn {turn.id} of session {session.name!r} cannot be read ({problem}); "
                f"{advice}, or use another session"
            )
        kept = without_foreign_parts(turn.messages, left_out)
        messages += kept if model.sees_images and turn.id not in suspects else without_tool_images(kept)
    warning = f"left out of the history, as they do not come from sessionmagic: {left_out}"
    return History(messages, [warning] if left_out.counts else [])
