"""Events folded into what a view shows: a pure fold, the same however the text was chunked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeGuard, assert_never

from sessionmagic.conversation.events import (
    ApprovalRequested,
    ApprovalResolved,
    Event,
    InputAction,
    InputProvided,
    InputRequested,
    LimitReached,
    MessageInjected,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    ToolOutcome,
    ToolReturned,
    TurnFinished,
    TurnStarted,
    TurnStatus,
    UsageReported,
    Warned,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sessionmagic.conversation.usage import Usage


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A stretch of the answer, as Markdown."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningBlock:
    """A stretch of the model's reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolBlock:
    """A tool call: being written, waiting for a yes, running, or with its result."""

    call_id: str
    tool: str
    args: dict[str, Any]
    outcome: ToolOutcome | None = None
    content: str = ""
    duration: float | None = None
    draft: str = ""
    """The JSON of the arguments as far as the model has written it."""
    approval_id: str = ""
    """The id of the question whether it may run, while that is open."""
    why: str = ""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """The arguments, with those that the model left out, while that question is open."""


@dataclass(frozen=True, slots=True)
class MessageBlock:
    """What the user said while the turn was running."""

    text: str


@dataclass(frozen=True, slots=True)
class QuestionBlock:
    """What an MCP server asks the user in the middle of a call; open until there is an action."""

    question_id: str
    message: str
    schema: dict[str, Any]
    """JSON schema of the object that is asked for."""
    action: InputAction | None = None
    server: str = ""


_ASKS_NOTHING: dict[str, Any] = {"approval_id": "", "why": "", "asked": {}}
Block = TextBlock | ReasoningBlock | ToolBlock | MessageBlock | QuestionBlock


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What there is to see of one turn at one moment."""

    session: str = ""
    """The session's name."""
    turn_id: str = ""
    agent: str = ""
    model: str = ""
    prompt: str = ""
    blocks: tuple[Block, ...] = ()
    warnings: tuple[str, ...] = ()
    usage: Usage | None = None
    status: TurnStatus = "running"
    error: str | None = None
    started_at: float | None = None
    finished_at: float | None = None

    @property
    def text(self) -> str:
        """The answer's Markdown; texts that a tool call or reasoning parts are a paragraph each."""
        return "\n\n".join(block.text for block in self.blocks if isinstance(block, TextBlock))

    @property
    def waits_for_an_answer(self) -> bool:
        """Whether a tool call asks for a yes, or a server for an answer."""
        return any(
            (isinstance(block, ToolBlock) and block.approval_id)
            or (isinstance(block, QuestionBlock) and block.action is None)
            for block in self.blocks
        )


def fold(transcript: Transcript, events: Iterable[Event]) -> Transcript:
    """Return the transcript after these events."""
    return reduce(_folded, _joined(events), transcript)


def _joined(events: Iterable[Event]) -> Iterator[Event]:
    """Join adjacent deltas, so that folding a batch copies a long text once and not once per delta."""
    for _, run in groupby(events, key=_stretch):
        deltas: list[Any] = list(run)
        yield replace(deltas[0], text="".join(delta.text for delta in deltas)) if len(deltas) > 1 else deltas[0]


def _stretch(event: Event) -> object:
    """Return what an event has in common with those that it can be joined with."""
    match event:
        case TextDelta() | ReasoningDelta():
            return type(event)
        case ToolCallDelta():
            return event.call_id
        case _:
            return event.seq


