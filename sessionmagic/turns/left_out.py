"""What a turn leaves out of what it sends, stores and shows: keys and passwords. The user is told once of each."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.events import (
    ApprovalRequested,
    HistoryCompacted,
    InputProvided,
    InputRequested,
    MessageInjected,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    ToolPrinted,
    ToolReturned,
    TurnFinished,
    TurnStarted,
    ValueDelta,
    ValueGiven,
    Warned,
)
from sessionmagic.keys.cleaning import without_keys_in
from sessionmagic.keys.known import KNOWN
from sessionmagic.keys.streaming import StreamedText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionmagic.keys.cleaning import Note

    Content = tuple[type[Any], str, dict[str, Any]]
    """An event that has no number yet: its class, its agent and its other fields."""

_PLACES = {
    TurnStarted: "prompt",
    TextDelta: "answer",
    ReasoningDelta: "reasoning",
    ValueDelta: "answer",
    ValueGiven: "answer",
    MessageInjected: "message",
    HistoryCompacted: "summary",
    InputRequested: "question",
    InputProvided: "question",
    Warned: "warning",
    TurnFinished: "error",
}
_EXACT = {
    *("call_id", "attempt", "approval_id", "question_id", "session", "tool"),
    *("type", "status", "model", "usage", "compaction", "failed", "fallback"),
}
"""The fields of events that are names and ids."""


class LeftOut:
    """Collects what a turn leaves out, and words the warning about it. Thread-safe.

    Args:
        sends_keys: Whether the user has said that keys are meant to be sent.
    """

    def __init__(self, *, sends_keys: bool = False) -> None:
        self.sends_keys = sends_keys
        self._lock = threading.Lock()
        self._told: set[tuple[str, str]] = set()
        self._new: list[tuple[str, str]] = []

    def noting(self, place: str) -> Note:
        """Return the function that notes what was left out in a place, such as "prompt"."""

        def note(kind: str) -> None:
            with self._lock:
                if (kind, place) not in self._told:
                    self._told.add((kind, place))
                    self._new.append((kind, place))

        return note

    def warning(self) -> str:
        """Return the warning about what was left out since the last one; ``""`` if that is nothing."""
        with self._lock:
            new, self._new = self._new, []
        if not new:
            return ""
        what = ", ".join(f"{kind} ({place})" for kind, place in new)
        if self.sends_keys:
            return f"sent because of --send-keys, but not stored or shown: {what}"
        return f"left out of what is sent, stored and shown: {what}; if the model needs it, use --send-keys"


class ShownEvents:
    """The events of a turn without keys, as they are shown. A key may be split over several deltas.

    Args:
        left_out: Collects what is left out.
    """

    def __init__(self, left_out: LeftOut) -> None:
        self._left_out = left_out
        self._stream: tuple[Content, StreamedText] | None = None
        """The text that comes in, with the latest event of it."""

    def of(self, kind: type[Any], agent: str, content: dict[str, Any]) -> Iterator[Content]:
        """Yield an event in the form in which it is shown, after what was held back before it."""
        KNOWN.look()
        note = self._left_out.noting(place_of(kind, content))
        if kind in (TextDelta, ReasoningDelta, ValueDelta, ToolCallDelta, ToolPrinted):
            yield from self._delta(kind, agent, content, note)
            return
        yield from self._rest()
        # An approval shows the call as it will run, because nothing may hide in what is approved.
        shown = content if kind is ApprovalRequested else _shown(content, note)
        warning = self._left_out.warning()
        if warning and kind is TurnFinished:
            yield Warned, agent, {"text": warning}
        yield kind, agent, shown
        if warning and kind is not TurnFinished:
            yield Warned, agent, {"text": warning}

    def _delta(self, kind: type[Any], agent: str, content: dict[str, Any], note: Note) -> Iterator[Content]:
        if self._stream is None or _stream_of(*self._stream[0]) != _stream_of(kind, agent, content):
            yield from self._rest()
        streamed = self._stream[1] if self._stream else StreamedText()
        if content.get("takes_text"):
            yield kind, agent, content
            return
        self._stream = ((kind, agent, content), streamed)
        text = streamed.add(content["text"], note)
        if text or not content["text"]:
            yield kind, agent, {**content, "text": text}

    def _rest(self) -> Iterator[Content]:
        """Yield what was held back of the text that came in, which has ended."""
        if self._stream is None:
            return
        (kind, agent, content), streamed = self._stream
        self._stream = None
        if text := streamed.end(self._left_out.noting(place_of(kind, content))):
            yield kind, agent, {**content, "text": text}


def _stream_of(kind: type[Any], _agent: str, content: dict[str, Any]) -> object:
    """Return what tells the text that a delta belongs to from other texts."""
    return kind, content.get("call_id"), content.get("attempt"), content.get("response")


def _shown(content: dict[str, Any], note: Note) -> dict[str, Any]:
    return {
        name: value if name in _EXACT or not value else without_keys_in(value, note, look=False)
        for name, value in content.items()
    }


def place_of(kind: type[Any], content: dict[str, Any]) -> str:
    """Return where the content of an event stands, in the words of a warning."""
    if kind in (ToolCalled, ToolCallDelta):
        return f"arguments of {content['tool']}"
    if kind in (ToolPrinted, ToolReturned):
        return f"result of {content['tool']}"
    return _PLACES.get(kind, "warning")
