"""Which models a turn asks: for its answers, when one fails, and for summaries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.exceptions import ModelReferenceError

if TYPE_CHECKING:
    from sessionmagic.agents.definition import AgentDefinition
    from sessionmagic.models.resolved import ResolvedModel
    from sessionmagic.turns.means import Means
    from sessionmagic.turns.request import Request


def model_for(
    request: Request, stored: str | None, agent: AgentDefinition, means: Means
) -> tuple[ResolvedModel, list[str]]:
    """Return the model that a turn asks, and a warning if the stored override cannot be used."""
    default = agent.model or means.models.default
    wanted = {"": stored or default, "default": default}.get(request.model, request.model)
    try:
        return means.resolve(wanted), []
    except ModelReferenceError as error:
        if request.model or means.models.replays(wanted):  # a model must not answer in place of a lost recording
            raise
        if not stored:
            what = f"the model of agent {agent.name!r}" if agent.model else "the default"
            raise ModelReferenceError(f"no --model was given, and {what} cannot be used: {error}") from error
        warning = f"the session's model cannot be used, so {default} answers this turn: {error}"
        return means.resolve(default), [warning]


def with_fallbacks(
    model: ResolvedModel, request: Request, agent: AgentDefinition, means: Means
) -> tuple[ResolvedModel, list[str]]:
    """Return a model with the agent's fallbacks, and a warning for each of them that cannot be used.

    A column of a comparison has no fallbacks, as it shows what one model answers.
    """
    found: dict[str, ResolvedModel] = {}
    unusable = []
    if agent.fallback is not None and request.column is None:
        for reference in agent.fallback.models:
            try:
                found[reference] = means.resolve(reference)
            except ModelReferenceError as error:
                unusable.append(f"{reference} cannot be asked if {model.reference} fails: {error}")
    found.pop(model.reference, None)
    return (replace(model, fallbacks=tuple(found.values())) if found else model), unusable


def summarizer_for(
    model: ResolvedModel, request: Request, agent: AgentDefinition, means: Means
) -> tuple[ResolvedModel, list[str]]:
    """Return the model that writes summaries, and a warning if the agent's own model for that cannot be used.

    Args:
        model: The model of the turn. It writes them if the agent has none for it, or the user names one for a summary.
            A recording has those that were written.
        request: What is asked.
        agent: The agent that answers.
        means: Resolves references.
    """
    if not agent.compaction_model or (request.kind == "compaction" and request.model) or model.is_replay:
        return model, []
    try:
        found, _ = with_fallbacks(means.resolve(agent.compaction_model), request, agent, means)
    except ModelReferenceError as error:
        return model, [f"{model.reference} itself writes summaries: {error}"]
    return found, []
