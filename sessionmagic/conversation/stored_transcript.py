"""What there is to see of a remembered turn, read from its messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.transcript import (
    Block,
    MessageBlock,
    ReasoningBlock,
    TextBlock,
    ToolBlock,
    Transcript,
    json_object,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sessionmagic.conversation.session import TurnRecord


def transcript_of(session: str, turn: TurnRecord) -> Transcript:
    """Return the transcript of a remembered turn of the session of that name, read from its messages."""
    return Transcript(
        session=session,
        turn_id=turn.id,
        agent=turn.agent,
        model=turn.answered_by or turn.model,
        prompt=turn.prompt,
        blocks=_merged(_blocks(turn.messages, running=turn.status == "running")),
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


def _blocks(messages: list[dict[str, Any]], *, running: bool) -> Iterator[Block]:
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
                yield _tool_block(part, results.get(part["tool_call_id"], []), running=running)
            case "user-prompt" if said and isinstance(part["content"], str):
                yield MessageBlock(part["content"])
            case _:
                pass
        said = said or part["part_kind"] == "user-prompt"


def _tool_block(call: dict[str, Any], results: list[dict[str, Any]], *, running: bool) -> ToolBlock:
    without: dict[str, Any] = {"outcome": None if running else "interrupted", "content": ""}
    result = results.pop(0) if results else without
    args, content = call["args"], result["content"]
    return ToolBlock(
        call["tool_call_id"],
        call["tool_name"],
        json_object(args),
        result["outcome"],
        content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, separators=(",", ":")),
        (result.get("metadata") or {}).get("seconds"),
    )
