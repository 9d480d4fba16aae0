"""The tool calls of a streamed answer: which deltas belong to one call, and what each adds to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_core import from_json

from sessionmagic.models.answer_text import Halves

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


class Arguments:
    """Joins the JSON of one call's arguments, whose pieces may also be the whole JSON so far.

    Some servers send with each piece all that came before, and some send the whole once more at the end.
    """

    def __init__(self) -> None:
        self.text = ""
        """What was returned so far."""
        self._held: list[str] = []
        """Pieces that may repeat what came before or continue it; a later piece shows which."""
        self._cumulative = False
        self._placeholder = ""
        """An empty object that came first; some servers send one before the arguments."""

    @property
    def complete(self) -> bool:
        """Whether the arguments are a whole JSON object."""
        return _is_object(self.text or self._placeholder)

    def join(self, piece: str) -> str:
        """Return what a piece adds to the arguments."""
        if not piece:
            return ""
        if not self.text and piece.strip() == "{}":
            self._placeholder = piece
            return ""
        if self._cumulative and piece.startswith(self.text):
            piece = piece[len(self.text) :]
        elif self._held or (self.text and piece.startswith(self.text)):
            piece = self._decided(piece)
        elif piece.lstrip().startswith("{") and self.complete and _is_object(piece):
            return ""  # the whole once more, with other blanks
        self.text += piece
        return piece

    def rest(self) -> str:
        """Return what is left at the end of the stream."""
        added = "".join(self._held) if self.text else self._placeholder
        if self._held and not _is_object(self.text + added) and _is_object(self._held[-1]):
            added = self._held[-1][len(self.text) :]
        self._held, self._placeholder = [], ""
        self.text += added
        return added

    def _decided(self, piece: str) -> str:
        """Return what the held pieces and this one add, or nothing while they can still be read in both ways."""
        latest = self._held[-1] if self._held else self.text
        held = "".join(self._held)
        joined = held + piece
        repeats, continues = piece.startswith(latest), _may_be_json(self.text + joined)
        if repeats and continues:
            self._held.append(piece)
            return ""
        self._held = []
        if not repeats and _is_object(self.text + held) and _is_object(piece):
            return held  # the piece is the whole once more
        self._cumulative = repeats
        return piece[len(self.text) :] if repeats else joined


def _may_be_json(text: str) -> bool:
    """Return whether the text is a JSON value or the beginning of one.

    `allow_partial` would not tell: it also accepts a text that goes wrong behind a member of an object or a list
    (pydantic-core 2.50).
    """
    try:
        from_json(text)
    except ValueError as error:
        return str(error).startswith("EOF")
    return True


def _is_object(text: str) -> bool:
    if not text.rstrip().endswith("}"):  # most pieces end elsewhere, and reading the whole for each would be slow
        return False
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


@dataclass(slots=True)
class OpenCall:
    """A call that the model is writing."""

    number: int
    """Its place among the calls of the response."""
    id: str | None
    name: str
    arguments: Arguments
    halves: Halves
    chunk: int
    """The number of the chunk that began it."""
    early: str = ""
    """Arguments that came before the name."""


@dataclass(frozen=True, slots=True)
class CallDelta:
    """What a delta adds to a call; empty or None where it adds nothing."""

    number: int
    id: str | None
    name: str | None
    arguments: str


class Calls:
    """Tells the calls of a response apart, and what each delta adds to its call.

    An index may be missing or given to several calls, an id may be missing, repeated or new in each delta, and a name
    may stand in each delta.

    Args:
        tools: The names of the tools that are offered.
    """

    def __init__(self, tools: Collection[str]) -> None:
        self._tools = tools
        self._calls: list[OpenCall] = []
        self._by_index: dict[int, OpenCall] = {}
        self._chunk = 0

    def begin_chunk(self) -> None:
        """Count a chunk: deltas of one chunk never repeat each other."""
        self._chunk += 1

    def add(self, index: int | None, call_id: str | None, name: str | None, piece: str) -> CallDelta | None:
        """Return what a delta adds to the call that it belongs to, which may be a new one.

        Until its name comes, a call is held back: pydantic-ai 2.68 fails when text follows a call without a name.
        """
        call = self._call_of(index, call_id)
        if call is None or self._begins_another(call, index, call_id, name, piece):
            call = OpenCall(len(self._calls), call_id, name or "", Arguments(), Halves(), self._chunk)
            self._calls.append(call)
            new_id, new_name = call_id, name
        else:
            new_id, new_name = self._news(call, call_id, name)
        if index is not None:
            self._by_index[index] = call
        arguments = call.arguments.join(call.halves.join(piece))
        if not call.name:
            call.early += arguments
            return None
        if call.name == new_name:
            new_id, arguments, call.early = call.id, call.early + arguments, ""
        return CallDelta(call.number, new_id, new_name, arguments)

    def rest(self) -> Iterable[CallDelta]:
        """Return what is left of the calls at the end of the stream."""
        for call in self._calls:
            if call.name and (added := call.arguments.join(call.halves.rest()) + call.arguments.rest()):
                yield CallDelta(call.number, None, None, added)

    def _call_of(self, index: int | None, call_id: str | None) -> OpenCall | None:
        if index is not None:
            return self._by_index.get(index)
        same = [call for call in self._calls if call_id and call.id == call_id] or self._calls
        return same[-1] if same else None

    def _begins_another(
        self, call: OpenCall, index: int | None, call_id: str | None, name: str | None, piece: str
    ) -> bool:
        """Return whether a delta that may belong to a call begins another one."""
        if not name or not call.name:
            return False
        if name != call.name and not self._is_name(call, name):
            return True
        if name != call.name:
            return False  # a further piece of the name
        if call_id and call.id and call_id != call.id:
            return call.arguments.complete or (index is None and piece.lstrip().startswith("{"))
        if call_id and call_id == call.id and index is not None:
            return False
        if not call.arguments.complete:
            return False
        if index is None and call.chunk == self._chunk:
            return True
        return not self._repeats(call, piece)

    def _repeats(self, call: OpenCall, piece: str) -> bool:
        """Return whether the piece has nothing new, or the whole arguments once more."""
        if not piece.strip():
            return True
        try:
            return bool(json.loads(piece) == json.loads(call.arguments.text or "{}"))
        except (ValueError, RecursionError):
            return True

    def _is_name(self, call: OpenCall, piece: str) -> bool:
        """Return whether the piece continues the call's name, which then is the name of a tool or its beginning."""
        begun = not call.arguments.text and not call.arguments.complete
        return begun and any(tool.startswith(call.name + piece) for tool in self._tools)

    def _news(self, call: OpenCall, call_id: str | None, name: str | None) -> tuple[str | None, str | None]:
        """Return the id and the piece of the name that a delta adds to a call."""
        new_id = call_id if call.id is None and not call.name else None
        new_name = name if name and name != call.name else None
        if new_id:
            call.id = new_id
        call.name += new_name or ""
        return new_id, new_name
