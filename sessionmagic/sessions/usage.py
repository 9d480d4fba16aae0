"""The usage of sessions, by model or by day."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sessionmagic.conversation.usage import Usage, total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.conversation.usage import RequestRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEntry(Usage):
    """The usage of one model or one day."""

    heading: str
    """The model or the day."""
    turns: int
    requests: int


def usage_by_model(sessions: Iterable[Session]) -> list[UsageEntry]:
    """Return the usage of each model, in order of first use.

    A request counts for the model that answered, as named in its response. A request without a response counts for
    the reference of the model that was asked.
    """
    return _entries(sessions, lambda turn, request: request.model or turn.model)


def usage_by_day(sessions: Iterable[Session]) -> list[UsageEntry]:
    """Return the usage of each day, earliest first. A turn counts for the local date of its start: ``2026-11-28``."""
    return sorted(_entries(sessions, lambda turn, _: _day(turn.started_at)), key=lambda entry: entry.heading)


def _day(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().date().isoformat()


def _entries(sessions: Iterable[Session], heading_of: Callable[[TurnRecord, RequestRecord], str]) -> list[UsageEntry]:
    usages: dict[str, list[Usage]] = {}
    turns: dict[str, set[tuple[str, str]]] = {}
    for session in sessions:
        for turn in session.turns:
            for request in turn.requests:
                heading = heading_of(turn, request)
                usages.setdefault(heading, []).append(request.usage)
                turns.setdefault(heading, set()).add((session.id, turn.id))
    return [
        UsageEntry(heading=heading, turns=len(turns[heading]), requests=len(used), **asdict(total(used)))
        for heading, used in usages.items()
    ]
