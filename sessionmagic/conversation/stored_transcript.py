"""The transcript of a stored turn, built from its messages."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.comparison import shown
from sessionmagic.conversation.sub_agents import requests_of, workers_of
from sessionmagic.conversation.transcript import (
    Block,
    MessageBlock,
    ReasoningBlock,
    TextBlock,
    ToolBlock,
    Transcript,
    ValueBlock,
    joined,
    json_object,
)
from sessionmagic.conversation.usage import total
from sessionmagic.conversation.value import as_text, opens_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sessionmagic.conversation.session import TurnRecord


_ASKED_AGAIN = ("retry-feedback", "retry-prompt")
"""The kinds of the parts that ask a model for another answer."""


def transcript_of(session: str, turn: TurnRecord, turns: Sequence[TurnRecord] = ()) -> Transcript:
    """Return the transcript of a stored turn.

    Args:
        session: The name of the turn's session.
        turn: The turn.
        turns: The turns of the session, among which are those of the sub-agents that have worked for it.
    """
    requests = requests_of(turn, turns)
    transcript = Transcript(
        session=session,
        turn_id=turn.id,
        kind=turn.kind,
        agent=turn.agent,
        model=turn.who_answered,
        prompt=turn.prompt,
        values=tuple(turn.values),
        notes=(*turn.notes, *_notes(turn)),
        blocks=joined(_blocks(turn, partial(_work, session, turn, turns))),
        warnings=tuple(turn.warnings),
        usage=total(request.usage for request in requests),
        status=turn.status,
        error=turn.error,
        seconds=sum(request.seconds for request in requests),
        first_token=turn.first_token,
        started_at=turn.started_at,
        finished_at=turn.finished_at,
    )
    return shown(transcript, turn.column)


def _notes(turn: TurnRecord) -> tuple[str, ...]:
    if turn.column is not None:
        return (f"column {turn.column.number} of a comparison",)
    if turn.kind != "compaction" or turn.status != "completed":
        return ()
    return (f"this summary is sent in place of the turns up to turn {turn.covers}, which are kept",)


def _work(session: str, turn: TurnRecord, turns: Sequence[TurnRecord], call_id: str, again: int) -> Transcript | None:
    """Return what a sub-agent has done for a call of the turn, where `again` earlier calls had the same id."""
    found = workers_of(turn, turns)
    workers = found.get(call_id, [])
    if again >= len(workers):
        return None
    direct = {each.id for of_call in found.values() for each in of_call}
    work = transcript_of(session, workers[again], [each for each in turns if each.id not in direct])
    return replace(work, started_at=None, finished_at=None)


def _blocks(turn: TurnRecord, work: Callable[[str, int], Transcript | None]) -> Iterator[Block]:
    parts = [part for message in turn.messages for part in message["parts"]]
    texts = [part for part in parts if part["part_kind"] == "text" and part["content"]]
    given = texts[-1] if turn.value is not None and texts else None
    results: dict[str, list[dict[str, Any]]] = {}  # lists, because some providers use a call id more than once
    for part in parts:
        if part["part_kind"] == "tool-return":
            results.setdefault(part["tool_call_id"], []).append(part)
    calls: dict[str, int] = {}
    """How many calls with each id there were so far."""
    tries = 0
    """How often the model was asked for another structured answer so far."""
    after_prompt = False  # the first user prompt is the turn's; later ones were sent while the turn was running
    for part in parts:
        match part["part_kind"]:
            case "text" if part is given and turn.value is not None:
                yield ValueBlock(as_text(turn.value.json), turn.value.json, given=True)
            case "text" if turn.value is not None and opens_json(part["content"]):
                pass  # an answer that did not fit
            case "text" if part["content"]:
                yield TextBlock(part["content"], tries)
            case "thinking" if part["content"]:
                yield ReasoningBlock(part["content"])
            case "tool-call":
                call_id = part["tool_call_id"]
                block = _tool_block(part, results.get(call_id, []), running=turn.status == "running")
                yield replace(block, work=work(call_id, calls.setdefault(call_id, 0)))
                calls[call_id] += 1
            case "user-prompt" if after_prompt and isinstance(part["content"], str):
                yield MessageBlock(part["content"])
            case _:
                pass
        after_prompt = after_prompt or part["part_kind"] == "user-prompt"
        tries += part["part_kind"] in _ASKED_AGAIN


def _tool_block(call: dict[str, Any], results: list[dict[str, Any]], *, running: bool) -> ToolBlock:
    no_result: dict[str, Any] = {"outcome": None if running else "interrupted", "content": ""}
    result = results.pop(0) if results else no_result
    args, content = call["args"], result["content"]
    return ToolBlock(
        call["tool_call_id"],
        call["tool_name"],
        json_object(args),
        result["outcome"],
        content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, separators=(",", ":")),
        _seconds_in(result.get("metadata")),
        displays=displays_in(result.get("metadata")),
    )


def _seconds_in(metadata: object) -> float | None:
    """Return how long a call took; None if its result does not say, as in a file that somebody has edited."""
    seconds = metadata.get("seconds") if isinstance(metadata, dict) else None
    return seconds if isinstance(seconds, int | float) else None


def displays_in(metadata: object) -> tuple[dict[str, Any], ...]:
    """Return what a call has displayed, as far as it is stored."""
    displays = metadata.get("displays") if isinstance(metadata, dict) else None
    return tuple(each for each in displays if isinstance(each, dict)) if isinstance(displays, list) else ()
