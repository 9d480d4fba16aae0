"""What a new turn's model is sent of the turns before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sessionmagic.conversation.session import Session
    from sessionmagic.models.catalog import ResolvedModel
    from sessionmagic.turns.messages import Messages

REFUSALS = {"model_error", "context_exceeded"}
"""Codes of turns that may have failed because of what was sent."""


def history_before(session: Session, parent: str | None, model: ResolvedModel) -> Messages:
    """Return the messages of the path to `parent`, without the images of tools that may make the new turn fail.

    Those are all of them for a model that sees no images. For other models they are those of every turn up to the last
    whose provider refused a request: it may have refused one of them.
    """
    from sessionmagic.turns.messages import without_tool_images

    sees = model.model.profile.get("supports_image_input", True)
    refused = max((place for place, turn in enumerate(session.turns) if turn.error_code in REFUSALS), default=-1)
    doubtful = {turn.id for turn in session.turns[: refused + 1]}
    return [
        message
        for turn in (session.path(parent) if parent else [])
        for message in (turn.messages if sees and turn.id not in doubtful else without_tool_images(turn.messages))
    ]
