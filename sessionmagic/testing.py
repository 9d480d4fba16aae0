"""Scripted models for tests, demos and documentation. They need no key and no network.

    >>> from sessionmagic import MemoryStore, SessionManager
    >>> from sessionmagic.testing import call, script
    >>> def add(a: int, b: int) -> int:
    ...     return a + b
    >>> model = script("adds", call("add", a=1, b=2), "It is three.")
    >>> manager = SessionManager(MemoryStore())
    >>> str(manager.run_sync("What is 1 + 2?", session="demo", model="adds", tools=[add], yes=True))
    'It is three.'
    >>> model.sent[1][-1].parts[0].content
    3

The model answers each request with the next step of its script, and repeats the last step. A step is one of these
pieces, or a list of them, which are streamed one after the other:

- a text;
- ``call(tool, …)``, a tool call;
- ``think(text)``, a piece of reasoning;
- ``pause(seconds)``, or ``hang()``, a pause that lasts until the turn is stopped;
- an exception, which is raised.

For example ``script("slow", ["It ", pause(0.5), "is fine."])`` or ``script("fails", ["So far", RuntimeError("it
broke")])``.

A step may also be a function of the messages that are sent. It returns a piece or a list of pieces, or yields pieces
as an asynchronous generator: ``script("echo", lambda messages: messages[-1].parts[-1].content)``.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic_ai.models.function import DeltaThinkingPart, DeltaToolCall, FunctionModel

from sessionmagic.models.sources import register_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.models.function import AgentInfo
    from pydantic_ai.profiles import ModelProfileSpec
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.tools import ToolDefinition

__all__ = ["Call", "Pause", "ScriptedModel", "Thought", "call", "hang", "paced", "pause", "script", "think"]

_REASONING = -1  # its index among a response's parts; those of calls are never negative


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call with its arguments as JSON."""

    tool: str
    arguments: str
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause of `seconds`; None lasts for ever."""

    seconds: float | None


Piece: TypeAlias = "str | Call | Thought | Pause | BaseException"
Answer: TypeAlias = "Piece | Sequence[Piece]"
Step: TypeAlias = "Answer | Callable[[list[ModelMessage]], Answer | AsyncGenerator[Piece]]"


def call(
    tool: str, arguments: Mapping[str, Any] | str | None = None, /, *, call_id: str | None = None, **named: Any
) -> Call:
    """Return a tool call, with its arguments by name: ``call("add", a=1, b=2)``.

    Args:
        tool: The name of the tool, whether or not it is offered.
        arguments: The arguments as a mapping, for names that Python does not allow; or as a text, which is sent
            unchanged, even if it is not valid JSON.
        call_id: The id of the call; by default, a new one for each call.
        named: The arguments by name.
    """
    if isinstance(arguments, str):
        if named:
            raise TypeError("arguments are given as a text and by name; give them one way only")
        return Call(tool, arguments, call_id)
    return Call(tool, json.dumps({**(arguments or {}), **named}), call_id)


def think(text: str) -> Thought:
    """Return a piece of reasoning. The reasoning of a step becomes one part of the response, and so does its text."""
    return Thought(text)


def pause(seconds: float) -> Pause:
    """Return a pause of `seconds`."""
    return Pause(seconds)


def hang() -> Pause:
    """Return a pause that lasts until the turn is stopped."""
    return Pause(None)


def paced(pieces: Iterable[Piece], seconds: float) -> list[Piece]:
    """Return a step of these pieces, with a pause of `seconds` before each."""
    return [each for piece in pieces for each in (pause(seconds), piece)]


def script(name: str, *steps: Step, each_turn: bool = False, profile: ModelProfileSpec | None = None) -> ScriptedModel:
    """Register a model that answers with these steps under the reference `name`, and return it.

    Args:
        name: The name of the model.
        steps: The model's answers, one step for each request. The last step is repeated.
        each_turn: Whether each turn begins with the first step, so that a cell can be run again.
        profile: The model's capabilities, as in pydantic-ai: ``{"supports_tools": False}``.
    """
    model = ScriptedModel(*steps, name=name, each_turn=each_turn, profile=profile)
    register_model(name, model)
    return model


class ScriptedModel(FunctionModel):
    """A pydantic-ai model that answers with the steps of a script. Creating it does not register it.

    Attributes:
        sent: For each request, a copy of its messages.
        offered: For each request, the tools that the model may call, by name.
        sent_settings: For each request, the model settings.
    """

    def __init__(
        self,
        *steps: Step,
        name: str = "scripted",
        each_turn: bool = False,
        profile: ModelProfileSpec | None = None,
    ) -> None:
        if not steps:
            raise ValueError(f"the script {name!r} has no steps; give it one or more")
        super().__init__(stream_function=self._stream, model_name=name, profile=profile)
        self.sent: list[list[ModelMessage]] = []
        self.offered: list[dict[str, ToolDefinition]] = []
        self.sent_settings: list[ModelSettings | None] = []
        self._steps = steps
        self._each_turn = each_turn
        self._taken: Counter[str | None] = Counter()

    def __repr__(self) -> str:
        return f"ScriptedModel(name={self.model_name!r}, steps={len(self._steps)})"

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Answer a request that is not streamed, with the same steps."""
        async with self.request_stream(messages, model_settings, model_request_parameters) as response:
            async for _ in response:
                pass
            return response.get()

    async def _stream(
        self, messages: list[ModelMessage], info: AgentInfo
    ) -> AsyncGenerator[str | dict[int, DeltaToolCall] | dict[int, DeltaThinkingPart]]:
        self.sent.append(deepcopy(messages))
        self.offered.append({tool.name: tool for tool in info.function_tools})
        self.sent_settings.append(deepcopy(info.model_settings))
        place = 0
        async with aclosing(_pieces(self._next(messages), messages)) as pieces:
            async for piece in pieces:
                match piece:
                    case str():
                        yield piece
                    case Thought():
                        yield {_REASONING: DeltaThinkingPart(content=piece.text)}
                    case Call():
                        half = len(piece.arguments) // 2  # providers stream arguments in parts, too
                        yield {place: DeltaToolCall(piece.tool, piece.arguments[:half], tool_call_id=piece.call_id)}
                        yield {place: DeltaToolCall(json_args=piece.arguments[half:])}
                    case Pause():
                        await _wait(piece.seconds)
                    case BaseException():
                        raise piece
                    case _:
                        raise TypeError(f"{piece!r} cannot be part of a script; use a text, a call or a pause")
                place += 1

    def _next(self, messages: list[ModelMessage]) -> Step:
        turn = messages[-1].run_id if self._each_turn else None
        number = self._taken[turn]
        self._taken[turn] += 1
        return self._steps[min(number, len(self._steps) - 1)]


async def _pieces(step: Step, messages: list[ModelMessage]) -> AsyncGenerator[Piece]:
    answer = step(messages) if callable(step) else step
    if isinstance(answer, AsyncGenerator):
        async with aclosing(answer):
            async for piece in answer:
                yield piece
    elif isinstance(answer, Sequence) and not isinstance(answer, str):
        for piece in answer:
            yield piece
    else:
        yield answer


async def _wait(seconds: float | None) -> None:
    if seconds is None:
        await asyncio.Event().wait()
    else:
        await asyncio.sleep(seconds)
