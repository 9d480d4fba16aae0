"""The response that a model is giving, stored every few seconds in case the process ends before the response does."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from pydantic_ai.messages import (
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
)

from sessionmagic.turns.messages import to_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from pydantic_ai.messages import ModelMessage
    from pydantic_ai.models import Model

    from sessionmagic.conversation.usage import RequestRecord
    from sessionmagic.turns.messages import Messages

    Persist = Callable[[Messages, list[RequestRecord]], Awaitable[None]]

PAUSE_SECONDS = 3.0
"""Minimum pause between two writes of an unfinished response."""
PAUSE_PER_SECOND = 20.0
"""Minimum pause for each second that such a write takes, as a write costs what the session costs."""


class PartialResponse:
    """Stores the messages of a run: each boundary at once, and the text of an unfinished response now and then.

    An unfinished response is stored with the state ``"interrupted"``. The next boundary replaces it.

    Args:
        persist: Stores the messages of the turn and the records of its model requests.
        prompt: The messages that are stored already.
    """

    def __init__(self, persist: Persist, prompt: Messages) -> None:
        self._persist = persist
        self._messages = prompt
        self._records: list[RequestRecord] = []
        self._parts: dict[int, tuple[type[TextPart | ThinkingPart], list[str]]] = {}
        """The kind and the pieces of each text, by its index in the response."""
        self._changed = False
        self._ended = False
        self._writing = asyncio.Lock()
        """Keeps an older state from being written after a newer one."""

    def hear(self, event: PartStartEvent | PartDeltaEvent) -> None:
        """Take in a piece of the response. Calls are left out, because half of their arguments is of no use."""
        match event:
            case PartStartEvent(index=index, part=TextPart() | ThinkingPart() as part):
                if index == 0:  # a new response
                    self._parts.clear()
                self._parts[index] = (type(part), [part.content])
                self._changed = True
            case PartStartEvent(index=index):
                self._parts.pop(index, None)
            case (
                PartDeltaEvent(index=index, delta=TextPartDelta(content_delta=text))
                | PartDeltaEvent(index=index, delta=ThinkingPartDelta(content_delta=str(text)))
            ) if index in self._parts:
                self._parts[index][1].append(text)
                self._changed = True
            case _:
                pass

    async def store(self, messages: Messages, records: list[RequestRecord]) -> None:
        """Store the messages at a boundary. What a complete response contains is no longer partial."""
        async with self._writing:
            if _responses(messages) > _responses(self._messages):
                self._parts.clear()
                self._changed = False
            self._messages, self._records = messages, records
            await self._persist(messages, records)

    def missing_from(self, messages: Sequence[ModelMessage], model: Model) -> list[ModelMessage]:
        """Return the response of the model that was heard but is not among the messages of the run.

        With fallbacks, pydantic-ai loses the first piece of a response if the loop closes when it is passed on.
        """
        heard = self._texts()
        responses = sum(isinstance(message, ModelResponse) for message in messages)
        if not heard or responses > _responses(self._messages):
            return []
        provider = model.provider.name if model.provider is not None else None
        return [ModelResponse(heard, model_name=model.model_name, provider_name=provider, state="interrupted")]

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Store the unfinished response every few seconds within the block."""
        keeping: list[asyncio.Task[None]] = []

        def keep() -> None:
            keeping.append(asyncio.ensure_future(self._keep()))

        later = asyncio.get_running_loop().call_later(PAUSE_SECONDS, keep)  # most runs have ended by then
        try:
            yield
        finally:
            later.cancel()
            self._ended = True  # a write that fails loses the cancellation
            for task in keeping:
                task.cancel()
                await asyncio.wait([task])  # a write that has begun is completed

    async def _keep(self) -> None:
        pause = 0.0
        while not self._ended:
            await asyncio.sleep(pause)
            began = time.monotonic()
            async with self._writing:
                if self._changed and (parts := self._texts()):
                    self._changed = False
                    response = ModelResponse(parts, state="interrupted")
                    with suppress(Exception):  # the next boundary reports what is wrong with the store
                        await self._persist([*self._messages, *to_json([response])], self._records)
            pause = max(PAUSE_SECONDS, PAUSE_PER_SECOND * (time.monotonic() - began))

    def _texts(self) -> list[TextPart | ThinkingPart]:
        parts = [kind("".join(pieces)) for _, (kind, pieces) in sorted(self._parts.items())]
        return [part for part in parts if part.content]


def _responses(messages: Messages) -> int:
    return sum(message["kind"] == "response" for message in messages)
