"""What a turn is asked for: everything that a cell or a script can specify, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from sessionmagic.conversation.budget import checked_budget
from sessionmagic.conversation.events import TurnKind
from sessionmagic.conversation.names import check_name
from sessionmagic.exceptions import PromptError, UsageError
from sessionmagic.models.settings import checked
from sessionmagic.tools.permissions import safety_of
from sessionmagic.turns.output_type import output_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sessionmagic.conversation.attachment import Attachment
    from sessionmagic.conversation.column import Column
    from sessionmagic.tools.functions import Tool
    from sessionmagic.tools.permissions import Limits, Safety

Rerun = Literal["branch", "append"]
PROMPT_LIMIT = 10_000_000
"""Characters."""
TIMEOUT_LIMIT = 10_000_000
"""Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The notebook cell that makes a request, as its front end identifies it."""

    id: str
    ids_since: float = 0.0
    """Since when the front end has given its cells these ids, in seconds since the epoch; 0 for ids in the notebook's
    file. One that counts its cells anew whenever it opens a notebook may have given the id to another cell before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A prompt for a session, and how to answer it.

    Args:
        prompt: What to ask.
        session: Name or id of the session. If no session has it, one is created with that name.
        new: Raise an error if the session exists.
        model: Reference of the session's model from this turn on. ``"default"`` switches back to the default model;
            ``""`` changes nothing.
        models: References for agents by their names, as `model` is one for the agent that answers.
        once: Use `model` for this turn only.
        settings: Settings of the model for this turn, such as ``{"temperature": 0, "effort": "low"}``. They override
            those of the session, the agent and the model, each by its name; None takes such a setting away.
        system: Instructions for this turn, in place of those of the session or the agent; None leaves these.
        after: Id of the turn that this one continues, or `ROOT` to begin a new path; by default the session's head.
        moves_head: Whether the next turn of the session continues this one. If not, this turn is a branch.
        reuse: Return the stored turn instead of asking, if the session has a completed one that continues the same turn
            and was asked with the same prompt, attachments, agent, model, settings, instructions and tools.
        agent: Name of the agent that answers from this turn on. ``""`` is the session's own; in a new session, the
            default one.
        attachments: Further content for the model, after the prompt.
        typed: What the user typed, if values were filled into the prompt. The session's title is made from it. It is
            not stored.
        titles: Let a model make the session's title after the first turn, which is one more short request. If not, the
            title is the first words of the prompt.
        values: The expressions whose values the prompt and the attachments hold; stored and shown with the turn.
        tools: Functions that the model may call, in addition to those marked with `sessionmagic.tool`.
        only_tools: Offer no other tools than `tools`: none that are marked with `sessionmagic.tool`, and none of MCP
            servers.
        wait: Seconds to wait for a busy session; ``math.inf`` waits until it is free.
        timeout: Seconds after which the turn fails, not counting the time in which it waits for the user.
        attended: Whether a user can answer `Turn.approvals` and `Turn.questions`. If not, calls that need approval are
            denied, and questions are declined.
        remedy: What makes calls wait for approval where they are denied because nobody can approve them, if anything.
        send_keys: Send the keys and passwords in this turn's content to the model. They are still not stored or shown.
        yes: Approve every tool call of this turn that no rule denies.
        safety: The safety mode of the session, if this request creates it. Code that runs for a tool call gets a
            balanced session in place of an autonomous one.
        limits: How many model requests and tool calls the turn may make.
        budget: The dollars that the session's model requests may cost in all, from this turn on and also in later ones;
            None leaves the session's budget as it is.
        where: The cell or script that asks. The error for a busy session names it.
        notebook: Path of the notebook whose cell asks; empty if it is not known.
        cell: The cell that asks, if its front end identifies it.
        column: Where the turn stands in a comparison, if it is part of one; see `SessionManager.compare`. It is offered
            only tools that change nothing, or work in a process of its own.
        output_type: The type of a structured answer: a pydantic model, a dataclass, a TypedDict, ``list[int]`` and the
            like. `TurnResult.value` is then a value of it. Kept as an `OutputType`. None asks for text.
        live_tools: Run the tools of a recorded answer, under the usual rules, in place of showing recorded results.
            These may differ from the recorded ones.
        kind: ``"plan"`` lets the model only read and propose what to do: it is offered no tool that may change
            something, whatever rules, safety mode and `yes` say. ``"go"`` lets it carry out the plan of the turn that
            it continues. ``"compaction"`` lets it write a summary, which is sent from then on in place of older turns;
            see `SessionManager.compact`. The prompt is what the user asks of the summary.
        rerun: What happens if that cell has already started a turn on the path to the head. ``"branch"``: the new turn
            takes its place and continues what came before; the old turn and those after it stay stored as a branch.
            ``"append"``: the new turn continues the head. A request with `after` always continues that turn.

    Raises:
        PromptError: The prompt is empty or too long.
        UsageError: Another value is invalid.
    """

    prompt: str
    session: str
    new: bool = False
    model: str = ""
    models: Mapping[str, str] = field(default_factory=dict)
    once: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    system: str | None = None
    after: str | None = None
    moves_head: bool = True
    reuse: bool = False
    agent: str = ""
    attachments: Sequence[Attachment] = ()
    typed: str = ""
    titles: bool = False
    values: Sequence[str] = ()
    tools: Sequence[Callable[..., Any] | Tool] = ()
    only_tools: bool = False
    wait: float = 0
    timeout: float | None = None
    attended: bool = False
    remedy: str = ""
    send_keys: bool = False
    yes: bool = False
    safety: Safety = "balanced"
    limits: Limits | None = None
    budget: float | None = None
    where: str = ""
    notebook: str = ""
    cell: Cell | None = None
    rerun: Rerun = "branch"
    column: Column | None = None
    live_tools: bool = False
    output_type: Any = None
    kind: TurnKind = "ask"

    def __post_init__(self) -> None:
        _require_texts(self)
        check_system(self.system)
        check_name(self.session)
        object.__setattr__(self, "settings", checked(self.settings))
        safety_of(self.safety)
        if self.output_type is not None:
            object.__setattr__(self, "output_type", output_type(self.output_type))
        if self.budget is not None:
            object.__setattr__(self, "budget", checked_budget(self.budget))
        if not self.prompt.strip():
            raise PromptError("the prompt is empty; write it below the %%agent line")
        if len(self.prompt) > PROMPT_LIMIT:
            raise PromptError(f"the prompt has {len(self.prompt):,} characters; at most {PROMPT_LIMIT:,} can be sent")
        if self.timeout is not None and not 0 < self.timeout <= TIMEOUT_LIMIT:
            raise UsageError(f"the timeout must be more than 0 and at most {TIMEOUT_LIMIT:,} seconds")
        if not self.wait >= 0:
            raise UsageError("the time to wait must be 0 or more seconds")
        if self.rerun not in get_args(Rerun):
            raise UsageError(f"rerun is {self.rerun!r}; give {' or '.join(map(repr, get_args(Rerun)))}")
        if self.kind not in get_args(TurnKind):
            raise UsageError(f"kind is {self.kind!r}; give {' or '.join(map(repr, get_args(TurnKind)))}")
        _check_once(self)


def _check_once(request: Request) -> None:
    if request.once and request.models:
        raise UsageError("--once goes with the model of this turn only; leave out the agents' names")
    if request.once and not request.model:
        raise UsageError("--once has no model; name one with --model")


def check_system(text: str | None) -> None:
    """Raise `UsageError` if a text cannot be the instructions of a turn or a session."""
    if text is None:
        return
    _require_text("system", text)
    if len(text) > PROMPT_LIMIT:
        raise PromptError(f"the system text has more than {PROMPT_LIMIT:,} characters; shorten it")


def _require_texts(request: Request) -> None:
    for name in ("prompt", "session", "model", "agent", "typed", "where", "notebook"):
        _require_text(name, getattr(request, name))
    if request.after is not None:
        _require_text("after", request.after)
    if request.cell is not None:
        _require_text("the cell's id", request.cell.id)
    for name, reference in request.models.items():
        _require_text("an agent in models", name)
        _require_text(f"the model of {name}", reference)
    for value in request.values:
        _require_text("an expression in values", value)


def _require_text(name: str, value: object) -> None:
    if not isinstance(value, str):  # stored as it is, it would make the session's file unreadable
        raise UsageError(f"{name} is of type {type(value).__name__}; give a string")
