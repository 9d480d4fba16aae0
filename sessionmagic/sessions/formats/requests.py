"""Which request record belongs to which response of a turn."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionmagic.conversation.session import TurnRecord
    from sessionmagic.conversation.usage import RequestRecord


def messages_of(turn: TurnRecord) -> Iterator[tuple[dict[str, Any], RequestRecord | None]]:
    """Yield each message of a turn, a response with the record of its request.

    A request that no model answered has a record without a model, and no response.
    """
    answered = iter([record for record in turn.requests if record.model is not None])
    for message in turn.messages:
        yield message, next(answered, None) if message["kind"] == "response" else None


def results_after(turn: TurnRecord, response: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parts of the request that follows a response if it has the results of its calls, or none."""
    for message, following in zip_longest(turn.messages, turn.messages[1:]):
        if message is response and following is not None and following["kind"] == "request":
            parts: list[dict[str, Any]] = following["parts"]
            return parts if any(part["part_kind"] == "tool-return" for part in parts) else []
    return []


def text_in(response: dict[str, Any], kind: str) -> str:
    """Return the texts of a response, or its reasoning, with blank lines between them."""
    parts = (part["content"] for part in response["parts"] if part["part_kind"] == kind)
    return "\n\n".join(part for part in parts if part)


def calls_in(response: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tool calls of a response."""
    return [part for part in response["parts"] if part["part_kind"] == "tool-call"]


def iso(at: float) -> str:
    """Return a time in seconds since the epoch in ISO 8601, in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