def _folded(transcript: Transcript, event: Event) -> Transcript:
    match event:
        case TurnStarted():
            return replace(
                transcript,
                session=event.session,
                turn_id=event.turn_id,
                agent=event.agent,
                model=event.model,
                prompt=event.prompt,
                started_at=event.at,
            )
        case TextDelta() | ReasoningDelta():
            return replace(transcript, blocks=_extended(transcript.blocks, event))
        case ToolCallDelta() | ToolCalled() | ToolReturned() | ApprovalRequested() | ApprovalResolved():
            return _fold_call(transcript, event)
        case InputRequested() | InputProvided():
            return replace(transcript, blocks=_with_question(transcript.blocks, event))
        case MessageInjected():
            return replace(transcript, blocks=(*transcript.blocks, MessageBlock(event.text)))
        case LimitReached():
            return transcript
        case UsageReported():
            return replace(transcript, usage=event.usage)
        case Warned():
            return replace(transcript, warnings=(*transcript.warnings, event.text))
        case TurnFinished():
            return replace(
                transcript,
                blocks=tuple(map(_closed, transcript.blocks)),
                model=event.model,
                status=event.status,
                error=event.error,
                finished_at=event.at,
            )
        case _:
            assert_never(event)


def _extended(blocks: tuple[Block, ...], delta: TextDelta | ReasoningDelta) -> tuple[Block, ...]:
    kind = TextBlock if isinstance(delta, TextDelta) else ReasoningBlock
    if blocks and isinstance(last := blocks[-1], kind):
        return (*blocks[:-1], kind(last.text + delta.text))
    return (*blocks, kind(delta.text)) if delta.text else blocks


def _fold_call(
    transcript: Transcript, event: ToolCallDelta | ToolCalled | ToolReturned | ApprovalRequested | ApprovalResolved
) -> Transcript:
    changes: dict[str, Any]
    match event:
        case ToolCallDelta():
            written = next((block.draft for block in transcript.blocks if _is_open(block, event.call_id)), "")
            changes = {"tool": event.tool, "draft": written + event.text}
        case ToolCalled():
            changes = {"tool": event.tool, "args": event.args, "draft": ""}
        case ToolReturned():
            changes = {
                "tool": event.tool,
                "outcome": event.outcome,
                "content": event.content,
                "duration": event.duration,
                **_ASKS_NOTHING,
            }
        case ApprovalRequested():
            changes = {"approval_id": event.approval_id, "why": event.why, "asked": event.args}
        case ApprovalResolved():
            changes = _ASKS_NOTHING
    return _with_call(transcript, event.call_id, **changes)


def _closed(block: Block) -> Block:
    """Close a call that nothing more will be heard of."""
    if not isinstance(block, ToolBlock) or block.outcome is not None:
        return block
    args = json_object(block.draft) if block.draft else block.args
    return replace(block, args=args, outcome="interrupted", draft="", **_ASKS_NOTHING)


def _with_call(transcript: Transcript, call_id: str, **changes: Any) -> Transcript:
    """Change the block of that call, which is there from the first that is heard of it."""
    blocks = transcript.blocks
    if not any(_is_open(block, call_id) for block in blocks):
        blocks = (*blocks, ToolBlock(call_id, "", {}))
    blocks = tuple(replace(block, **changes) if _is_open(block, call_id) else block for block in blocks)
    return replace(transcript, blocks=blocks)


def _with_question(blocks: tuple[Block, ...], event: InputRequested | InputProvided) -> tuple[Block, ...]:
    if isinstance(event, InputRequested):
        return (*blocks, QuestionBlock(event.question_id, event.message, event.schema, server=event.server))
    return tuple(
        replace(block, action=event.action)
        if isinstance(block, QuestionBlock) and block.question_id == event.question_id
        else block
        for block in blocks
    )


def _is_open(block: Block, call_id: str) -> TypeGuard[ToolBlock]:
    """Whether this is the call of that id that has no result yet: some providers give an id again and again."""
    return isinstance(block, ToolBlock) and block.call_id == call_id and block.outcome is None


def json_object(args: str | dict[str, Any] | None) -> dict[str, Any]:
    """Return arguments that a model wrote; as they stand, under one name, when they are no JSON object."""
    if isinstance(args, dict):
        return args
    try:
        value = json.loads(args or "{}")
        value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))  # half a character
    except (ValueError, RecursionError):
        value = args
    return value if isinstance(value, dict) else {"arguments": value}
