"""The summary of a session after more commits, from its summary before them.

So a listing reads no turns that are in a snapshot, however long the session is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.session import Session, SessionSummary, summarize
from sessionmagic.conversation.usage import Usage, total
from sessionmagic.storage.patch import applied
from sessionmagic.storage.validation import validated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sessionmagic.storage.patch import Patch


UNKNOWN = ""
"""Stands for the head before the commits. No turn has this id."""


def continued(summary: SessionSummary, patches: Sequence[Patch]) -> SessionSummary | None:
    """Return the summary of a session after the patches of some commits; None if only the whole session tells.

    It is known if no turn was running before, and the commits only add turns, the last of which is the head then.

    Raises `KeyError`, `TypeError`, `AttributeError` or `ValueError` for a patch that does not fit.
    """
    if summary.status == "running" or not _only_add(patches, summary.turns) or not _tell_notebook_and_model(patches):
        return None
    own, turns, _ = applied(_fields_of(summary), [None] * summary.turns, map(_without_messages, patches))
    added = validated(Session, {**own, "turns": [turns[at] for at in sorted(turns)]})
    if added.head != (added.turns[-1].id if added.turns else UNKNOWN):
        return None
    new = summarize(replace(added, head=None))
    used = total([_usage_of(summary), _usage_of(new)])
    return replace(
        new,
        turns=summary.turns + new.turns,
        status=new.status if added.turns else summary.status,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cost=used.cost,
        unmeasured_requests=used.unmeasured_requests,
        unpriced_requests=used.unpriced_requests,
        notebooks=tuple(dict.fromkeys([*summary.notebooks, *new.notebooks])),
        models=tuple(dict.fromkeys([*summary.models, *new.models])),
    )


def _only_add(patches: Sequence[Patch], turns: int) -> bool:
    """Return whether no turn is changed or removed that is one of the first so many."""
    return not any("count" in patch or any(int(at) <= turns for at in patch.get("turns", {})) for patch in patches)


def _tell_notebook_and_model(patches: Sequence[Patch]) -> bool:
    """Return whether both are known: a summary has the override of one agent, and only a list of notebooks."""
    changed = {name for patch in patches for name in patch.get("session", {})}
    return "notebook" not in changed and ("current_agent" not in changed or "agent_model_overrides" in changed)


def _without_messages(patch: Patch) -> Patch:
    """Return a patch without messages: no summary tells of them, and to validate them takes longest."""
    turns = {
        at: {name: value for name, value in change.items() if name not in ("kept", "then")}
        for at, change in patch.get("turns", {}).items()
    }
    return {**patch, "turns": turns}


def _fields_of(summary: SessionSummary) -> dict[str, Any]:
    """Return the fields of the session that a summary tells."""
    return {
        "id": summary.id,
        "name": summary.name,
        "title": summary.title,
        "created_at": summary.started_at,
        "updated_at": summary.updated_at,
        "starred": summary.starred,
        "head": UNKNOWN,
        "current_agent": summary.agent,
        "agents_source": summary.agents_source,
        "agent_model_overrides": {} if summary.model is None else {summary.agent: summary.model},
    }


def _usage_of(summary: SessionSummary) -> Usage:
    return Usage(
        input_tokens=summary.input_tokens,
        output_tokens=summary.output_tokens,
        cost=summary.cost,
        unmeasured_requests=summary.unmeasured_requests,
        unpriced_requests=summary.unpriced_requests,
    )
