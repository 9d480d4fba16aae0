"""Functions as tools that a model may call."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from sessionmagic.exceptions import ToolError
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from pydantic_ai.toolsets import AbstractToolset

F = TypeVar("F", bound="Callable[..., Any]")

RETRIES = 5
"""How many times in a row a model may call a tool with invalid arguments, or an unknown tool, before the turn fails."""
REASON_LENGTH = 200
"""Characters of the cause that an error quotes."""
YOURS = "yours"
"""The source of the user's own functions."""
TOLD = ("read_only", "apart", "runs_code", "closes", "replays", "obstacle", "preview", "stands_in")
"""What the guard of a turn is told of a tool."""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
"""The tool names that all providers accept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that is offered to the model, which is told its docstring and its parameters with their types.

    Args:
        name: The name by which the model calls it.
        function: The function.
        read_only: Whether it changes nothing. Its calls then need approval only in safety mode ``strict``, or where
            a rule asks for it.
        alone: Whether its calls run one after the other, in the order in which the model made them.
        apart: Whether the calls of turns that are compared do not affect each other, although it is not read-only.
        runs_code: Whether it runs code or commands, so that no rule of an agents file lets it run without approval.
        closes: Whether a call that is stopped takes a moment to end, as it stores what it has done.
        replays: When a recorded call shows its recorded result instead of running: unless ``--live-tools`` is given;
            always, because models do its work that were not recorded; or with its effect, because it decides who
            answers, which needs no approval then.
        stands_in: Whether it only stands for a tool of an MCP server whose results a recording has.
        source: Where it comes from, for listings.
        obstacle: Why it cannot run in this turn. If this is set, a call fails with this text, without approval.
        schema: The JSON schema of its arguments; None if the function's parameters say it. The function checks them.
        preview: Returns what an approval shows beside the arguments, which it takes as the function does. If it raises
            an error, the call fails with it, without approval.
    """

    name: str
    function: Callable[..., Any]
    read_only: bool = False
    alone: bool = False
    apart: bool = False
    runs_code: bool = False
    closes: bool = False
    replays: Literal["unless live", "always", "with effect"] = "unless live"
    stands_in: bool = False
    source: str = YOURS
    obstacle: str = ""
    schema: Mapping[str, Any] | None = None
    preview: Callable[..., Awaitable[str]] | None = None

    @property
    def is_comparable(self) -> bool:
        """Whether several models that are compared may call it, because no call changes what another one sees."""
        return self.read_only or self.apart

    @property
    def description(self) -> str:
        """The first line of the function's docstring."""
        return ((self.function.__doc__ or "").strip().splitlines() or [""])[0]

    @property
    def arguments(self) -> list[str]:
        """The names of the function's arguments."""
        if self.schema is not None:
            return list(self.schema.get("properties", ()))
        return list(inspect.signature(self.function).parameters)


registered: dict[str, Tool] = {}
"""The functions that were marked with `tool`, by name. Every turn of this process offers them."""


@overload
def tool(function: F) -> F: ...
@overload
def tool(*, read_only: bool = False, name: str = "") -> Callable[[F], F]: ...
def tool(function: F | None = None, *, read_only: bool = False, name: str = "") -> F | Callable[[F], F]:
    """Offer a function to the model in every turn of this process: ``@tool`` or ``@tool(read_only=True)``.

    A function replaces an earlier one with the same name.

    Args:
        function: The function, when `tool` is used without arguments.
        read_only: Whether the function changes nothing. Its calls then need approval only in safety mode ``strict``, or
            where a rule asks for it.
        name: The name by which the model calls it; by default the function's own name.

    Raises `ToolError` when the function cannot be a tool.
    """

    def mark(function: F) -> F:
        new = tool_of(function, name=name, read_only=read_only)
        toolset_of([new])  # a function without a valid schema is an error here, and not later in every turn
        registered[new.name] = new
        return function

    return mark if function is None else mark(function)


def tool_of(function: Callable[..., Any] | Tool, *, name: str = "", read_only: bool = False) -> Tool:
    """Return a function as a tool. Raises `ToolError` when it cannot be one."""
    if isinstance(function, Tool):
        return function
    if not callable(function):
        raise ToolError(f"{name or 'this value'} is of type {type(function).__name__}; only functions can be tools")
    new = Tool(name=name or getattr(function, "__name__", ""), function=function, read_only=read_only)
    if not NAME.fullmatch(new.name):
        raise ToolError(
            f"{new.name!r} is not a valid tool name; use up to 64 of A-Z, a-z, 0-9, _ and -, a letter or _ first"
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ToolError(f"{new.name} is a generator, which cannot be a tool; return a list instead")
    try:
        arguments = new.arguments
    except (TypeError, ValueError):
        raise ToolError(
            f"the parameters of {new.name} cannot be read; offer a function of yours that calls it"
        ) from None
    if arguments[:1] == ["self"]:
        raise ToolError(f"{new.name} takes self; offer the method of an object, as in tool(thing.{new.name})")
    return new


def offered(functions: Iterable[Callable[..., Any] | Tool] = (), *, marked: bool = True) -> list[Tool]:
    """Return the functions that a turn offers: with `marked` those marked with `tool`, then the given ones.

    A function replaces an earlier one with the same name. Raises `ToolError` for a function that cannot be a tool.
    """
    before = registered.values() if marked else ()
    return list({each.name: each for each in [*before, *map(tool_for, functions)]}.values())


def tool_for(function: Callable[..., Any] | Tool, *, name: str = "") -> Tool:
    """Return the tool that a function was marked as, or make one of it. Raises `ToolError` when it cannot be one."""
    marked = (each for each in registered.values() if each.function is function)
    return next(marked, None) or tool_of(function, name=name)


def toolset_of(tools: Iterable[Tool]) -> AbstractToolset[None]:
    """Return tools in the form of pydantic-ai. Raises `ToolError` for a function whose schema cannot be made."""
    from pydantic_ai.tools import GenerateToolJsonSchema
    from pydantic_ai.tools import Tool as ModelTool
    from pydantic_ai.toolsets import FunctionToolset

    class Schema(GenerateToolJsonSchema):
        ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012  as in the base class

    def model_tool(each: Tool) -> ModelTool[None]:
        if each.schema is not None:
            described = (each.function.__doc__, dict(each.schema))
            return ModelTool.from_schema(each.function, each.name, *described, sequential=each.alone)
        return ModelTool(each.function, takes_ctx=False, name=each.name, sequential=each.alone, schema_generator=Schema)

    model_tools: dict[str, ModelTool[None]] = {}
    for each in tools:
        try:
            model_tools[each.name] = made = model_tool(each)
            made.metadata = {name: getattr(each, name) for name in TOLD}
        except Exception as error:  # annotations and defaults of a user's function may raise anything
            reason = shortened(" ".join(str(error).split()), REASON_LENGTH)
            raise ToolError(f"{each.name} cannot be offered as a tool: {reason}") from error
    return FunctionToolset(list(model_tools.values()))
