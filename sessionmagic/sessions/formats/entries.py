"""Turns made of what another program has stored: a list of entries, one for each message."""

from __future__ import annotations

import base64
import binascii
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from sessionmagic.conversation.attachment import IMAGE_STARTS
from sessionmagic.conversation.session import Session, TurnRecord, title_of
from sessionmagic.conversation.usage import RequestRecord, Usage
from sessionmagic.sessions.formats.requests import iso
from sessionmagic.storage.store import new_session_id
from sessionmagic.words import counted, printable, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sessionmagic.conversation.events import TurnStatus

UNKNOWN_MODEL = "unknown"
LINKED = "linked file"
"""What is not imported: a file that a document only names."""
ID_LENGTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of a tool call, or, without a call's id, what came beside the results."""

    call_id: str
    text: str
    failed: bool = False
    files: Sequence[dict[str, Any]] = ()
    """Images in pydantic-ai's form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A message of another program."""

    kind: Literal["system", "user", "agent"]
    text: str
    at: float | None = None
    items: Sequence[str | dict[str, Any]] = ()
    """What came with a user's text: texts, and images in pydantic-ai's form."""
    during: bool = False
    """Whether a user's message belongs to the turn before it."""
    reasoning: str = ""
    calls: Sequence[tuple[str, str, dict[str, Any] | str]] = ()
    """The id, the tool and the arguments of each call."""
    results: Sequence[Result] = ()
    agent: str = ""
    model: str = ""
    usage: Usage | None = None
    """The usage of the model request; None if it is unknown."""
    seconds: float = 0.0
    finish_reason: str | None = None
    workers: Sequence[tuple[str, Sequence[Entry]]] = ()
    """The sub-agents that worked for a message's calls: the id of the call, and what was said."""
    lost: Sequence[str] = ()
    """What of the message cannot be imported, such as a linked file that is not part of the document."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Fields of the turn that the message begins: cell_id, settings, status, error, error_code, warnings."""


def session_of(entries: Sequence[Entry], *, name: str, title: str, at: float | None, **fields: Any) -> Session:
    """Return a session of these messages, each user's message with a turn of its own."""
    start = at if at is not None else next((entry.at for entry in entries if entry.at is not None), time.time())
    builder = _Builder(start)
    path = builder.add(entries)
    builder.add_workers()
    turns = tuple(builder.turns)
    return Session(
        id=new_session_id(),
        name=name,
        title=title or (title_of(turns[0].prompt) if turns else ""),
        created_at=start,
        updated_at=max([start, *(turn.finished_at or turn.started_at for turn in turns)]),
        head=path[-1].id if path else None,
        turns_started=len(turns),
        turns=turns,
        **fields,
    )


@dataclass
class _Builder:
    """Numbers the turns: first those of the session itself, then those of its sub-agents, level by level."""

    now: float
    turns: list[TurnRecord] = field(default_factory=list)
    waiting: list[tuple[str, Sequence[Entry]]] = field(default_factory=list)

    def add(self, entries: Sequence[Entry], caller: str | None = None) -> list[TurnRecord]:
        """Add the turns of one conversation, and return them."""
        path: list[TurnRecord] = []
        for system, group in _turns(entries):
            turn = self._turn(group, system, path[-1].id if path else None, caller if not path else None)
            path.append(turn)
            self.turns.append(turn)
            for entry in group:
                self.waiting += [(f"{turn.id}:{call}", inner) for call, inner in entry.workers]
        return path

    def add_workers(self) -> None:
        """Add the turns of sub-agents, and those of theirs."""
        while self.waiting:
            caller, entries = self.waiting.pop(0)
            self.add(entries, caller)

    def _turn(self, group: Sequence[Entry], system: str, parent: str | None, caller: str | None) -> TurnRecord:
        first, answers = group[0], [entry for entry in group if entry.kind == "agent"]
        prompt = first.text if first.kind == "user" else ""
        times = [entry.at for entry in group if entry.at is not None]
        started = first.at if first.at is not None else min(times, default=self.now)
        self.now = max([started, *times])
        messages = [message for entry in group for message in _messages(entry, self.now)]
        lost = Counter(what for entry in group for what in entry.lost)
        facts = {"status": _status(answers), "finished_at": self.now, **first.facts}
        warnings = [
            *facts.pop("warnings", []),
            *(f"not imported: {counted(count, what)}" for what, count in lost.items()),
        ]
        return TurnRecord(
            id=str(len(self.turns) + 1),
            parent=parent,
            agent=_name(next((entry.agent for entry in answers if entry.agent), first.agent)) or "agent",
            model=_name(next((entry.model for entry in answers if entry.model), "")) or UNKNOWN_MODEL,
            prompt=prompt,
            started_at=started,
            messages=messages,
            requests=[_record(entry) for entry in answers],
            system=system,
            warnings=warnings,
            caller=caller,
            **facts,
        )


