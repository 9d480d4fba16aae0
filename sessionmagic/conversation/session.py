"""Sessions and their turns as plain, immutable state.

A session's turns form a tree: each turn names its parent, and the session's head is the tip of the path that
the next turn continues. Every change is a function from one `Session` to the next, so that the store can apply
it to what is on disk at that moment and a change never writes back a stale record.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.events import TurnStatus  # noqa: TC001  read at run time to validate what is on disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

SCHEMA = 1
"""Version of the stored form; a file of a higher one is refused untouched."""

TITLE_LENGTH = 60
CRASHED = "crashed"
"""Error code of a turn whose process ended under it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one or more model requests, and their price."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    """US dollars; None when unpriced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRecord:
    """One turn as it is remembered: prompt, messages, and how it ended."""

    id: str
    parent: str | None
    agent: str
    model: str
    """The reference that was asked, as typed."""
    prompt: str
    started_at: float
    answered_by: str | None = None
    """The model that really answered, as it calls itself; None until it has."""
    messages: list[dict[str, Any]] = field(default_factory=list)
    """pydantic-ai messages in their JSON form, the prompt first."""
    status: TurnStatus = "running"
    error_code: str | None = None
    error: str | None = None
    warnings: list[str] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    finished_at: float | None = None
    cell_id: str | None = None
    waiting: list[str] = field(default_factory=list)
    """What the user said to the running turn that the model was not told yet."""


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


def with_turn(session: Session, turn: TurnRecord) -> Session:
    """Append a new turn and move the head to it. The first prompt gives an untitled session its title."""
    return replace(
        session,
        turns=(*session.turns, turn),
        head=turn.id,
        current_agent=turn.agent,
        title=session.title or title_of(turn.prompt),
        updated_at=turn.started_at,
    )


def with_changed_turn(session: Session, turn_id: str, change: Callable[[TurnRecord], TurnRecord]) -> Session:
    """Replace one turn by `change(turn)`."""
    turns = tuple(change(turn) if turn.id == turn_id else turn for turn in session.turns)
    return replace(session, turns=turns)


def said_something(turn: TurnRecord) -> bool:
    """Say whether the model answered at all, if only in part."""
    return any(message["kind"] == "response" and message["parts"] for message in turn.messages)


def with_finished_turn(
    session: Session, turn_id: str, change: Callable[[TurnRecord], TurnRecord], *, keep_on_path: bool, at: float
) -> Session:
    """End a turn. One that is not kept on the path leaves its record, and the head goes back to its parent."""
    session = with_changed_turn(session, turn_id, lambda turn: replace(change(turn), finished_at=at))
    head = session.head
    if not keep_on_path and head == turn_id:
        head = session.turn(turn_id).parent
    return replace(session, head=head, updated_at=at)


def with_dead_turns_interrupted(session: Session) -> Session:
    """Mark every turn that is still `running` as interrupted: whoever holds the claim knows that none is."""
    turns = tuple(
        replace(
            turn,
            status="interrupted",
            error_code=CRASHED,
            error="it was cut off",
            waiting=[],
            warnings=[*turn.warnings, *undelivered(turn.waiting)],
        )
        if turn.status == "running"
        else turn
        for turn in session.turns
    )
    return replace(session, turns=turns)


def undelivered(texts: Sequence[str]) -> list[str]:
    """Say what did not reach the model of all that the user said to a running turn, if there is any."""
    return [f"this never reached the model: {' · '.join(texts)}"] if texts else []


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
    used = [turn.usage for turn in session.turns if turn.usage.input_tokens or turn.usage.output_tokens]
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
        input_tokens=sum(usage.input_tokens for usage in used),
        output_tokens=sum(usage.output_tokens for usage in used),
        cost=total_cost(used),
        starred=session.starred,
    )


def total_cost(usages: Iterable[Usage]) -> float | None:
    """Add up costs; None when a usage with tokens is unpriced, or when there is none."""
    costs = [usage.cost for usage in usages if usage.input_tokens or usage.output_tokens]
    return sum(cost for cost in costs if cost is not None) if costs and None not in costs else None
