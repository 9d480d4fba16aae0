"""A transcript as a pure fold of a turn's events. How a text was split into deltas makes no difference."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeGuard, assert_never

from sessionmagic.conversation.events import (
    AgentSwitched,
    ApprovalRequested,
    ApprovalResolved,
    Event,
    HistoryCompacted,
    InputProvided,
    InputRequested,
    LimitReached,
    MessageInjected,
    ModelAwaited,
    ModelFellBack,
    NotesChanged,
    ReasoningDelta,
    ResponseBegan,
    SubAgentFinished,
    SubAgentStarted,
    TextDelta,
    TitleChanged,
    ToolBegan,
    ToolCallDelta,
    ToolCalled,
    ToolPrinted,
    ToolReturned,
    TurnFinished,
    TurnStarted,
    UsageReported,
    ValueDelta,
    ValueGiven,
    Warned,
)
from sessionmagic.conversation.printed import with_printed
from sessionmagic.conversation.transcript import (
    Block,
    MessageBlock,
    QuestionBlock,
    ReasoningBlock,
    SummaryBlock,
    TextBlock,
    ToolBlock,
    Transcript,
    ValueBlock,
    joined,
    json_object,
)
from sessionmagic.conversation.value import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_STARTED = ("session", "turn_id", "kind", "agent", "model", "prompt", "values", "notes", "remark")
_NO_APPROVAL: dict[str, Any] = {"approval_id": "", "why": "", "asked": {}, "preview": ""}
_ENDED: dict[str, Any] = {**_NO_APPROVAL, "began": False, "printed": "", "lines": 0}


def fold(transcript: Transcript, events: Iterable[Event]) -> Transcript:
    """Return the transcript with more events folded into it."""
    return reduce(_folded, _join_deltas(events), transcript)


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
        case ValueDelta():
            return event.for_calls, event.attempt
        case TextDelta():
            return event.for_calls, type(event), event.response
        case ReasoningDelta():
            return event.for_calls, type(event)
        case ToolCallDelta() | ToolPrinted():
            return event.for_calls, type(event), event.call_id
        case _:
            return event.seq


def _folded(transcript: Transcript, event: Event) -> Transcript:
    """Return the transcript with an event folded into it, or into the work of a sub-agent, until its call has ended."""
    if not event.for_calls:
        return _fold_event(transcript, event)
    call_id, *inner = event.for_calls
    event = replace(event, for_calls=tuple(inner))
    blocks = tuple(
        replace(block, work=_folded(block.work or Transcript(session=transcript.session), event))
        if _is_open(block, call_id)
        else block
        for block in transcript.blocks
    )
    return replace(transcript, blocks=blocks)


def _fold_event(transcript: Transcript, event: Event) -> Transcript:
    match event:
        case TurnStarted() | SubAgentStarted():
            return _begun(transcript, event)
        case TextDelta() | ReasoningDelta() | ValueDelta() | ValueGiven():
            return replace(transcript, blocks=_with_delta(transcript.blocks, event))
        case ToolCallDelta() | ToolCalled() | ToolReturned() | ApprovalRequested() | ApprovalResolved():
            return _fold_call(transcript, event)
        case ToolBegan() | ToolPrinted() | InputRequested() | InputProvided():
            return replace(transcript, blocks=_with_progress(transcript.blocks, event))
        case MessageInjected() | HistoryCompacted():
            return _with_block(transcript, event)
        case LimitReached() | TitleChanged():
            return transcript
        case UsageReported() | ResponseBegan() | ModelAwaited() | AgentSwitched():
            return _with_figures(transcript, event)
        case Warned() | ModelFellBack() | NotesChanged():
            return _with_lines(transcript, event)
        case TurnFinished() | SubAgentFinished():
            return _ended(transcript, event)
        case _:
            assert_never(event)


def _begun(transcript: Transcript, event: TurnStarted | SubAgentStarted) -> Transcript:
    if isinstance(event, SubAgentStarted):
        return replace(transcript, turn_id=event.turn, agent=event.agent, model=event.model, prompt=event.task)
    started = {name: getattr(event, name) for name in _STARTED}
    return replace(transcript, **started, started_at=event.at)


def _ended(transcript: Transcript, event: TurnFinished | SubAgentFinished) -> Transcript:
    return replace(
        transcript,
        blocks=joined(map(_close, transcript.blocks)),
        model=event.model,
        status=event.status,
        error=event.error,
        seconds=event.seconds,
        finished_at=event.at if isinstance(event, TurnFinished) else None,
    )


def _with_figures(
    transcript: Transcript, event: UsageReported | ResponseBegan | ModelAwaited | AgentSwitched
) -> Transcript:
    if isinstance(event, AgentSwitched):
        return replace(transcript, agent=event.to, model=event.model)
    if isinstance(event, ModelAwaited):
        return replace(transcript, asking=event.why)
    if isinstance(event, ResponseBegan):
        return replace(transcript, first_token=event.seconds)
    return replace(transcript, usage=event.usage, asking="")


def _with_lines(transcript: Transcript, event: Warned | ModelFellBack | NotesChanged) -> Transcript:
    """Return the transcript with its notes, or a warning. A warning stays in the saved answer, and stays true."""
    if isinstance(event, NotesChanged):
        return replace(transcript, notes=event.notes)
    if isinstance(event, Warned):
        return replace(transcript, warnings=(*transcript.warnings, event.text))
    failed = f"{event.failed} failed ({event.reason})"
    return replace(
        transcript,
        model=event.fallback,
        asking=f"{failed}, asking {event.fallback}",
        warnings=(*transcript.warnings, f"{failed}, so {event.fallback} was asked"),
    )


def _with_block(transcript: Transcript, event: MessageInjected | HistoryCompacted) -> Transcript:
    if isinstance(event, HistoryCompacted):
        summary = SummaryBlock(event.summary, event.compaction, event.tokens_before, event.tokens_after)
        return replace(transcript, blocks=(*transcript.blocks, summary))
    values = tuple(dict.fromkeys((*transcript.values, *event.values)))
    return replace(transcript, blocks=(*transcript.blocks, MessageBlock(event.text)), values=values)


def _with_delta(
    blocks: tuple[Block, ...], delta: TextDelta | ReasoningDelta | ValueDelta | ValueGiven
) -> tuple[Block, ...]:
    if isinstance(delta, ValueDelta | ValueGiven):
        return _with_value(blocks, delta)
    if isinstance(delta, ReasoningDelta) and delta.takes_text and blocks and isinstance(blocks[-1], TextBlock):
        blocks = (*blocks[:-1], ReasoningBlock(blocks[-1].text))
    if not delta.text:
        return blocks
    if isinstance(delta, TextDelta):
        return joined([*blocks, TextBlock(delta.text, delta.response)])
    if blocks and isinstance(last := blocks[-1], ReasoningBlock):
        return (*blocks[:-1], ReasoningBlock(last.text + delta.text))
    return (*blocks, ReasoningBlock(delta.text))


def _with_value(blocks: tuple[Block, ...], event: ValueDelta | ValueGiven) -> tuple[Block, ...]:
    if isinstance(event, ValueDelta):
        if not any(_is_attempt(block, event.attempt) for block in blocks):
            return (*blocks, ValueBlock(event.text, attempt=event.attempt, response=event.response))
        return tuple(
            replace(block, text=block.text + event.text) if _is_attempt(block, event.attempt) else block
            for block in blocks
        )
    if event.takes_text and blocks and isinstance(blocks[-1], TextBlock):
        blocks = blocks[:-1]
    before = (block for block in blocks if not isinstance(block, ValueBlock))  # those that did not fit
    return (*before, ValueBlock(as_text(event.value), event.value, given=True))


def _is_attempt(block: Block, attempt: str) -> TypeGuard[ValueBlock]:
    return isinstance(block, ValueBlock) and block.attempt == attempt


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
                **_ENDED,
            }
        case ApprovalRequested():
            changes = {"approval_id": event.approval_id, "why": event.why, "asked": event.args}
            changes["preview"] = event.preview
        case ApprovalResolved():
            changes = _NO_APPROVAL
    return _with_call(transcript, event.call_id, **changes)


def _close(block: Block) -> Block:
    """Mark a tool call as interrupted if it has no result when the turn ends; return an unfit answer as text."""
    if isinstance(block, ValueBlock) and not block.given:
        return TextBlock(block.text, block.response)
    if not isinstance(block, ToolBlock):
        return block
    if block.work is not None and block.work.status == "running":
        inner = joined(map(_close, block.work.blocks))
        block = replace(block, work=replace(block.work, blocks=inner, status="interrupted"))
    if block.outcome is not None:
        return block
    args = json_object(block.draft) if block.draft else block.args
    return replace(block, args=args, outcome="interrupted", draft="", **_ENDED)


def _with_call(transcript: Transcript, call_id: str, **changes: Any) -> Transcript:
    """Return the transcript with the block of an open call changed. The first change adds the block."""
    blocks = transcript.blocks
    if not any(_is_open(block, call_id) for block in blocks):
        blocks = (*blocks, ToolBlock(call_id, "", {}))
    blocks = tuple(replace(block, **changes) if _is_open(block, call_id) else block for block in blocks)
    return replace(transcript, blocks=blocks)


def _with_progress(
    blocks: tuple[Block, ...], event: ToolBegan | ToolPrinted | InputRequested | InputProvided
) -> tuple[Block, ...]:
    """Return the blocks after an event of a running call. What a call prints after its end is left out."""
    match event:
        case InputRequested():
            question = QuestionBlock(
                event.question_id, event.message, event.schema, server=event.server, sub_agent=event.sub_agent
            )
            return (*blocks, question)
        case InputProvided():
            return tuple(
                replace(block, action=event.action)
                if isinstance(block, QuestionBlock) and block.question_id == event.question_id
                else block
                for block in blocks
            )
        case ToolBegan() | ToolPrinted():
            return tuple(_in_progress(block, event) if _is_open(block, event.call_id) else block for block in blocks)


def _in_progress(block: ToolBlock, event: ToolBegan | ToolPrinted) -> ToolBlock:
    if isinstance(event, ToolBegan):
        return replace(block, began=True)
    return replace(block, printed=with_printed(block.printed, event.text), lines=block.lines + event.text.count("\n"))


def _is_open(block: Block, call_id: str) -> TypeGuard[ToolBlock]:
    """Return whether the block is a call with that id and no result. Some providers use an id more than once."""
    return isinstance(block, ToolBlock) and block.call_id == call_id and block.outcome is None
