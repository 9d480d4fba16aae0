"""Stored messages that somebody else may have written, as a session's file can be shared.

What our own code never stores is left out when the messages become the history of a turn: instructions that pose as
ours, and references to files that the kernel or the provider would fetch. What pydantic-ai cannot read is an error that
names the turn. All functions are pure and take the JSON form; what is stored stays as it was.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_ai.messages import ModelMessagesTypeAdapter

from sessionmagic.words import counted, printable, shortened

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from sessionmagic.turns.messages import Messages

DEPTH = 250
"""Levels of lists and objects in a message. The store can write no deeper ones."""
PROBLEM = 200
"""Characters of a problem."""
_SYSTEM_PARTS = {
    "system-prompt",
    "instruction",
    "instruction-delta",
    "instruction-baseline",
    "instruction-digest",
    "model-settings-delta",
    "tool-availability-delta",
    "capability-load-delta",
    "compaction",
}
"""The parts of requests with which an application instructs the model. Our own instructions belong to the turn."""
_REFERENCES = {"image-url", "audio-url", "video-url", "document-url", "uploaded-file"}
"""The kinds of content that is fetched when it is sent. We store the content itself."""
_NO_STATE = {"instructions": None, "metadata": None, "workspace_ref": None}
"""The fields of messages that act on a later run, with what they mean for a history."""


@dataclass
class LeftOut:
    """How many parts were left out, by what they are."""

    counts: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return " and ".join(counted(count, what) for what, count in self.counts.items())


def without_foreign_parts(stored: Messages, left_out: LeftOut) -> Messages:
    """Return stored messages without what our own code never stores, and count in `left_out` what that is.

    The instructions of a request are removed without a note: each turn has its own.

    Args:
        stored: Messages without a problem that `problem_with` finds.
        left_out: Where the parts are counted.
    """
    cleaned = (_cleaned(message, left_out) for message in stored)
    return [message for message in cleaned if message["parts"] or message["kind"] != "request"]


def problem_with(stored: Messages) -> str | None:
    """Return why these messages cannot be a history, in one line; None if they can."""
    if any(_is_deeper(message, DEPTH) for message in stored):
        return f"it has a message of more than {DEPTH} levels"
    try:
        ModelMessagesTypeAdapter.validate_python(stored)
    except ValidationError as error:
        return shortened(printable(" ".join(_words_of(error.errors(include_url=False)[0]).split())), PROBLEM)
    return None


def _words_of(problem: ErrorDetails) -> str:
    match problem["type"]:
        case "union_tag_invalid":
            return f"it has a part of the unknown kind {problem['ctx']['tag']!r}"
        case "union_tag_not_found":
            return "it has a part without a kind"
        case _:
            return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"


def _cleaned(message: dict[str, Any], left_out: LeftOut) -> dict[str, Any]:
    parts = message["parts"]
    if message["kind"] == "request":
        system = [part for part in parts if part["part_kind"] in _SYSTEM_PARTS]
        left_out.counts.update({"system message": len(system)} if system else {})
        parts = [part for part in parts if part["part_kind"] not in _SYSTEM_PARTS]
    cleaned = [_without_references(part, left_out) for part in parts]
    state = {name: value for name, value in _NO_STATE.items() if message.get(name) is not None}
    return {**message, **state, "parts": [part for part in cleaned if part is not None]}


def _without_references(part: dict[str, Any], left_out: LeftOut) -> dict[str, Any] | None:
    """Return a part without references to files, or None if it is a prompt that has nothing else."""
    content = part.get("content")
    if not isinstance(content, dict | list):
        return part
    before = left_out.counts.total()
    kept = _kept([content], left_out)
    if left_out.counts.total() == before:
        return part
    if part["part_kind"] == "user-prompt":
        return {**part, "content": kept[0]} if kept[0] else None
    return {**part, "content": kept[0] if kept else ""}  # a call needs its result


def _kept(items: list[Any], left_out: LeftOut) -> list[Any]:
    """Return the items without references to files, at any depth."""
    kept: list[Any] = []
    for item in items:
        if isinstance(item, dict) and item.get("kind") in _REFERENCES:
            left_out.counts["linked file"] += 1
        elif isinstance(item, dict):
            kept.append({name: each for name, value in item.items() for each in _kept([value], left_out)})
        elif isinstance(item, list):
            kept.append(_kept(item, left_out))
        else:
            kept.append(item)
    return kept


def _is_deeper(value: object, levels: int) -> bool:
    """Return whether a value has more levels of lists and objects. It is walked level by level, without recursion."""
    level = [value]
    for _ in range(levels + 1):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
