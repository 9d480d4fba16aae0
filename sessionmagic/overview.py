"""All sessions at a glance, as they are now and not only as they were written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.exceptions import ModelReferenceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.models.catalog import Models
    from sessionmagic.session import SessionSummary
    from sessionmagic.storage.store import Store


def overview(
    store: Store, models: Models, agents: Mapping[str, AgentDefinition]
) -> tuple[list[SessionSummary], list[str]]:
    """Return all sessions, the latest first, and a line about each file that could not be read.

    Their model is the one that the next turn asks; of an override that no longer resolves, it is
    ``unresolved (…)``. A turn that nobody runs any more is interrupted.
    """
    summaries, problems = store.summaries()
    usable = {reference: _usable(models, reference) for reference in {summary.model for summary in summaries}}

    def now(summary: SessionSummary) -> SessionSummary:
        if summary.status == "running" and not store.is_claimed(summary.id):
            summary = replace(summary, status="interrupted")
        if summary.model is None:
            agent = agents.get(summary.agent)
            return replace(summary, model=(agent.model if agent else None) or models.default)
        return summary if usable[summary.model] else replace(summary, model=f"unresolved ({summary.model})")

    return sorted(map(now, summaries), key=lambda summary: summary.updated_at, reverse=True), problems


def _usable(models: Models, reference: str | None) -> bool:
    if reference is None:
        return True
    try:
        models.check(reference)
    except ModelReferenceError:
        return False
    return True
