"""The events of a stored turn, each with the pause that came before it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, get_args

from sessionmagic.conversation.events import (
    ApprovalRequested,
    ApprovalResolved,
    Decision,
    MessageInjected,
    ReasoningDelta,
    ResponseBegan,
    TextDelta,
    ToolBegan,
    ToolCallDelta,
    ToolCalled,
    ToolReturned,
    UsageReported,
    ValueGiven,
    Warned,
)
from sessionmagic.conversation.transcript import json_object
from sessionmagic.conversation.usage import RequestRecord, total

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sessionmagic.conversation.session import TurnRecord

PIECES = 40
"""In how many pieces an answer comes of which it is not known when it came in."""
DECIDING_SECONDS = 1.0
"""How long a recorded approval is shown before it is given."""


@dataclass(frozen=True, slots=True)
class Beat:
    """An event of a stored turn."""

    kind: type[Any]
    content: dict[str, Any]
    pause: float = 0.0
    """Seconds between the event before and this one."""
    stops: bool = False
    """Whether a show that goes on step by step waits before it."""


def beats_of(turn: TurnRecord) -> Iterator[Beat]:
    """Yield the events of a stored turn after its beginning and before its end, with their own timing.

    Where it is not known, the pieces of an answer come at equal distances.
    """
    records = iter([each for each in turn.requests if each.purpose == "answer"])
    used: list[RequestRecord] = []
    for warning in turn.warnings:
        yield Beat(Warned, {"text": warning})
    calls: dict[str, dict[str, Any]] = {}
    for place, message in enumerate(turn.messages):
        if message["kind"] == "response":
            record = next(records, RequestRecord(agent=turn.agent, model=None))
            used.append(record)
            calls = {part["tool_call_id"]: part for part in message["parts"] if part["part_kind"] == "tool-call"}
            yield from _response(message["parts"], record, first=len(used) == 1)
            yield Beat(UsageReported, {"usage": total(each.usage for each in used)})
        elif place:
            for part in message["parts"]:
                yield from _told(part, calls)
    if turn.value is not None:
        yield Beat(ValueGiven, {"value": turn.value.json, "takes_text": True})


def _response(parts: Sequence[dict[str, Any]], record: RequestRecord, *, first: bool) -> Iterator[Beat]:
    """Yield the events of a response: its texts in pieces, as they came in, and then its calls."""
    texts = [_text(part) for part in parts]
    moments = _moments(record, sum(map(len, texts)))
    began = 0.0 if not moments else moments[0][0]
    if first:
        yield Beat(ResponseBegan, {"seconds": record.first_token_seconds or began}, began, stops=True)
        elapsed = began
    else:
        elapsed = 0.0
    end = 0
    for part, text in zip(parts, texts, strict=True):
        start, end = end, end + len(text)
        for seconds, (low, high) in _slices(moments, start, end):
            piece = text[low - start : high - start]
            pause, elapsed = max(0.0, seconds - elapsed), max(seconds, elapsed)
            yield from _piece(part, piece, pause, stops=not first and low == 0)
    for part in parts:
        if part["part_kind"] == "tool-call":
            yield Beat(ToolCalled, {**_call(part), "args": json_object(part["args"])})


def _moments(record: RequestRecord, length: int) -> list[tuple[float, int]]:
    """Return when a response came in: seconds since the request, and how many characters by then."""
    known = record.arrivals
    if known and known[-1][1] > 0:
        whole = known[-1][1]  # texts may have changed since, as keys were left out
        return [(milliseconds / 1000, round(length * characters / whole)) for milliseconds, characters in known]
    if not length:
        return []
    begin = min(record.first_token_seconds or 0.0, record.seconds)
    step = (record.seconds - begin) / PIECES
    return [(begin + step * number, round(length * number / PIECES)) for number in range(1, PIECES + 1)]


def _slices(moments: Sequence[tuple[float, int]], start: int, end: int) -> Iterator[tuple[float, tuple[int, int]]]:
    """Yield when each piece of a text came in that has the characters from `start` to `end` of its response."""
    for (_, before), (seconds, after) in pairwise([(0.0, 0), *moments]):
        low, high = max(before, start), min(after, end)
        if low < high:
            yield seconds, (low, high)


def _piece(part: dict[str, Any], piece: str, pause: float, *, stops: bool) -> Iterator[Beat]:
    match part["part_kind"]:
        case "text":
            yield Beat(TextDelta, {"text": piece}, pause, stops)
        case "thinking":
            yield Beat(ReasoningDelta, {"text": piece}, pause, stops)
        case _:  # other parts have no pieces
            yield Beat(ToolCallDelta, {**_call(part), "text": piece}, pause, stops)


def _told(part: dict[str, Any], calls: dict[str, dict[str, Any]]) -> Iterator[Beat]:
    """Yield the events of what the model was told: the result of a call, or a message of the user."""
    match part["part_kind"]:
        case "tool-return" if part["tool_call_id"] in calls:
            yield from _result(part, calls[part["tool_call_id"]])
        case "user-prompt" if isinstance(part["content"], str):
            yield Beat(MessageInjected, {"text": part["content"], "kind": "steer"}, stops=True)
        case _:
            pass


def _result(part: dict[str, Any], call: dict[str, Any]) -> Iterator[Beat]:
    metadata: dict[str, Any] = part.get("metadata") or {}
    about, seconds = _call(part), metadata.get("seconds")
    if (decision := metadata.get("decision")) in get_args(Decision):
        approval = {"approval_id": f"recorded {part['tool_call_id']}", "call_id": part["tool_call_id"]}
        asked = {**about, **approval, "args": json_object(call["args"]), "why": str(metadata.get("why") or "")}
        yield Beat(ApprovalRequested, asked, stops=True)
        yield Beat(ApprovalResolved, {**approval, "decision": decision}, DECIDING_SECONDS, stops=True)
    if seconds is not None:
        yield Beat(ToolBegan, about, stops=not decision)
    content = part["content"]
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    ended = {**about, "outcome": part.get("outcome") or "success", "content": text, "duration": seconds}
    yield Beat(ToolReturned, ended, seconds or 0.0)


def _call(part: dict[str, Any]) -> dict[str, Any]:
    return {"call_id": part["tool_call_id"], "tool": part["tool_name"]}


def _text(part: dict[str, Any]) -> str:
    content = part.get("args") if part["part_kind"] == "tool-call" else part.get("content")
    if content is None or part["part_kind"] not in {"text", "thinking", "tool-call"}:
        return ""
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
