"""The events of a turn: frozen values, numbered within their turn, that round-trip through JSON.

The first event of a turn is `TurnStarted`, and the last is its only `TurnFinished`. Events report what happens in a
turn; its messages are what the session remembers. Names and meanings follow docker-agent's runtime events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sessionmagic.conversation.usage import Usage  # noqa: TC001  needed at run time to validate JSON

TurnStatus = Literal["running", "completed", "interrupted", "failed", "limit"]
"""How a turn has ended, unless it is still running: with an answer, by a stop, by an error, or at one of its limits.

A turn whose process has ended before it did counts as interrupted.
"""
TurnKind = Literal["ask", "plan", "go", "compaction"]
"""What a turn does with the user's prompt.

- ``ask``: the model answers it.
- ``plan``: the model only reads, and proposes what to do.
- ``go``: the model carries out the plan of the turn before.
- ``compaction``: the model writes a summary of the turns before.
"""
ToolOutcome = Literal["success", "failed", "denied", "retried", "interrupted"]
Decision = Literal["once", "tool", "all", "reject"]
"""The user's answer to an approval: run the call, run all calls of its tool, run all calls, or do not run it.

``"tool"`` also holds for later calls in the session, ``"all"`` for those that no rule covers until this kernel ends.
"""

InputAction = Literal["accept", "decline", "cancel"]
"""The outcome of a server's question: the user answered it, declined it, or did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    seq: int
    session_id: str
    turn_id: str
    agent: str
    """The name of the agent that the event comes from."""
    at: float
    """Seconds since the epoch."""
    for_calls: tuple[str, ...] = ()
    """For the work of a sub-agent, the ids of the tool calls that it works for, the outermost first; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted(_Event):
    """The prompt is on disk and the model is about to be asked."""

    session: str
    """The session's name."""
    prompt: str
    model: str
    kind: TurnKind = "ask"
    cell_id: str | None = None
    values: tuple[str, ...] = ()
    """The expressions whose values the user has put into the prompt."""
    notes: tuple[str, ...] = ()
    """What may surprise: that the turn stands in a new session or in another's place, or that calls run unasked."""
    remark: str = ""
    """That a stored answer is shown, if so. It is for those who watch; what is saved of the turn does not have it."""
    type: Literal["turn_started"] = "turn_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseBegan(_Event):
    """The first piece of the turn's first response has come in."""

    seconds: float
    """Seconds since the model was asked."""
    type: Literal["response_began"] = "response_began"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAwaited(_Event):
    """The model request waits: for its turn, or because the provider has too many requests."""

    why: str
    type: Literal["model_awaited"] = "model_awaited"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta(_Event):
    """A piece of the answer."""

    text: str
    response: int = 0
    """Which response of the model it belongs to, if a structured answer is asked for: each is another try."""
    type: Literal["text_delta"] = "text_delta"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningDelta(_Event):
    """A piece of the model's reasoning."""

    text: str
    takes_text: bool = False
    """Whether the text just before was reasoning too. Some models mark only the end of their reasoning."""
    type: Literal["reasoning_delta"] = "reasoning_delta"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueDelta(_Event):
    """A piece of a structured answer, as the model writes its JSON."""

    attempt: str
    """Identifies the answer. A model that has given one that does not fit is asked for another."""
    text: str
    response: int = 0
    """Which response of the model it belongs to, if a structured answer is asked for: each is another try."""
    type: Literal["value_delta"] = "value_delta"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueGiven(_Event):
    """The model has given a structured answer that fits its type."""

    value: Any
    """The value as plain JSON."""
    takes_text: bool = False
    """Whether the text just before was the answer."""
    type: Literal["value_given"] = "value_given"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallDelta(_Event):
    """A piece of a tool call's arguments, as the model writes their JSON."""

    call_id: str
    tool: str
    text: str
    type: Literal["tool_call_delta"] = "tool_call_delta"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCalled(_Event):
    """The model calls a tool; one `ToolReturned` with the same call id follows."""

    call_id: str
    tool: str
    args: dict[str, Any]
    type: Literal["tool_called"] = "tool_called"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolBegan(_Event):
    """A call begins to run: it may, and it does not wait for another one."""

    call_id: str
    tool: str
    type: Literal["tool_began"] = "tool_began"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPrinted(_Event):
    """A piece of what a running call prints. Pieces are left out if it prints very much; the result has the rest."""

    call_id: str
    tool: str
    text: str
    type: Literal["tool_printed"] = "tool_printed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolReturned(_Event):
    """A tool call has a result, even if the tool did not run."""

    call_id: str
    tool: str
    outcome: ToolOutcome
    content: str
    duration: float | None
    """Seconds; None when the tool did not run."""
    type: Literal["tool_returned"] = "tool_returned"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequested(_Event):
    """A tool call waits for a decision."""

    approval_id: str
    call_id: str
    tool: str
    args: dict[str, Any]
    why: str
    """Why the call needs a decision."""
    preview: str = ""
    """What the call would do, where the tool can say it."""
    type: Literal["approval_requested"] = "approval_requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalResolved(_Event):
    """The user has decided whether the tool call runs."""

    approval_id: str
    call_id: str
    decision: Decision
    reason: str = ""
    type: Literal["approval_resolved"] = "approval_resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRequested(_Event):
    """An MCP server or the agent asks the user a question; one `InputProvided` with the same question id follows."""

    question_id: str
    server: str
    message: str
    schema: dict[str, Any]
    """The JSON schema of the answer."""
    sub_agent: str = ""
    """The sub-agent during whose call it is asked; empty for the turn's own agent, or if that is not known."""
    type: Literal["input_requested"] = "input_requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputProvided(_Event):
    """A server's question is closed."""

    question_id: str
    action: InputAction
    content: dict[str, Any] | None = None
    """The answer, when the action is ``"accept"``."""
    type: Literal["input_provided"] = "input_provided"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageInjected(_Event):
    """A message that the user sent during the turn has reached the model."""

    text: str
    kind: Literal["steer", "queue"]
    values: tuple[str, ...] = ()
    """The expressions whose values the user has put into the message."""
    type: Literal["message_injected"] = "message_injected"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFellBack(_Event):
    """A model has failed, and another one is asked in its place."""

    failed: str
    """The reference of the model that failed."""
    fallback: str
    """The reference of the model that is asked now."""
    reason: str
    """Why the model failed, in a few words, such as ``HTTP 503``."""
    attempt: int
    """How often the failed model was asked; 0 if it was left out, as it had failed shortly before."""
    type: Literal["model_fell_back"] = "model_fell_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubAgentStarted(_Event):
    """A sub-agent begins to work for a tool call. All events of its work have the id of that call in `for_calls`."""

    turn: str
    """The id of the turn in which its work is stored."""
    task: str
    model: str
    type: Literal["sub_agent_started"] = "sub_agent_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubAgentFinished(_Event):
    """The work of a sub-agent has ended."""

    status: TurnStatus
    model: str
    """The name of the model that answered, as in `TurnFinished`."""
    error: str | None = None
    seconds: float = 0.0
    """How long its model requests took in all, with those of its own sub-agents."""
    type: Literal["sub_agent_finished"] = "sub_agent_finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSwitched(_Event):
    """The turn is handed over to another agent, which answers from here on, and the turns after this one."""

    to: str
    """The name of the agent that takes over."""
    model: str
    """The reference of the model that it asks."""
    type: Literal["agent_switched"] = "agent_switched"


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryCompacted(_Event):
    """A summary takes the place of earlier turns in what is sent. They stay stored."""

    compaction: str
    """The id of the turn that holds the summary."""
    summary: str
    """What the model has written; empty if that is the answer of this turn."""
    tokens_before: int
    """An estimate of the tokens that the earlier turns had in the context."""
    tokens_after: int
    """An estimate of the tokens that the summary and the turns after it have."""
    type: Literal["history_compacted"] = "history_compacted"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitReached(_Event):
    """The turn stops because it has reached one of its limits."""

    which: Literal["requests", "tool_calls", "repeated_call", "budget"]
    value: float
    """How many requests or calls the turn may make, or the budget in dollars."""
    type: Literal["limit_reached"] = "limit_reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReported(_Event):
    """The usage of the turn so far."""

    usage: Usage
    context_used: int = 0
    """Tokens of the conversation at the latest model request, including the response."""
    context_limit: int | None = None
    """The size of the model's context in tokens; None when it is unknown."""
    type: Literal["usage_reported"] = "usage_reported"


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleChanged(_Event):
    """A model has given the session a title. As that takes a while, it may be told in a later turn than the first."""

    title: str
    type: Literal["title_changed"] = "title_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned(_Event):
    """A warning to the user that does not stop the turn."""

    text: str
    type: Literal["warned"] = "warned"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotesChanged(_Event):
    """What `TurnStarted` has noted about the turn has changed: whether its calls run unasked."""

    notes: tuple[str, ...]
    """All notes, as they are now."""
    type: Literal["notes_changed"] = "notes_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFinished(_Event):
    """The turn has ended and its session is free."""

    status: TurnStatus
    model: str
    """The name of the model that answered, as given in its response; all names if several have answered."""
    error_code: str | None = None
    error: str | None = None
    seconds: float = 0.0
    """How long the model requests took in all."""
    type: Literal["turn_finished"] = "turn_finished"


Event = (
    TurnStarted
    | ResponseBegan
    | TextDelta
    | ReasoningDelta
    | ValueDelta
    | ValueGiven
    | ToolCallDelta
    | ToolCalled
    | ToolBegan
    | ToolPrinted
    | ToolReturned
    | ApprovalRequested
    | ApprovalResolved
    | InputRequested
    | InputProvided
    | MessageInjected
    | ModelFellBack
    | SubAgentStarted
    | SubAgentFinished
    | AgentSwitched
    | HistoryCompacted
    | LimitReached
    | UsageReported
    | TitleChanged
    | Warned
    | NotesChanged
    | TurnFinished
)
"""What happens in a turn. Each event has its kind as `type`, the number `seq`, and the id of the turn."""
