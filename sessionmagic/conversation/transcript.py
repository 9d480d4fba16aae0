"""What a view shows of a turn: a pure fold of its events. How a text was split into deltas makes no difference."""

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
    HistoryCompacted,
    InputAction,
    InputProvided,
    InputRequested,
    LimitReached,
    MessageInjected,
    ReasoningDelta,
    ResponseBegan,
    TextDelta,
    TitleChanged,
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
    """A continuous piece of the answer, as Markdown."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningBlock:
    """A continuous piece of the model's reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolBlock:
    """A tool call: being written, waiting for a decision, running, or ended."""

    call_id: str
    tool: str
    args: dict[str, Any]
    outcome: ToolOutcome | None = None
    content: str = ""
    duration: float | None = None
    draft: str = ""
    """The JSON of the arguments as far as the model has written it; ``""`` when `args` is complete."""
    approval_id: str = ""
    """The id of the open approval; ``""`` when there is none."""
    why: str = ""
    """Why the call needs a decision, while the approval is open."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """The arguments to decide on, while the approval is open: `args` and the defaults of those left out."""
    displays: tuple[Mapping[str, Any], ...] = ()
    """What a stored call has displayed."""


@dataclass(frozen=True, slots=True)
class MessageBlock:
    """A message that the user sent during the turn."""

    text: str


@dataclass(frozen=True, slots=True)
class QuestionBlock:
    """A question that an MCP server asks the user during a tool call; open while `action` is None."""

    question_id: str
    message: str
    schema: dict[str, Any]
    """The JSON schema of the answer."""
    action: InputAction | None = None
    server: str = ""


@dataclass(frozen=True, slots=True)
class SummaryBlock:
    """Earlier turns are sent as a summary from here on."""

    text: str
    """The summary; empty if it is the answer of this turn."""
    compaction: str
    """The id of the turn that holds the summary."""
    tokens_before: int
    tokens_after: int


_STARTED = ("session", "turn_id", "agent", "model", "prompt", "values", "notes", "remark")
_KNOWN: dict[type[Event], str] = {UsageReported: "usage", ResponseBegan: "first_token"}
_NO_APPROVAL: dict[str, Any] = {"approval_id": "", "why": "", "asked": {}}
Block = TextBlock | ReasoningBlock | ToolBlock | MessageBlock | QuestionBlock | SummaryBlock


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """Everything that a view shows of a turn at one moment."""

    session: str = ""
    """The session's name."""
    turn_id: str = ""
    agent: str = ""
    model: str = ""
    prompt: str = ""
    values: tuple[str, ...] = ()
    """The expressions whose values the user has put into the prompt and the later messages."""
    notes: tuple[str, ...] = ()
    """Where the turn stands, if that may surprise."""
    remark: str = ""
    """That a stored answer is shown, if so. It is shown where it is not saved."""
    blocks: tuple[Block, ...] = ()
    warnings: tuple[str, ...] = ()
    usage: Usage | None = None
    status: TurnStatus = "running"
    error: str | None = None
    seconds: float = 0.0
    """How long the model requests took in all, once the turn has ended."""
    first_token: float | None = None
    """Seconds from the first model request to the first piece of its response; None before that."""
    started_at: float | None = None
    finished_at: float | None = None

    @property
    def text(self) -> str:
        """The answer as Markdown. Texts with a tool call or reasoning between them become separate paragraphs."""
        return "\n\n".join(block.text for block in self.blocks if isinstance(block, TextBlock))

    @property
    def waits_for_an_answer(self) -> bool:
        """Whether an approval or a question is open."""
        return any(
            (isinstance(block, ToolBlock) and block.approval_id)
            or (isinstance(block, QuestionBlock) and block.action is None)
            for block in self.blocks
        )


def fold(transcript: Transcript, events: Iterable[Event]) -> Transcript:
    """Return the transcript with more events folded into it."""
    return reduce(_fold_event, _join_deltas(events), transcript)


def _join_deltas(events: Iterable[Event]) -> Iterator[Event]:
    """Join adjacent deltas. Folding a batch then copies a long text once, not once per delta."""
    for _, group in groupby(events, key=_delta_key):
        deltas: list[Any] = list(group)
        yield replace(deltas[0], text="".join(delta.text for delta in deltas)) if len(deltas) > 1 else deltas[0]


