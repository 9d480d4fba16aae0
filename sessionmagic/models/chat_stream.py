"""A streamed chat completion of an OpenAI-compatible server, mended chunk by chunk.

pydantic-ai 2.68 and the OpenAI SDK 3.57 expect the stream of OpenAI's own API. What comes out of `MendedStream` is one.
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

from httpx2 import HTTPError
from openai import APIConnectionError, APIError
from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import (
    Choice,
    ChoiceDelta,
    ChoiceDeltaToolCall,
    ChoiceDeltaToolCallFunction,
)

from sessionmagic.models.ahead import Ahead
from sessionmagic.models.answer_text import Halves, Reasoned, ReasoningTags
from sessionmagic.models.call_deltas import CallDelta, Calls
from sessionmagic.models.chat_chunks import chunks_of
from sessionmagic.models.error_body import message_in
from sessionmagic.models.joined_chunks import joined
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator

    from openai import AsyncStream

REASONING = "reasoning"
"""A field of a delta in which pydantic-ai looks for reasoning."""
REASONING_ENDS = "reasoning_ends"
"""The field of a delta that says that the text of the response so far was reasoning."""


class MendedStream:
    """The chunks of a response, mended.

    Args:
        response: The response as the SDK reads it.
        tools: The names of the tools that the request offers.
        tags: The tags around reasoning.
        reasoning_fields: The fields of a delta that may hold reasoning.
        model_name: What each chunk is to give as the model's name; None to leave it.
    """

    def __init__(
        self,
        response: AsyncStream[ChatCompletionChunk],
        *,
        tools: Collection[str],
        tags: tuple[str, str],
        reasoning_fields: Collection[str],
        model_name: str | None,
    ) -> None:
        self._response = response
        self._model_name = model_name
        self._calls = Calls(tools)
        self._tags = ReasoningTags(*tags)
        self._tag_texts = tags
        self._halves = Halves()
        self._reasoning = {name: Halves() for name in reasoning_fields}
        self._ready: deque[ChatCompletionChunk] = deque()
        self._ahead: Ahead[ChatCompletionChunk] | None = None
        self._problem: Exception | None = None
        """What is raised after the chunks that are ready."""
        self._last: ChatCompletionChunk | None = None
        self._counted = False
        """Whether usage with tokens has come."""
        self._ended = False

    async def close(self) -> None:
        """Close the connection."""
        if self._ahead is not None:
            await self._ahead.stop()
        await self._response.close()

    def __aiter__(self) -> AsyncIterator[ChatCompletionChunk]:
        return self

    async def __anext__(self) -> ChatCompletionChunk:
        while not self._ready:
            if self._problem is not None:
                raise self._problem
            if self._ended:
                raise StopAsyncIteration
            await self._read()
        return self._ready.popleft()

    async def _read(self) -> None:
        """Read and mend the next chunks, or what is left at the end."""
        if self._ahead is None:
            if (whole := await self._whole_answer()) is not None:
                self._ended = True
                self._ready += [*self._mended(whole), *self._rest()]
                return
            self._ahead = Ahead(chunks_of(self._response.response))
        mended: list[ChatCompletionChunk] = []
        try:
            arrived = await self._ahead.arrived()
            for chunk in arrived:
                mended += self._mended(chunk)
            if not arrived:
                self._ended = True
                mended += self._rest()
        except Exception as error:  # noqa: BLE001  it is raised after the chunks before it
            self._problem = self._worded(error)
        self._ready += joined(mended, self._tag_texts, self._reasoning)

    async def _whole_answer(self) -> ChatCompletionChunk | None:
        """Return the answer of a server that does not stream; None if it streams.

        A body that is not a stream of events has no chunks, so an error in it would be lost.
        """
        response = self._response.response
        kind = response.headers.get("content-type", "")
        if not ("json" in kind or "html" in kind or "content-length" in response.headers):
            return None
        try:
            await response.aread()  # it can still be read as a stream afterwards
        except HTTPError as error:
            raise APIConnectionError(request=response.request) from error
        body = response.text.strip()
        if body.startswith(("data:", "event:", "id:", "retry:", ":")):
            return None
        if "html" in kind or not body:
            what = "a web page" if body else "nothing"
            raise self._error(f"the server answered with {what} instead of a chat completion; check its base URL", body)
        try:
            answer = json.loads(body)
            message = answer["choices"][0].pop("message")
            for index, call in enumerate(message.get("tool_calls") or ()):
                call["index"] = index
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            words = message_in(_json_or_none(body)) or shortened(f"the server did not answer as expected: {body}")
            raise self._error(words, _json_or_none(body)) from error
        answer["choices"][0]["delta"] = message
        return ChatCompletionChunk.construct(**answer)

    def _worded(self, error: Exception) -> Exception:
        """Return an error with the words in its body, of which the SDK finds only some."""
        if type(error) is not APIError or not (words := message_in(error.body)):
            return error
        worded = self._error(words, error.body)
        worded.__cause__ = error
        return worded

    def _error(self, words: str, body: object) -> APIError:
        inner = body.get("error", body) if isinstance(body, dict) else body
        described = inner if isinstance(inner, dict) and "message" in inner else {"message": words}
        return APIError(words, self._response.response.request, body=described)

    def _mended(self, chunk: ChatCompletionChunk) -> Iterator[ChatCompletionChunk]:
        """Return the chunks to read in place of one. Raises the error that it reports."""
        if [*map(type, chunk.choices or ())] != [Choice]:
            chunk.choices = [choice for choice in chunk.choices or () if isinstance(choice, Choice)]
        self._raise_reported_error(chunk)
        if chunk.usage is not None:
            chunk.usage = self._checked_usage(chunk.usage)
        if self._model_name is not None and chunk.model != self._model_name:
            chunk.model = self._model_name
        self._last = chunk
        delta = chunk.choices[0].delta if chunk.choices else None
        if delta is None:
            yield chunk
            return
        self._mend_content(delta)
        for name in self._reasoning.keys() & delta.model_extra.keys() if delta.model_extra else ():
            setattr(delta, name, self._reasoning[name].join(text_of(getattr(delta, name))) or None)
        pieces = list(self._tags.split(self._halves.join(delta.content))) if isinstance(delta.content, str) else []
        if delta.tool_calls:
            self._calls.begin_chunk()
            calls = [call for call in delta.tool_calls if isinstance(call, ChoiceDeltaToolCall)]
            delta.tool_calls = list(filter(None, map(self._mended_call, calls)))
            pieces += self._tags.rest() if self._tags.holds_text else ()
        if pieces != [delta.content]:
            last = pieces.pop() if isinstance(delta.content, str) and pieces and isinstance(pieces[-1], str) else None
            delta.content = last if isinstance(last, str) else None
            yield from (_with_piece(chunk, piece) for piece in pieces)
        yield chunk

    def _rest(self) -> Iterator[ChatCompletionChunk]:
        """Return chunks with what was held back until the end. Raises an error if there were no others."""
        if self._last is None:
            raise self._error("the answer was empty; ask again, or choose another model", None)
        for piece in (*self._tags.split(self._halves.rest()), *self._tags.rest()):
            yield _with_piece(self._last, piece)
        for name, halves in self._reasoning.items():
            if rest := halves.rest():
                yield _with_delta(self._last, _delta(**{name: rest}))
        if calls := [_call_delta(call) for call in self._calls.rest()]:
            yield _with_delta(self._last, _delta(tool_calls=calls))

    def _raise_reported_error(self, chunk: ChatCompletionChunk) -> None:
        """Raise an error that a chunk reports. The SDK finds only those in a field ``error`` of the chunk itself."""
        fields = chunk.model_extra or {}
        choice = chunk.choices[0] if chunk.choices else None
        reported = (choice.model_extra or {}).get("error") if choice is not None else None
        if reported or getattr(choice, "finish_reason", None) == "error":
            words = message_in(reported) or message_in(fields)
            raise self._error(words or "the provider ended the answer with an error", reported)
        if choice is None and chunk.usage is None and (words := message_in(fields)):
            raise self._error(words, fields)

    def _checked_usage(self, usage: Any) -> Any:
        """Return the usage that a chunk reports, or None if it reports none or has lost its counts."""
        counts = [getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens")]
        if not all(isinstance(count, int) for count in counts):
            return None
        if not any(counts) and self._counted:
            return None
        self._counted = self._counted or any(counts)
        if not isinstance(usage.total_tokens, int):
            usage.total_tokens = sum(counts)
        return usage

    def _mend_content(self, delta: ChoiceDelta) -> None:
        """Make text of content that comes as a list of parts; parts with reasoning become reasoning."""
        parts: Any = delta.content
        if not isinstance(parts, list):
            return
        kinds = {part.get("type") if isinstance(part, dict) else "text" for part in parts}
        if kinds <= {"text", "thinking"}:
            thought = [part for part in parts if isinstance(part, dict) and part.get("type") == "thinking"]
            delta.content = text_of([part for part in parts if part not in thought])
            if thought:
                setattr(delta, REASONING, text_of(thought))

    def _mended_call(self, call: ChoiceDeltaToolCall) -> ChoiceDeltaToolCall | None:
        function = call.function
        arguments: Any = function.arguments if function is not None else None
        piece = arguments if isinstance(arguments, str) else "" if arguments is None else json.dumps(arguments)
        index: Any = getattr(call, "index", None)
        call_id: Any = call.id
        name: Any = function.name if function is not None else None
        found = self._calls.add(
            index if isinstance(index, int) else None,
            str(call_id) if call_id not in (None, "") else None,  # some servers count their calls
            name if name and isinstance(name, str) else None,
            piece,
        )
        if found is None:
            return None
        call.index, call.id = found.number, found.id
        call.function = ChoiceDeltaToolCallFunction(name=found.name, arguments=found.arguments)
        return call


def text_of(value: Any) -> str:
    """Return the text in a field that should be text."""
    match value:
        case str():
            return value
        case {"text": inner} | {"thinking": inner} | {"content": inner} | {"summary": inner}:
            return text_of(inner)
        case [*parts]:
            return "".join(map(text_of, parts))
        case _:
            return ""


def _json_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _call_delta(call: CallDelta) -> ChoiceDeltaToolCall:
    function = ChoiceDeltaToolCallFunction(arguments=call.arguments)
    return ChoiceDeltaToolCall(index=call.number, function=function)


def _delta(**fields: Any) -> ChoiceDelta:
    return ChoiceDelta(**fields)


def _with_piece(chunk: ChatCompletionChunk, piece: str | Reasoned) -> ChatCompletionChunk:
    if isinstance(piece, Reasoned):
        return _with_delta(chunk, _delta(**{REASONING_ENDS: True}))
    return _with_delta(chunk, _delta(content=piece))


def _with_delta(chunk: ChatCompletionChunk, delta: ChoiceDelta) -> ChatCompletionChunk:
    """Return a copy of a chunk that has this delta and nothing else."""
    choice = Choice(index=0, delta=delta)
    return chunk.model_copy(update={"choices": [choice], "usage": None})
