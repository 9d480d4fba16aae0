"""Sessions and their turns as plain, immutable state."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from sessionmagic.conversation.events import TurnStatus  # noqa: TC001  read at run time to validate what is on disk
from sessionmagic.conversation.usage import RequestRecord, Usage, total

SCHEMA = 2
"""Version of the stored form. Files of other versions are refused and left untouched."""

TITLE_LENGTH = 60
CRASHED = "crashed"
"""Error code of a turn whose process ended before it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRecord:
    """One turn as it is stored: the prompt, the messages, and how it ended."""

    id: str
    parent: str | None
    """The turn that this one continues; None for the first of its path."""
    agent: str
    model: str
    """The reference of the model that was asked, as typed."""
    prompt: str
    started_at: float
    """Seconds since the epoch, as is every time in a session."""
    messages: list[dict[str, Any]] = field(default_factory=list)
    """pydantic-ai messages in their JSON form, the prompt first."""
    requests: list[RequestRecord] = field(default_factory=list)
    """The model requests, in order."""
    status: TurnStatus = "running"
    error_code: str | None = None
    error: str | None = None
    warnings: list[str] = field(default_factory=list)
    finished_at: float | None = None
    cell_id: str | None = None
    waiting: list[str] = field(default_factory=list)
    """What the user said to the running turn and the model has not been told yet."""

    @property
    def usage(self) -> Usage:
        """What the turn's requests used."""
        return total(request.usage for request in self.requests)

    @property
    def answered_by(self) -> str | None:
        """The model that answered last, as it calls itself; None when none did."""
        return next((request.model for request in reversed(self.requests) if request.model), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A conversation that persists."""

    id: str
    name: str
    created_at: float
    updated_at: float
    title: str = ""
    starred: bool = False
    working_dir: str = ""
    current_agent: str = ""
    agents_source: str = ""
    agent_model_overrides: dict[str, str] = field(default_factory=dict)
    """Agent name to model reference, as typed."""
    custom_models_used: list[str] = field(default_factory=list)
    """References with a provider that were ever chosen here, each once, in order."""
    permissions: dict[str, list[str]] = field(default_factory=dict)
    safety: str = "balanced"
    head: str | None = None
    """Id of the turn that the next one continues; None for an empty session."""
    schema: int = SCHEMA
    turns: tuple[TurnRecord, ...] = ()

    def turn(self, turn_id: str) -> TurnRecord:
        """Return the turn of that id; raises `KeyError` when there is none."""
        for turn in self.turns:
            if turn.id == turn_id:
                return turn
        raise KeyError(turn_id)

    def require_whole(self) -> None:
        """Raise `ValueError` when a turn that another one or the head names is missing."""
        ids = {turn.id for turn in self.turns}
        missing = {self.head, *(turn.parent for turn in self.turns)} - ids - {None}
        if missing:
            raise ValueError(f"turn {min(filter(None, missing))} is missing")

    def path(self, tip: str | None = None) -> list[TurnRecord]:
        """Return the turns from the root to `tip` (the head when left out): the history of the next turn."""
        by_id = {turn.id: turn for turn in self.turns}
        path: list[TurnRecord] = []
        at = tip or self.head
        while at is not None and len(path) < len(by_id):  # a damaged file may hold a circle
            path.append(by_id[at])
            at = by_id[at].parent
        return path[::-1]


def with_override(session: Session, agent: str, reference: str | None) -> Session:
    """Set the agent's model override, or clear it with None."""
    overrides = {name: ref for name, ref in session.agent_model_overrides.items() if name != agent}
    used = session.custom_models_used
    if reference is not None:
        overrides[agent] = reference
        if _names_a_provider(reference) and reference not in used:
            used = [*used, reference]
    return replace(session, agent_model_overrides=overrides, custom_models_used=used)


def title_of(prompt: str) -> str:
    """Return the first line of a prompt that says something, cut to a title's length."""
    line = next((line.strip() for line in prompt.splitlines() if line.strip()), "")
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"


def _names_a_provider(reference: str) -> bool:
    return ":" in reference or "/" in reference


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSummary:
    """What a listing shows of a session, without its messages."""

    id: str
    name: str
    title: str
    turns: int
    agent: str
    model: str | None
    """The reference chosen for the session; None when it has its agent's default."""
    status: str
    started_at: float
    updated_at: float
    input_tokens: int
    output_tokens: int
    cost: float | None
    starred: bool


def summarize(session: Session) -> SessionSummary:
    """Fold a session into its summary. `cost` is None when a turn that used tokens is unpriced."""
    path = session.path()
    last = path[-1] if path else None
    used = total(turn.usage for turn in session.turns)
    agent = session.current_agent
    return SessionSummary(
        id=session.id,
        name=session.name,
        title=session.title,
        turns=len(path),
        agent=agent,
        model=session.agent_model_overrides.get(agent),
        status=last.status if last else "empty",
        started_at=session.created_at,
        updated_at=session.updated_at,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cost=used.cost,
        starred=session.starred,
    )
