"""The usage of sessions: by turn, request, agent, model, day or session."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from sessionmagic.conversation.usage import Usage, total

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.conversation.usage import RequestRecord

By = Literal["turn", "request", "agent", "model", "day", "session"]
"""What each entry of a usage is for."""
BY: tuple[By, ...] = get_args(By)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEntry(Usage):
    """The usage of some model requests: one, or those of a turn, an agent, a model, a day or a session.

    `session`, `turn`, `agent`, `model` and `day` are those of all the requests; each is empty where they differ.
    """

    session: str
    """The name of the session."""
    turn: str
    """The id of the turn in its session."""
    agent: str
    model: str
    """The model that answered, as named in its response, or the reference that was asked if no response has come.

    For a hidden column of a comparison, it is the letter of the column.
    """
    day: str
    """The local date of the start of the turn: ``2026-11-28``."""
    turns: int
    requests: int
    seconds: float
    """The time of the requests, added up."""


@dataclass(slots=True)
class _Group:
    """Requests that become one entry."""

    facts: dict[str, set[str]] = field(
        default_factory=lambda: {name: set() for name in ("session", "turn", "agent", "model", "day")}
    )
    turns: set[tuple[str, str]] = field(default_factory=set)
    used: list[Usage] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, session: Session, turn: TurnRecord, request: RequestRecord) -> None:
        named = {
            "session": session.name,
            "turn": turn.id,
            "agent": request.agent,
            "model": model_of(turn, request),
            "day": day_of(turn),
        }
        for name, value in named.items():
            self.facts[name].add(value)
        self.turns.add((session.id, turn.id))
        self.used.append(request.usage)
        self.seconds += request.seconds

    def entry(self) -> UsageEntry:
        one = {name: next(iter(values)) if len(values) == 1 else "" for name, values in self.facts.items()}
        if len(self.turns) > 1:
            one["turn"] = ""  # turns of several sessions may have the same id
        values: dict[str, Any] = {**one, **asdict(total(self.used))}
        return UsageEntry(**values, turns=len(self.turns), requests=len(self.used), seconds=self.seconds)


def usage_by(sessions: Iterable[Session], by: By) -> list[UsageEntry]:
    """Return the usage of sessions, with an entry for each turn, request, agent, model, day or session.

    Days begin with the earliest; everything else is in the order in which it was first used. A turn without model
    requests has no entry, nor has one that was forked or imported, as its usage counts where it was asked.
    """
    groups: dict[object, _Group] = {}
    for session in sessions:
        for turn in session.turns:
            for number, request in enumerate([] if turn.origin else turn.requests):
                keys: dict[By, object] = {
                    "turn": (session.id, turn.id),
                    "request": (session.id, turn.id, number),
                    "agent": request.agent,
                    "model": model_of(turn, request),
                    "day": day_of(turn),
                    "session": session.id,
                }
                groups.setdefault(keys[by], _Group()).add(session, turn, request)
    entries = [group.entry() for group in groups.values()]
    return sorted(entries, key=lambda entry: entry.day) if by == "day" else entries


def model_of(turn: TurnRecord, request: RequestRecord) -> str:
    """Return the model that answered a request, or the reference that was asked if no model answered.

    While the column of a comparison is hidden, it is the letter of the column.
    """
    if turn.column is not None and turn.column.hidden and request.purpose != "judge":
        return turn.column.name
    return request.model or request.asked or turn.model


def day_of(turn: TurnRecord) -> str:
    """Return the local date of a turn's start."""
    try:
        return datetime.fromtimestamp(turn.started_at).astimezone().date().isoformat()
    except (ValueError, OverflowError, OSError):  # a file of somebody else may have any number
        return ""
