"""The messages of earlier turns that a new turn sends to its model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sessionmagic.conversation.session import Session
    from sessionmagic.models.catalog import ResolvedModel
    from sessionmagic.turns.messages import Messages

REFUSALS = {"model_error", "context_exceeded", "content_filter"}
"""Error codes of turns that may have failed because of the content they sent."""


def history_before(session: Session, parent: str | None, model: ResolvedModel) -> Messages:
    """Return the messages of the path to `parent`, without those images of tool results that may make the turn fail.

    For a model that cannot see images, these are all images of tool results. For other models, they are those of the
    turns that were sent with a request that failed at the provider, as one of these images may have been the reason.
    """
    from sessionmagic.turns.messages import without_tool_images

    sees_images = model.sees_images
    refused = [turn.id for turn in session.turns if turn.error_code in REFUSALS]
    suspects = {turn.id for turn_id in refused for turn in session.path(turn_id)}
    return [
        message
        for turn in (session.path(parent) if parent else [])
        for message in (
            turn.messages if sees_images and turn.id not in suspects else without_tool_images(turn.messages)
        )
    ]
