"""A session as OpenTelemetry spans with the conventions for generative AI, in OTLP's JSON.

The messages are written by pydantic-ai's own instrumentation, which is driven over those that are stored. The spans
around them are ours, because that instrumentation knows only the present: a trace for each turn, in it a span for each
model request and tool call, and within the call of a sub-agent that agent's turn. They begin and end as the records of
the requests and calls say, one after the other.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.transcript import json_object
from sessionmagic.sessions.formats.contents import EVERYTHING
from sessionmagic.sessions.formats.requests import calls_in, messages_of, results_after

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic_ai.messages import ModelMessage, ModelResponse

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.conversation.usage import RequestRecord
    from sessionmagic.sessions.formats.contents import Content

HOLDS: frozenset[Content] = EVERYTHING - {"values", "own settings", "permissions"}
INTERNAL, CLIENT = 1, 3
"""The kinds of spans, as numbered by OTLP."""
ERROR = 2
"""The code of a span's status."""
PARAMETERS = frozenset({"temperature", "top_p", "top_k", "max_tokens", "seed", "presence_penalty", "frequency_penalty"})
"""The settings that have an attribute ``gen_ai.request.NAME``."""

Attributes = dict[str, Any]


def to_opentelemetry(session: Session) -> str:
    """Return all turns of a session as spans: those on other branches, and those of sub-agents, too."""
    from pydantic_ai import __version__

    spans = [span.to_otlp() for turn in session.turns for span in _spans(session, turn)]
    service = _attributes({"service.name": "sessionmagic"})
    scope = {"scope": {"name": "pydantic-ai", "version": __version__}, "spans": spans}
    document = {"resourceSpans": [{"resource": {"attributes": service}, "scopeSpans": [scope]}]}
    return json.dumps(document, ensure_ascii=False).encode(errors="replace").decode() + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A span of a trace; its times are seconds since the epoch."""

    name: str
    trace: str
    id: str
    parent: str = ""
    start: float
    end: float
    attributes: Attributes
    error: str | None = None
    kind: int = INTERNAL

    def to_otlp(self) -> dict[str, Any]:
        """Return the span in OTLP's JSON."""
        return {
            "traceId": self.trace,
            "spanId": self.id,
            **({"parentSpanId": self.parent} if self.parent else {}),
            "name": self.name,
            "kind": self.kind,
            "startTimeUnixNano": _nanoseconds(self.start),
            "endTimeUnixNano": _nanoseconds(max(self.start, self.end)),
            "attributes": _attributes(self.attributes),
            "status": {} if self.error is None else {"code": ERROR, "message": self.error},
        }


def _spans(session: Session, turn: TurnRecord) -> Iterator[Span]:
    trace, own = _id(16, session.id, _first_caller(session, turn)), _id(8, session.id, "turn", turn.id)
    caller, _, call = (turn.caller or "").partition(":")
    at = turn.started_at
    yield Span(
        name=f"invoke_agent {turn.agent}",
        trace=trace,
        id=own,
        parent=_id(8, session.id, "call", caller, call)
        if call
        else _id(8, session.id, "turn", caller)
        if caller
        else "",
        start=at,
        end=at if turn.finished_at is None else turn.finished_at,
        attributes=_of_turn(session, turn),
        error=turn.error,
    )
    for number, (before, response, record, stored) in enumerate(_responses(turn)):
        chat = Span(
            name=f"chat {response.model_name or turn.model}",
            trace=trace,
            id=_id(8, session.id, "chat", turn.id, str(number)),
            parent=own,
            start=at,
            end=at + record.seconds if record else response.timestamp.timestamp(),
            attributes=_of_request(turn, before, response, record),
            kind=CLIENT,
        )
        calls = list(_calls(session, turn, stored, chat))
        yield from (chat, *calls)
        at = max([chat.start, chat.end, *(call.end for call in calls)])


def _calls(session: Session, turn: TurnRecord, response: dict[str, Any], chat: Span) -> Iterator[Span]:
    """Yield the spans of a response's calls, which begin when it ends."""
    results = {part.get("tool_call_id"): part for part in results_after(turn, response)}
    for call in calls_in(response):
        result = results.get(call["tool_call_id"], {"outcome": "interrupted"})
        outcome = result.get("outcome", "success")
        yield Span(
            name=f"execute_tool {call['tool_name']}",
            trace=chat.trace,
            id=_id(8, session.id, "call", turn.id, call["tool_call_id"]),
            parent=chat.parent,
            start=chat.end,
            end=chat.end + ((result.get("metadata") or {}).get("seconds") or 0.0),
            attributes=_of_call(call, result),
            error=None if outcome == "success" else outcome,
        )


