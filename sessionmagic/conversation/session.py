"""Sessions and their turns as they are stored: plain, immutable values."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

from sessionmagic.conversation.column import Column, Verdict, Vote  # noqa: TC001  needed at run time, too
from sessionmagic.conversation.events import TurnKind, TurnStatus  # noqa: TC001  needed at run time to validate stored sessions
from sessionmagic.conversation.read_later import ReadLater
from sessionmagic.conversation.usage import RequestRecord, Usage, seconds_to_first_token, total
from sessionmagic.conversation.value import StoredValue  # noqa: TC001  needed at run time, too
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA = 12
"""The version of the stored form. `storage.migrations` reads those since 2, the first that was released."""

Origin = Literal["", "fork", "import"]
TITLE_LENGTH = 60
CRASHED = "crashed"
"""The error code of a turn that was running when its process ended."""


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class TurnRecord(ReadLater):
    """A turn as it is stored: its prompt, its messages, and how it ended."""

    # What the tree is made of comes first: the store reads the rest of a turn only when it is used.
    id: str
    parent: str | None
    """The id of the turn that this one continues; None for the first turn of a path."""
    kind: TurnKind = "ask"
    status: TurnStatus = "running"
    previous_head: str | None = None
    """The session's head before this turn became it; None when there was none, or this turn did not move the head."""
    covers: str | None = None
    """For a compaction, the id of the last turn that its summary stands for; it is on the path to the compaction."""
    agent: str
    model: str
    """The reference of the model that was asked, as the user typed it."""
    prompt: str
    started_at: float
    """Seconds since the epoch, like all times in a session."""
    messages: list[dict[str, Any]] = field(default_factory=list)
    """pydantic-ai messages in their JSON form, the prompt first."""
    requests: list[RequestRecord] = field(default_factory=list)
    """The model requests, in order, also that for the session's title if it was made after this turn."""
    error_code: str | None = None
    error: str | None = None
    warnings: list[str] = field(default_factory=list)
    finished_at: float | None = None
    cell_id: str | None = None
    """The front end's id of the cell that started the turn."""
    notebook: str = ""
    """The path of that cell's notebook; empty if it is not known."""
    settings: dict[str, Any] = field(default_factory=dict)
    """The settings that the model was asked with, by the names of `models.settings`, without those of the model."""
    system: str = ""
    """The instructions that the model was asked with."""
    values: list[str] = field(default_factory=list)
    """The expressions whose values the user has put into the prompt, and into later messages to the turn."""
    notes: list[str] = field(default_factory=list)
    """Where the turn stood in its session when it started, if that may have surprised."""
    waiting: list[str] = field(default_factory=list)
    """The user's messages to the running turn that have not reached the model yet."""
    fingerprint: str = ""
    """A hash of all that the turn was asked with, except its history; see `turns.reuse`."""
    origin: Origin = ""
    """How the turn came into this session, if it was not asked in it. Its usage is not this session's own."""
    value: StoredValue | None = None
    """The structured answer; None if the turn was asked for text, or gave no answer that fits."""
    caller: str | None = None
    """For the turn of a sub-agent, the tool call that it works for, as ``TURN:CALL``; None for all others."""
    column: Column | None = None
    """Where the turn stands in a comparison; None if it is not part of one."""
    vote: Vote | None = None
    """For the first turn of a comparison, the user's vote on it; None for all others."""
    verdicts: list[Verdict] = field(default_factory=list)
    """For the first turn of a comparison, what a judge said about it; empty for all others."""

    @property
    def usage(self) -> Usage:
        """The usage of all model requests of the turn itself."""
        return total(request.usage for request in self._own_requests)

    @property
    def seconds(self) -> float:
        """How long the model requests of the turn itself took in all."""
        return sum(request.seconds for request in self._own_requests)

    @property
    def first_token(self) -> float | None:
        """Seconds from the first model request to the first piece of a response; None when there was none."""
        return seconds_to_first_token(self._own_requests)

    @property
    def answered_by(self) -> str | None:
        """The name of the model that answered last, as given in its response; None when no model answered."""
        return next((request.model for request in reversed(self._own_requests) if request.model), None)

    @property
    def who_answered(self) -> str:
        """The names of all models that answered, each once, with commas between; else the reference that was asked."""
        return ", ".join(_each_once(request.model for request in self._own_requests)) or self.model

    @property
    def _own_requests(self) -> list[RequestRecord]:
        return [request for request in self.requests if request.purpose == "answer"]


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
    notebook: str = ""
    """The path of the notebook in which the session began; empty if it is not known."""
    current_agent: str = ""
    agents_source: str = ""
    """Where that agent is from: the path of its agents file, or the name of its dict; empty if it is built in."""
    agent_model_overrides: dict[str, str] = field(default_factory=dict)
    """The overrides: model references as the user typed them, by the agent's name."""
    custom_models_used: list[str] = field(default_factory=list)
    """All references with a provider that were chosen in this session, each once, in order of first use."""
    permissions: dict[str, list[str]] = field(default_factory=dict)
    safety: str = "balanced"
    stamp: str = ""
    """What shows that the user has set the rules, the safety mode and `tools`; see `tools.trust`."""
    tools: str = ""
    """What its turns in notebooks offer, if they do not say it themselves; see `tools.permissions.Offers`."""
    settings: dict[str, Any] = field(default_factory=dict)
    """The settings of all turns that have no others, by the names of `models.settings`."""
    system: str = ""
    """The instructions of all turns that have no others; empty for those of the agent."""
    budget: float | None = None
    """The dollars that the session's model requests may cost in all; None when there is no budget."""
    removed_usage: Usage = field(default_factory=Usage)
    """The usage of turns that were removed from the session. Its budget still counts it."""
    head: str | None = None
    """The id of the turn that the next one continues; None when the next one starts a new path."""
    turns_started: int = 0
    """How many turns were ever started, also those that are no longer stored. It is the id of the latest."""
    schema: int = SCHEMA
    turns: tuple[TurnRecord, ...] = ()

    @property
    def usage(self) -> Usage:
        """The usage of all model requests that were made in this session, without those of removed turns."""
        return total(request.usage for turn in self.turns if not turn.origin for request in turn.requests)

    def turn(self, turn_id: str) -> TurnRecord:
        """Return the turn with that id; raises `KeyError` when there is none."""
        return self.turns[self.place_of(turn_id)]

    def place_of(self, turn_id: str) -> int:
        """Return the index of the turn with that id; raises `KeyError` when there is none.

        The latest turns are found first, as nearly all changes are to them.
        """
        turns = self.turns
        for at in range(len(turns) - 1, -1, -1):
            if turns[at].id == turn_id:
                return at
        raise KeyError(turn_id)

    def whole(self) -> Session:
        """Return the session as its own code would have stored it, which a file that somebody has edited may not be.

        Raises `ValueError` if the head, or the parent of a turn, does not exist.
        """
        self.require_whole()
        latest = max((int(turn.id) for turn in self.turns if turn.id.isdecimal()), default=0)
        return self if latest <= self.turns_started else replace(self, turns_started=latest)

    def require_whole(self) -> None:
        """Raise `ValueError` if the head, or the parent of a turn, does not exist."""
        ids = set(map(attrgetter("id"), self.turns))
        missing = {self.head, *map(attrgetter("parent"), self.turns)} - ids - {None}
        if missing:
            raise ValueError(f"turn {min(filter(None, missing))} is missing")

    def path(self, tip: str | None = None) -> list[TurnRecord]:
        """Return the turns from the first one to `tip`, by default the head. They are the history of the next turn.

        A summary may be sent in place of some of them; see `compaction.sent_turns`.
        """
        turn_id = tip or self.head
        if turn_id is None:
            return []
        before = self.turns[: self.place_of(turn_id) + 1]
        if [None, *map(attrgetter("id"), before[:-1])] == list(map(attrgetter("parent"), before)):
            return list(before)  # each turn continues the one before it, as in most sessions
        by_id = dict(zip(map(attrgetter("id"), self.turns), self.turns, strict=True))
        path: list[TurnRecord] = []
        while turn_id is not None and len(path) < len(by_id):  # in a damaged file, parents may form a cycle
            path.append(by_id[turn_id])
            turn_id = by_id[turn_id].parent
        return path[::-1]


