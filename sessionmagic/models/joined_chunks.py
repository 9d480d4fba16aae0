"""Join the chunks of a chat completion that have arrived together.

pydantic-ai 2.68 takes a quarter of a millisecond for each event, in which it gives way to other tasks eight times. When
many turns run, or the server is fast, more pieces of text have arrived by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from openai.types.chat import ChatCompletionChunk

CONTENT = "content"


def joined(
    chunks: Iterable[ChatCompletionChunk], tags: Collection[str], reasoning_fields: Collection[str]
) -> list[ChatCompletionChunk]:
    """Return chunks with adjacent pieces of text, or of reasoning, joined into one.

    Args:
        chunks: The chunks. Those that are joined are changed.
        tags: The texts that mean something as a piece by itself. They stay such pieces, and no others become them.
        reasoning_fields: The fields of a delta that may hold reasoning.
    """
    found: list[ChatCompletionChunk] = []
    field = said = ""
    for chunk in chunks:
        name, text = _only_text(chunk, reasoning_fields)
        may_join = name != "" and name == field and _source(chunk) == _source(found[-1])
        if may_join and not {said, text, said + text}.intersection(tags):
            said += text
            setattr(found[-1].choices[0].delta, field, said)
        else:
            found.append(chunk)
            field, said = name, text
    return found


def _only_text(chunk: ChatCompletionChunk, reasoning_fields: Collection[str]) -> tuple[str, str]:
    """Return the field and the text of a chunk that brings text or reasoning and nothing else; else two empty texts."""
    choice = chunk.choices[0] if len(chunk.choices) == 1 else None
    delta: Any = choice.delta if choice is not None else None
    if choice is None or delta is None or chunk.usage is not None or chunk.moderation is not None:
        return "", ""
    if choice.finish_reason or choice.logprobs or (choice.model_extra and any(choice.model_extra.values())):
        return "", ""
    if delta.refusal or delta.tool_calls or delta.function_call:
        return "", ""
    said = {name: value for name, value in (delta.model_extra or {}).items() if value}
    if delta.content or not said:
        said[CONTENT] = delta.content
    ((name, text), *others) = said.items()
    is_text = isinstance(text, str) and (name == CONTENT or name in reasoning_fields)
    return (name, text) if is_text and not others else ("", "")


def _source(chunk: ChatCompletionChunk) -> tuple[object, ...]:
    """Return what a chunk tells about the whole response."""
    return chunk.id, chunk.model, chunk.service_tier, chunk.model_extra