def _turns(entries: Sequence[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    """Yield the messages of each turn, with the instructions that held then."""
    system, told = "", False
    group: list[Entry] = []
    texts: list[str] = []
    for entry in entries:
        if entry.kind == "system":
            texts = [*texts, entry.text] if told else [entry.text]
            told = True
            continue
        if group and entry.kind == "user" and not entry.during:
            yield system, group
            group = []
        if not group:
            system = "\n\n".join(texts)
        told = False
        group.append(entry)
    if group:
        yield system, group


def _status(answers: Sequence[Entry]) -> TurnStatus:
    """Return how a turn ended: it was interrupted if it has no answer, or its last calls have no results."""
    if not answers:
        return "interrupted"
    last = answers[-1]
    answered = {result.call_id for result in last.results}
    return "completed" if all(call in answered for call, *_ in last.calls) else "interrupted"


def _messages(entry: Entry, at: float) -> list[dict[str, Any]]:
    """Return an entry as messages in pydantic-ai's JSON form."""
    timestamp = iso(entry.at if entry.at is not None else at)
    if entry.kind == "user":
        content = [entry.text, *entry.items] if entry.items else entry.text
        return [_request([{"part_kind": "user-prompt", "content": content, "timestamp": timestamp}], timestamp)]
    parts = [
        *([{"part_kind": "thinking", "content": entry.reasoning}] if entry.reasoning else []),
        *([{"part_kind": "text", "content": entry.text}] if entry.text else []),
        *(_call(*call) for call in entry.calls),
    ]
    response = {"kind": "response", "parts": parts, "model_name": entry.model or None, "timestamp": timestamp}
    results = [_result(entry, result, timestamp) for result in entry.results if result.call_id]
    beside = [item for result in entry.results for item in _beside(result)]
    if beside:
        results.append({"part_kind": "user-prompt", "content": beside, "timestamp": timestamp})
    return [response, *([_request(results, timestamp)] if results else [])]


def _request(parts: list[dict[str, Any]], timestamp: str) -> dict[str, Any]:
    return {"kind": "request", "parts": parts, "timestamp": timestamp}


def _call(call_id: str, tool: str, args: dict[str, Any] | str) -> dict[str, Any]:
    return {"part_kind": "tool-call", "tool_name": _name(tool) or "tool", "args": args, "tool_call_id": _name(call_id)}


def _result(entry: Entry, result: Result, timestamp: str) -> dict[str, Any]:
    tools = {call: tool for call, tool, _ in entry.calls}
    return {
        "part_kind": "tool-return",
        "tool_name": _name(tools.get(result.call_id, "")) or "tool",
        "content": result.text,
        "tool_call_id": _name(result.call_id),
        "outcome": "failed" if result.failed else "success",
        "timestamp": timestamp,
    }


def _beside(result: Result) -> list[str | dict[str, Any]]:
    return [*([result.text] if result.text and not result.call_id else []), *result.files]


def _record(entry: Entry) -> RequestRecord:
    usage = entry.usage or Usage(unmeasured_requests=1)
    return RequestRecord(
        agent=_name(entry.agent),
        model=_name(entry.model) or UNKNOWN_MODEL,
        usage=usage,
        seconds=entry.seconds,
        finish_reason=entry.finish_reason,
    )


def _name(text: str) -> str:
    return shortened(printable(text), ID_LENGTH)


def usage_of(*, cost: float | None, **tokens: int) -> Usage:
    """Return the usage of one request; without a cost, it is counted as one without a price."""
    unpriced = cost is None and any(tokens.values())
    return Usage(**tokens, cost=cost, unpriced_requests=int(unpriced))


def image_in(address: str) -> dict[str, Any] | None:
    """Return the image in a data URL in pydantic-ai's form; None for an address that would have to be read."""
    head, _, data = address.partition(";base64,")
    media_type = head.removeprefix("data:")
    if not address.startswith("data:") or media_type not in IMAGE_STARTS:
        return None
    try:
        content = base64.b64decode(data, altchars=b"-_" if set(data) & set("-_") else None, validate=True)
    except (ValueError, binascii.Error):
        return None
    if not content.startswith(IMAGE_STARTS[media_type]):
        return None
    return {"kind": "binary", "media_type": media_type, "data": base64.b64encode(content).decode()}


def seconds_of(text: str | None) -> float | None:
    """Return a time in ISO 8601 in seconds since the epoch; raises `ValueError` when it is not valid.

    None for no time, and for the year 1, which programs in Go write instead.
    """
    if not text or text.startswith("0001-"):
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{shortened(text)!r} is not a time") from None