def with_override(session: Session, agent: str, reference: str | None) -> Session:
    """Return the session with the agent's model override set, or cleared when `reference` is None."""
    overrides = {name: ref for name, ref in session.agent_model_overrides.items() if name != agent}
    used = session.custom_models_used
    if reference is not None:
        overrides[agent] = reference
        if _has_provider(reference) and reference not in used:
            used = [*used, reference]
    return replace(session, agent_model_overrides=overrides, custom_models_used=used)


def title_of(prompt: str) -> str:
    """Return the first line of a prompt that is not blank, without keys and cut after a word to a title's length."""
    line = next((line.strip() for line in prompt.splitlines() if line.strip()), "")
    title = shortened(line, TITLE_LENGTH)
    if len(line) <= TITLE_LENGTH:
        return title
    title = title.removesuffix("…")
    words, _, _ = title.rpartition(" ")
    return (words if 2 * len(words) > TITLE_LENGTH else title).rstrip() + "…"


def _has_provider(reference: str) -> bool:
    return ":" in reference or "/" in reference


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """The facts about a session that a listing shows."""

    id: str
    name: str
    title: str
    turns: int
    """The number of all turns, so that it is also the number of the latest one."""
    agent: str
    model: str | None
    """The agent's override in the session; None when the agent has none."""
    status: str
    started_at: float
    updated_at: float
    input_tokens: int
    output_tokens: int
    cost: float | None
    unmeasured_requests: int
    """The requests of unknown usage, which are not part of `cost`."""
    unpriced_requests: int
    """The requests without a price, which are not part of `cost`."""
    starred: bool
    notebooks: tuple[str, ...]
    """The paths of the notebooks whose cells have started turns, each once, that of the session first."""
    models: tuple[str, ...]
    """The models that were asked and that answered, each once, in order of first use."""
    agents_source: str
    """Where the agent is from: the path of its agents file, or the name of its dict; empty if it is built in."""


