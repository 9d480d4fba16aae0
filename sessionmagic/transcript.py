"""Events folded into what a view shows: a pure fold, the same however the text was chunked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeGuard, assert_never

from sessionmagic.events import (
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
from sessionmagic.session import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sessionmagic.session import TurnRecord


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
    """Return the transcript after these events.

    Adjacent deltas are joined first, so that folding a batch copies a long text once and not once per delta.
    """
    for _, run in groupby(events, key=type):
        transcript = _fold_run(transcript, list(run))
    return transcript


def _fold_run(transcript: Transcript, run: list[Any]) -> Transcript:
    first: Event = run[0]
    match first:
        case TextDelta():
            return replace(transcript, blocks=_extended(transcript.blocks, TextBlock, run))
        case ToolCallDelta():
            for call_id, deltas in groupby(run, key=lambda delta: delta.call_id):
                transcript = _drafted(transcript, call_id, list(deltas))
            return transcript
        case ReasoningDelta():
            return replace(transcript, blocks=_extended(transcript.blocks, ReasoningBlock, run))
        case _:
            for event in run:
                transcript = _fold_one(transcript, event)
            return transcript


def _extended(
    blocks: tuple[Block, ...], kind: type[TextBlock | ReasoningBlock], run: list[TextDelta | ReasoningDelta]
) -> tuple[Block, ...]:
    text = "".join(delta.text for delta in run)
    if blocks and isinstance(last := blocks[-1], kind):
        return (*blocks[:-1], kind(last.text + text))
    return (*blocks, kind(text)) if text else blocks


def _fold_one(transcript: Transcript, event: Event) -> Transcript:
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
        case TextDelta() | ReasoningDelta() | ToolCallDelta():
            return _fold_run(transcript, [event])
        case ToolCalled() | ToolReturned() | ApprovalRequested() | ApprovalResolved():
            return _fold_call(transcript, event)
        case InputRequested() | InputProvided():
            return replace(transcript, blocks=_with_question(transcript.blocks, event))
        case MessageInjected():
            return replace(transcript, blocks=(*transcript.blocks, MessageBlock(event.text)))
        case LimitReached():
            return transcript
        case UsageReported():
            usage = Usage(input_tokens=event.input_tokens, output_tokens=event.output_tokens, cost=event.cost)
            return replace(transcript, usage=usage)
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


def _fold_call(
    transcript: Transcript, event: ToolCalled | ToolReturned | ApprovalRequested | ApprovalResolved
) -> Transcript:
    changes: dict[str, Any]
    match event:
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


def _drafted(transcript: Transcript, call_id: str, deltas: list[ToolCallDelta]) -> Transcript:
    open_call = next((block for block in transcript.blocks if _is_open(block, call_id)), None)
    draft = (open_call.draft if open_call else "") + "".join(delta.text for delta in deltas)
    return _with_call(transcript, call_id, tool=deltas[0].tool, draft=draft)


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


def transcript_of(session: str, turn: TurnRecord) -> Transcript:
    """Return the transcript of a remembered turn of the session of that name, read from its messages."""
    return Transcript(
        session=session,
        turn_id=turn.id,
        agent=turn.agent,
        model=turn.answered_by or turn.model,
        prompt=turn.prompt,
        blocks=_merged(_blocks(turn.messages)),
        warnings=tuple(turn.warnings),
        usage=turn.usage,
        status=turn.status,
        error=turn.error,
        started_at=turn.started_at,
        finished_at=turn.finished_at,
    )


def _merged(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Join adjacent texts, as they were when they streamed."""
    merged: list[Block] = []
    for block in blocks:
        if isinstance(block, TextBlock) and merged and isinstance(last := merged[-1], TextBlock):
            merged[-1] = TextBlock(last.text + block.text)
        else:
            merged.append(block)
    return tuple(merged)


def _blocks(messages: list[dict[str, Any]]) -> Iterator[Block]:
    parts = [part for message in messages for part in message["parts"]]
    results: dict[str, list[dict[str, Any]]] = {}
    for part in parts:
        if part["part_kind"] == "tool-return":
            results.setdefault(part["tool_call_id"], []).append(part)
    said = False
    for part in parts:
        match part["part_kind"]:
            case "text" if part["content"]:
                yield TextBlock(part["content"])
            case "thinking" if part["content"]:
                yield ReasoningBlock(part["content"])
            case "tool-call":
                yield _tool_block(part, results.get(part["tool_call_id"], []))
            case "user-prompt" if said and isinstance(part["content"], str):
                yield MessageBlock(part["content"])
            case _:
                pass
        said = said or part["part_kind"] == "user-prompt"


def _tool_block(call: dict[str, Any], results: list[dict[str, Any]]) -> ToolBlock:
    result: dict[str, Any] = results.pop(0) if results else {"outcome": "interrupted", "content": ""}
    args, content = call["args"], result["content"]
    return ToolBlock(
        call["tool_call_id"],
        call["tool_name"],
        args if isinstance(args, dict) else json_object(args),
        result["outcome"],
        content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, separators=(",", ":")),
        (result.get("metadata") or {}).get("seconds"),
    )


def json_object(text: str | None) -> dict[str, Any]:
    """Return arguments that a model wrote; as they stand, under one name, when they are no JSON object."""
    try:
        value = json.loads(text or "{}")
        value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))  # half a character
    except (ValueError, RecursionError):
        value = text
    return value if isinstance(value, dict) else {"arguments": value}
