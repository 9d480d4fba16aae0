"""The ids and names of calls in the copy of the messages that goes to a model; see `turns.sent`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic_ai.messages import (
    INTERRUPTED_TOOL_RETURN_CONTENT,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    ToolCallPart,
    ToolReturnPart,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sessionmagic.turns.destination import Destination

INTERRUPTED = "[interrupted]"
"""Stands below what an interrupted call had printed."""
_OWN_ID = re.compile(r"[a-zA-Z0-9_-]{1,40}")
"""Ids of calls that every provider takes back if it has made them."""
_ANY_ID = re.compile(r"[a-zA-Z0-9]{9}")
"""Ids of calls that every provider takes. Mistral's models want exactly nine letters and digits."""
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SIGNED_ID = "__thought__"
"""LiteLLM hides Gemini's signature behind this mark in the id of a call, and needs the whole id back."""


def with_fitting_ids(
    messages: Sequence[ModelMessage], to: Destination, used: Collection[str] = ()
) -> list[ModelMessage]:
    """Return the messages with ids and names of calls that the provider takes, alike in calls and results.

    Args:
        messages: The messages.
        to: Where they are sent.
        used: The ids of the calls in messages before these.
    """
    ids = CallIds(to, set(used))
    return [ids.fitted(each) if isinstance(each, ModelResponse) else ids.answering(each) for each in messages]


_Names: TypeAlias = dict[str, Any]
"""The id and the name of a call, as fields of its part and of its result's part."""


@dataclass(slots=True)
class CallIds:
    """The ids of calls in the copy. Each is used once; the ids of earlier calls do not depend on later ones."""

    to: Destination
    used: set[str] = field(default_factory=set)
    calls: list[tuple[str, _Names]] = field(default_factory=list)
    """The calls of the latest response: the id under which each is stored, and the id and name that are sent."""

    def fitted(self, response: ModelResponse) -> ModelResponse:
        """Return a response with ids and names of calls that the provider takes."""
        self.calls = []
        if not any(isinstance(part, ToolCallPart) for part in response.parts):
            return response
        own = self.to.made(response) and self.to.takes_ids(response)
        parts: list[ModelResponsePart] = []
        for part in response.parts:
            if isinstance(part, ToolCallPart):
                names: _Names = {"tool_call_id": self._fitting(part.tool_call_id, own=own), "tool_name": _name(part)}
                self.calls.append((part.tool_call_id, names))
                parts.append(replace(part, **names))
            else:
                parts.append(part)
        return replace(response, parts=parts)

    def answering(self, request: ModelRequest) -> ModelRequest:
        """Return a request whose results have the ids and names of the latest response's calls."""
        calls = dict(self.calls)
        if not calls:
            return request
        parts = [
            replace(part, **calls.get(part.tool_call_id, {})) if isinstance(part, ToolReturnPart) else part
            for part in request.parts
        ]
        return replace(request, parts=parts)

    def results(self, request: ModelRequest, response: ModelResponse | None) -> list[ModelRequestPart]:
        """Return one result for each call of the response before a request, in the order of the calls."""
        if response is None or not self.calls:
            return []
        found = [part for part in request.parts if isinstance(part, ToolReturnPart)]
        results: list[ModelRequestPart] = []
        for stored_id, names in self.calls:
            result = next((part for part in found if part.tool_call_id == stored_id), None)
            if result is None:
                result = ToolReturnPart(
                    "", INTERRUPTED_TOOL_RETURN_CONTENT, outcome="interrupted", timestamp=response.timestamp
                )
            else:
                found.remove(result)
            results.append(replace(_noted(result), **names))
        return results

    def _fitting(self, call_id: str, *, own: bool) -> str:
        fits = (_OWN_ID if own else _ANY_ID).fullmatch(call_id) or (own and _SIGNED_ID in call_id)
        new, tries = (call_id, 0) if fits else (_short(call_id), 0)
        while new in self.used:
            tries += 1
            new = _short(f"{call_id}#{tries}")
        self.used.add(new)
        return new


def _noted(result: ToolReturnPart) -> ToolReturnPart:
    """Return a result with a note if it is only what an interrupted call had printed."""
    content = result.content
    if result.outcome != "interrupted" or content == INTERRUPTED_TOOL_RETURN_CONTENT:
        return result
    return replace(result, content=f"{content}\n{INTERRUPTED}")


def _short(text: str) -> str:
    """Return nine letters and digits that depend on the text alone."""
    number = int.from_bytes(sha256(text.encode(errors="replace")).digest()[:8])
    digits = ""
    for _ in range(9):
        number, digit = divmod(number, len(_DIGITS))
        digits += _DIGITS[digit]
    return digits


def _name(call: ToolCallPart) -> str:
    """Return the call's tool name. Models also invent names, which are stored as they were written."""
    if _NAME.fullmatch(call.tool_name):
        return call.tool_name
    return re.sub(r"[^a-zA-Z0-9_-]", "_", call.tool_name)[:64] or "_"