def summarize(session: Session) -> SessionSummary:
    """Return the summary of a session. Its cost is None when no request has one."""
    turns = session.path() or session.turns  # a first turn that was refused is not on the path
    last = turns[-1] if turns else None
    used = session.usage
    agent = session.current_agent
    return SessionSummary(
        id=session.id,
        name=session.name,
        title=session.title,
        turns=len(session.turns),
        agent=agent,
        model=session.agent_model_overrides.get(agent),
        status="running"
        if any(turn.status == "running" for turn in session.turns)
        else last.status
        if last
        else "empty",
        started_at=session.created_at,
        updated_at=session.updated_at,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cost=used.cost,
        unmeasured_requests=used.unmeasured_requests,
        unpriced_requests=used.unpriced_requests,
        starred=session.starred,
        notebooks=_each_once([session.notebook, *(turn.notebook for turn in session.turns)]),
        models=_each_once([name for turn in session.turns for name in (turn.model, *_answering(turn))]),
        agents_source=session.agents_source,
    )


_values_of = attrgetter(*(each.name for each in fields(SessionSummary)))
_MODEL = [each.name for each in fields(SessionSummary)].index("model")


def with_model(summary: SessionSummary, model: str) -> SessionSummary:
    """Return the summary with another model; four times faster than `replace`, which thousands of sessions need."""
    values = list(_values_of(summary))
    values[_MODEL] = model
    return SessionSummary(*values)


def _answering(turn: TurnRecord) -> list[str | None]:
    return [request.model for request in turn.requests]


def _each_once(names: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, names)))
