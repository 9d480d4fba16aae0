"""Functions that a model may call."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

from sessionmagic.exceptions import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic_ai.toolsets import AbstractToolset

F = TypeVar("F", bound="Callable[..., Any]")

RETRIES = 5
"""How often in a row a model may call a tool wrongly, or one that there is not."""
REASON_LENGTH = 200
YOURS = "yours"
"""Where a function comes from that is none of ours."""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
"""What providers take for a tool's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function offered to the model; its docstring and annotations are what the model knows of it.

    Args:
        read_only: whether it changes nothing, so that it need not be asked for.
        alone: whether calls of it wait for one another, in the order in which the model made them.
        source: where it comes from, for listings.
        obstacle: why it cannot run in this turn; then a call of it fails with these words, and nobody is asked.
    """

    name: str
    function: Callable[..., Any]
    read_only: bool = False
    alone: bool = False
    source: str = YOURS
    obstacle: str = ""

    @property
    def description(self) -> str:
        """The first line of the function's docstring."""
        return ((self.function.__doc__ or "").strip().splitlines() or [""])[0]

    @property
    def arguments(self) -> list[str]:
        """The names of the function's arguments."""
        return list(inspect.signature(self.function).parameters)


registered: dict[str, Tool] = {}
"""Functions marked with `tool`, which every turn of this process offers."""


@overload
def tool(function: F) -> F: ...
@overload
def tool(*, read_only: bool = False, name: str = "") -> Callable[[F], F]: ...
def tool(function: F | None = None, *, read_only: bool = False, name: str = "") -> F | Callable[[F], F]:
    """Offer a function to the model in every turn of this process: ``@tool`` or ``@tool(read_only=True)``.

    A function marked again under the same name takes the earlier one's place. Raises `ToolError`.
    """

    def mark(function: F) -> F:
        made = tool_of(function, name=name, read_only=read_only)
        toolset_of([made])  # what cannot be described is an error here, and not in every turn
        registered[made.name] = made
        return function

    return mark if function is None else mark(function)


def tool_of(function: Callable[..., Any] | Tool, *, name: str = "", read_only: bool = False) -> Tool:
    """Return a function as a tool; raises `ToolError` when it is none."""
    if isinstance(function, Tool):
        return function
    if not callable(function):
        what = f"{name} is" if name else "that is"
        raise ToolError(f"{what} no function, and {type(function).__name__} values cannot be tools")
    made = Tool(name=name or getattr(function, "__name__", ""), function=function, read_only=read_only)
    if not NAME.fullmatch(made.name):
        raise ToolError(f"{made.name!r} is no name for a tool: it takes letters, digits and _, up to 64")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ToolError(f"{made.name} yields, and a tool returns: have it return a list")
    try:
        arguments = made.arguments
    except (TypeError, ValueError):
        raise ToolError(f"{made.name} does not say what it takes: offer a function of yours that calls it") from None
    if arguments[:1] == ["self"]:
        raise ToolError(f"{made.name} takes self: offer the method of an object, as in tool(thing.{made.name})")
    return made


def offered(functions: Iterable[Callable[..., Any] | Tool] = ()) -> list[Tool]:
    """Return the functions that a turn offers: the marked ones, then the given ones.

    A later tool takes the place of an earlier one of the same name. Raises `ToolError` for what cannot be a tool.
    """
    return list({each.name: each for each in [*registered.values(), *map(tool_for, functions)]}.values())


def tool_for(function: Callable[..., Any] | Tool, *, name: str = "") -> Tool:
    """Return the tool that a function was marked as, or make one of it. Raises `ToolError` when it cannot be one."""
    marked = (each for each in registered.values() if each.function is function)
    return next(marked, None) or tool_of(function, name=name)


def toolset_of(tools: Iterable[Tool]) -> AbstractToolset[None]:
    """Return tools as pydantic-ai offers them; raises `ToolError` for a function that cannot be described."""
    from pydantic_ai.tools import GenerateToolJsonSchema
    from pydantic_ai.tools import Tool as ModelTool
    from pydantic_ai.toolsets import FunctionToolset

    class Schema(GenerateToolJsonSchema):
        ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012  as the base has it

    made: dict[str, ModelTool[None]] = {}
    for each in tools:
        try:
            made[each.name] = ModelTool(
                each.function,
                takes_ctx=False,
                name=each.name,
                sequential=each.alone,
                schema_generator=Schema,
                metadata={"read_only": each.read_only, "obstacle": each.obstacle},
            )
        except Exception as error:  # whatever is wrong with somebody's function
            reason = " ".join(str(error).split())[:REASON_LENGTH]
            raise ToolError(f"{each.name} cannot be offered as a tool: {reason}") from error
    return FunctionToolset(list(made.values()))