def _first_caller(session: Session, turn: TurnRecord) -> str:
    """Return the id of the turn for which a sub-agent's turn works, perhaps through other sub-agents."""
    while turn.caller:
        turn = session.turn(turn.caller.partition(":")[0])
    return turn.id


def _responses(
    turn: TurnRecord,
) -> Iterator[tuple[list[ModelMessage], ModelResponse, RequestRecord | None, dict[str, Any]]]:
    """Yield each response of a turn with the messages before it, its record, and its stored form."""
    from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelRequest, ModelResponse

    messages = ModelMessagesTypeAdapter.validate_python(turn.messages)
    if turn.system and messages and isinstance(first := messages[0], ModelRequest):
        messages[0] = replace(first, instructions=turn.system)
    for number, (message, (stored, record)) in enumerate(zip(messages, messages_of(turn), strict=True)):
        if isinstance(message, ModelResponse):
            yield messages[:number], message, record, stored


def _of_turn(session: Session, turn: TurnRecord) -> Attributes:
    usage = turn.usage
    return {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": turn.agent,
        "gen_ai.conversation.id": session.id,
        "gen_ai.request.model": turn.model,
        "gen_ai.aggregated_usage.input_tokens": usage.input_tokens,
        "gen_ai.aggregated_usage.output_tokens": usage.output_tokens,
        "operation.cost": usage.cost,
        "sessionmagic.session": session.name,
        "sessionmagic.turn": turn.id,
        "sessionmagic.parent": turn.parent,
        "sessionmagic.summary_up_to": turn.covers,
        "sessionmagic.status": turn.status,
        "sessionmagic.warnings": turn.warnings or None,
    }


def _of_request(
    turn: TurnRecord, before: list[ModelMessage], response: ModelResponse, record: RequestRecord | None
) -> Attributes:
    settings = {f"gen_ai.request.{name}": value for name, value in turn.settings.items() if name in PARAMETERS}
    others = {f"sessionmagic.request.{name}": value for name, value in turn.settings.items() if name not in PARAMETERS}
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": response.provider_name,
        "gen_ai.request.model": turn.model,
        "gen_ai.response.model": response.model_name,
        "gen_ai.response.id": response.provider_response_id,
        "gen_ai.response.finish_reasons": [response.finish_reason] if response.finish_reason else None,
        **settings,
        **others,
        **response.usage.opentelemetry_attributes(),
        **_messages(before, response),
        **(
            {}
            if record is None
            else {
                "gen_ai.usage.input_tokens": record.usage.input_tokens,
                "gen_ai.usage.output_tokens": record.usage.output_tokens,
                "gen_ai.usage.cache_read.input_tokens": record.usage.cached_tokens or None,
                "gen_ai.client.operation.time_to_first_chunk": record.first_token_seconds,
                "operation.cost": record.usage.cost,
            }
        ),
    }


def _messages(before: list[ModelMessage], response: ModelResponse) -> Attributes:
    """Return what pydantic-ai's instrumentation says of a request's messages. It takes the turn's own as the input."""
    from opentelemetry.metrics import NoOpMeterProvider
    from opentelemetry.trace import INVALID_SPAN_CONTEXT, NonRecordingSpan, NoOpTracerProvider
    from pydantic_ai.models.instrumented import InstrumentationSettings

    written: Attributes = {}

    class Recorder(NonRecordingSpan):
        def set_attributes(self, attributes: Mapping[str, Any]) -> None:
            written.update(attributes)

    # With version 6, the results of tools have the role that the conventions give them.
    settings = InstrumentationSettings(
        tracer_provider=NoOpTracerProvider(), meter_provider=NoOpMeterProvider(), version=6
    )
    settings.handle_messages(before, response, Recorder(INVALID_SPAN_CONTEXT))
    return {name: value for name, value in written.items() if name.startswith("gen_ai.")}


def _of_call(call: dict[str, Any], result: dict[str, Any]) -> Attributes:
    content = result.get("content")
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": call["tool_name"],
        "gen_ai.tool.call.id": call["tool_call_id"],
        "gen_ai.tool.call.arguments": json.dumps(json_object(call["args"]), ensure_ascii=False),
        "gen_ai.tool.call.result": content
        if content is None or isinstance(content, str)
        else json.dumps(content, ensure_ascii=False),
    }


def _attributes(values: Attributes) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items() if value is not None]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list() | tuple():
            return {"arrayValue": {"values": [_value(each) for each in value]}}
        case str():
            return {"stringValue": value}
        case _:
            return {"stringValue": json.dumps(value, ensure_ascii=False)}


def _id(length: int, *parts: str) -> str:
    """Return an id of `length` bytes that is the same at each export."""
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()[: 2 * length]


def _nanoseconds(at: float) -> str:
    return str(round(at * 1_000_000) * 1000)
