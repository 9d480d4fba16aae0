"""The models to choose from in a session: those that can be used, with what was used lately and is in use."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sessionmagic.exceptions import ModelReferenceError, SessionMagicError
from sessionmagic.models.offers import Offer, once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionmagic.conversation.session import Session
    from sessionmagic.models.catalog import Models
    from sessionmagic.sessions.stored import Sessions

RECENT = 8
"""How many references are listed because they were used lately."""


def choices(
    sessions: Sessions,
    models: Models,
    session: Session | None = None,
    agent: str = "",
    *,
    everything: bool = False,
) -> list[Offer]:
    """Return the references to choose from, marked, with what they cost and how much they can read.

    Args:
        sessions: The stored sessions.
        models: The models that references can name.
        session: The session to choose a model for, if there is one.
        agent: The agent to choose it for; empty for the session's own.
        everything: Whether models are listed, too, that cannot be used before something is installed or set.
    """
    offers = [*models.offers(), *(models.catalog() if everything else ())]
    known = {offer.model: offer for offer in offers}
    default, current = models.default, ""
    with suppress(SessionMagicError):  # the session's agent may be gone
        answering = sessions.agent_of(session, agent)
        default = answering.model or default
        override = session.agent_model_overrides.get(answering.name) if session is not None else None
        current = override or (default if session is not None else "")
    recent = list(dict.fromkeys(filter(None, (current, default, *_used(sessions, session)))))[:RECENT]
    lately = [replace(known.get(each) or Offer(model=each, kind="recent"), kind="recent") for each in recent]
    return [
        replace(models.with_prices(offer), mark=_mark(models, offer, default, current))
        for offer in once([*lately, *offers])
    ]


def _used(sessions: Sessions, session: Session | None) -> Iterator[str]:
    """Yield the references that were used in the session, latest first, and then in others."""
    yield from reversed(session.custom_models_used if session is not None else ())
    with suppress(SessionMagicError):  # a store that cannot be read has its own message
        for summary in sessions.summaries()[0]:
            yield (summary.model or "").removeprefix("unresolved (").removesuffix(")")


def _mark(models: Models, offer: Offer, default: str, current: str) -> str:
    marks = [word for word, reference in (("current", current), ("default", default)) if offer.model == reference]
    if offer.kind == "recent":
        try:
            models.check(offer.model)
        except ModelReferenceError:
            marks.append("unresolved")
    return ", ".join(marks)
