"""Events folded into what a view shows: a pure fold, the same however the text was chunked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, assert_never

from sessionmagic.events import (
    Event,
    ReasoningDelta,
    TextDelta,
    ToolCalled,
    ToolReturned,
    TurnFinished,
    TurnStarted,
    TurnStatus,
    UsageReported,
    Warned,
)
from sessionmagic.session import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    """A tool call, with its result once there is one."""

    call_id: str
    tool: str
    args: dict[str, Any]
    outcome: str | None = None
    content: str = ""
    duration: float | None = None


Block = TextBlock | ReasoningBlock | ToolBlock


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
        case TextDelta() | ReasoningDelta():
            return _fold_run(transcript, [event])
        case ToolCalled():
            block = ToolBlock(event.call_id, event.tool, event.args)
            return replace(transcript, blocks=(*transcript.blocks, block))
        case ToolReturned():
            return replace(transcript, blocks=_with_result(transcript.blocks, event))
        case UsageReported():
            usage = Usage(input_tokens=event.input_tokens, output_tokens=event.output_tokens, cost=event.cost)
            return replace(transcript, usage=usage)
        case Warned():
            return replace(transcript, warnings=(*transcript.warnings, event.text))
        case TurnFinished():
            return replace(transcript, model=event.model, status=event.status, error=event.error, finished_at=event.at)
        case _:
            assert_never(event)


def _with_result(blocks: tuple[Block, ...], event: ToolReturned) -> tuple[Block, ...]:
    return tuple(
        replace(block, outcome=event.outcome, content=event.content, duration=event.duration)
        if isinstance(block, ToolBlock) and block.call_id == event.call_id
        else block
        for block in blocks
    )


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
    results = {part["tool_call_id"]: part for part in parts if part["part_kind"] == "tool-return"}
    for part in parts:
        match part["part_kind"]:
            case "text" if part["content"]:
                yield TextBlock(part["content"])
            case "thinking" if part["content"]:
                yield ReasoningBlock(part["content"])
            case "tool-call":
                result = results.get(part["tool_call_id"], {})
                yield ToolBlock(
                    part["tool_call_id"],
                    part["tool_name"],
                    part["args"] if isinstance(part["args"], dict) else {"args": part["args"]},
                    result.get("outcome"),
                    str(result.get("content", "")),
                )
            case _:
                continue
