"""A session as a line of JSON with the messages of OpenAI's chat completions, as for fine-tuning."""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.transcript import json_object
from sessionmagic.sessions.formats.contents import file_note, is_file, is_image, items_of
from sessionmagic.sessions.formats.requests import calls_in, text_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sessionmagic.conversation.session import Session, TurnRecord
    from sessionmagic.sessions.formats.contents import Content

HOLDS: frozenset[Content] = frozenset({"texts", "images", "files", "calls", "instructions"})
NO_RESULT = "interrupted"
"""The result of a call that has none: OpenAI refuses calls without results."""


def to_openai_chat(session: Session) -> str:
    """Return the path to the head of a session as one line of JSON."""
    system = ""
    messages: list[dict[str, Any]] = []
    for turn in session.path():
        if turn.kind == "compaction":  # nobody has asked it in this conversation
            continue
        if turn.system and turn.system != system:
            messages.append({"role": "system", "content": turn.system})
        system = turn.system
        messages += _messages(turn)
    return json.dumps({"messages": messages}, ensure_ascii=False).encode(errors="replace").decode() + "\n"


def _messages(turn: TurnRecord) -> Iterator[dict[str, Any]]:
    for message, following in zip_longest(turn.messages, turn.messages[1:]):
        parts = message["parts"]
        if message["kind"] == "request":
            yield from ({"role": "user", "content": _content(part["content"])} for part in _of(parts, "user-prompt"))
            continue
        text, calls = text_in(message, "text"), calls_in(message)
        if text or calls:
            yield {
                "role": "assistant",
                "content": text or None,
                **({"tool_calls": [_call(call) for call in calls]} if calls else {}),
            }
        results = {
            part["tool_call_id"]: part["content"] for part in _of((following or {"parts": ()})["parts"], "tool-return")
        }
        for call in calls:
            result = results.get(call["tool_call_id"], NO_RESULT)
            content = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
            yield {"role": "tool", "tool_call_id": call["tool_call_id"], "content": content}


def _of(parts: Iterable[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [part for part in parts if part["part_kind"] == kind]


def _call(call: dict[str, Any]) -> dict[str, Any]:
    arguments = json.dumps(json_object(call["args"]), ensure_ascii=False)
    function = {"name": call["tool_name"], "arguments": arguments}
    return {"id": call["tool_call_id"], "type": "function", "function": function}


def _content(content: Any) -> str | list[dict[str, Any]]:
    return content if isinstance(content, str) else [_part(item) for item in items_of(content)]


def _part(item: str | dict[str, Any]) -> dict[str, Any]:
    if isinstance(item, str) or not is_file(item):
        return {"type": "text", "text": item if isinstance(item, str) else file_note(item)}
    address = f"data:{item['media_type']};base64,{item['data']}"
    if is_image(item):
        return {"type": "image_url", "image_url": {"url": address}}
    name = f"file.{item['media_type'].rpartition('/')[2]}"
    return {"type": "file", "file": {"filename": name, "file_data": address}}
