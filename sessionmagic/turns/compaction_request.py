"""What a request for a compaction means: what it covers, what the model is asked, and with which settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.exceptions import UsageError
from sessionmagic.tools.permissions import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pydantic_ai.messages import UserContent

    from sessionmagic.conversation.session import Session
    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.turns.cut import Cut
    from sessionmagic.turns.history import History
    from sessionmagic.turns.request import Request

FULL_SHARE = 0.9
"""The history is compacted before a turn whose first request would take more than this share of the context."""
PROMPT = "Summarize the conversation so far."
"""The prompt of a compaction for which the user has given no instruction."""
ONE_REQUEST = Limits(requests=1)
"""The limits of a compaction."""
ANSWERING = ("max_tokens", "stop", "stop_sequences", "parallel_tool_calls", "tool_choice")
"""Settings that are meant for answers, by our names and by pydantic-ai's. They cut a summary short, or need tools."""


def cut_for(request: Request, session: Session, history: History, model: ResolvedModel) -> Cut | None:
    """Return what the requested compaction covers; None for another request.

    Raises `UsageError` when there is nothing to compact.
    """
    if request.kind != "compaction":
        return None
    from sessionmagic.turns.cut import cut_of
    from sessionmagic.turns.replayed_summaries import kept_for
    from sessionmagic.turns.summaries import task

    kept = kept_for(model, history, task("" if request.prompt == PROMPT else request.prompt))
    cut = cut_of(history, model.context_limit, kept)
    if cut is None:
        raise UsageError(f"session {session.name!r} has no turns to compact; ask something first")
    return cut


def content_for(request: Request) -> str | Sequence[UserContent]:
    """Return what the model is asked: the prompt with what is attached to it, or to summarize."""
    from sessionmagic.turns.messages import content_of
    from sessionmagic.turns.summaries import task

    if request.kind != "compaction":
        return content_of(request.prompt, request.attachments)
    return task("" if request.prompt == PROMPT else request.prompt)


def for_summary(model: ResolvedModel) -> ResolvedModel:
    """Return a model with the settings with which it writes a summary."""
    return model.with_settings(lambda each: without_limits(each.settings))


def without_limits(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without those that are meant for answers."""
    return {name: value for name, value in settings.items() if name not in ANSWERING}