def _delta_key(event: Event) -> object:
    """Return a key that adjacent deltas share if they can be joined; it is unique for other events."""
    match event:
        case ReasoningDelta(takes_text=True):
            return event.seq
        case TextDelta() | ReasoningDelta():
            return type(event)
        case ToolCallDelta():
            return event.call_id
        case _:
            return event.seq


def _fold_event(transcript: Transcript, event: Event) -> Transcript:
    match event:
        case TurnStarted():
            started = {name: getattr(event, name) for name in _STARTED}
            return replace(transcript, **started, started_at=event.at)
        case TextDelta() | ReasoningDelta():
            return replace(transcript, blocks=_with_delta(transcript.blocks, event))
        case ToolCallDelta() | ToolCalled() | ToolReturned() | ApprovalRequested() | ApprovalResolved():
            return _fold_call(transcript, event)
        case InputRequested() | InputProvided():
            return replace(transcript, blocks=_with_question(transcript.blocks, event))
        case MessageInjected() | HistoryCompacted():
            return _with_block(transcript, event)
        case LimitReached() | TitleChanged():
            return transcript
        case UsageReported(usage=known) | ResponseBegan(seconds=known):
            return replace(transcript, **{_KNOWN[type(event)]: known})  # type: ignore[arg-type]
        case Warned():
            return replace(transcript, warnings=(*transcript.warnings, event.text))
        case TurnFinished():
            return replace(
                transcript,
                blocks=tuple(map(_close, transcript.blocks)),
                model=event.model,
                status=event.status,
                error=event.error,
                seconds=event.seconds,
                finished_at=event.at,
            )
        case _:
            assert_never(event)


def _with_block(transcript: Transcript, event: MessageInjected | HistoryCompacted) -> Transcript:
    if isinstance(event, HistoryCompacted):
        summary = SummaryBlock(event.summary, event.compaction, event.tokens_before, event.tokens_after)
        return replace(transcript, blocks=(*transcript.blocks, summary))
    values = tuple(dict.fromkeys((*transcript.values, *event.values)))
    return replace(transcript, blocks=(*transcript.blocks, MessageBlock(event.text)), values=values)


def _with_delta(blocks: tuple[Block, ...], delta: TextDelta | ReasoningDelta) -> tuple[Block, ...]:
    if isinstance(delta, ReasoningDelta) and delta.takes_text and blocks and isinstance(blocks[-1], TextBlock):
        blocks = (*blocks[:-1], ReasoningBlock(blocks[-1].text))
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
            draft = next((block.draft for block in transcript.blocks if _is_open(block, event.call_id)), "")
            changes = {"tool": event.tool, "draft": draft + event.text}
        case ToolCalled():
            changes = {"tool": event.tool, "args": event.args, "draft": ""}
        case ToolReturned():
            changes = {
                "tool": event.tool,
                "outcome": event.outcome,
                "content": event.content,
                "duration": event.duration,
                **_NO_APPROVAL,
            }
        case ApprovalRequested():
            changes = {"approval_id": event.approval_id, "why": event.why, "asked": event.args}
        case ApprovalResolved():
            changes = _NO_APPROVAL
    return _with_call(transcript, event.call_id, **changes)


def _close(block: Block) -> Block:
    """Mark a tool call as interrupted if it has no result when the turn ends."""
    if not isinstance(block, ToolBlock) or block.outcome is not None:
        return block
    args = json_object(block.draft) if block.draft else block.args
    return replace(block, args=args, outcome="interrupted", draft="", **_NO_APPROVAL)


def _with_call(transcript: Transcript, call_id: str, **changes: Any) -> Transcript:
    """Return the transcript with the block of an open call changed. The first change adds the block."""
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
    """Return whether the block is a call with that id and no result. Some providers use an id more than once."""
    return isinstance(block, ToolBlock) and block.call_id == call_id and block.outcome is None


def json_object(args: str | dict[str, Any] | None) -> dict[str, Any]:
    """Return the arguments of a tool call as a dict. If they are not a JSON object, ``"arguments"`` holds them."""
    if isinstance(args, dict):
        return args
    try:
        value = json.loads(args or "{}")
        value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))  # no lone surrogates
    except (ValueError, RecursionError):
        value = args
    return value if isinstance(value, dict) else {"arguments": value}
