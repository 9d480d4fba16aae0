"""The arguments of a tool call as rules and users see them: what the model wrote, and what the tool receives."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import AnyUrl, TypeAdapter, ValidationError
from pydantic_ai.exceptions import ToolFailed
from pydantic_core import Url, to_jsonable_python

from sessionmagic.tools.call import Call, is_marked_read_only
from sessionmagic.words import words_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_ai.tools import ToolDefinition


def wanted_call(tool: str, tool_def: ToolDefinition, written: dict[str, Any], args: dict[str, Any]) -> Call:
    """Return a call for which a ruling is needed.

    Args:
        tool: The tool's name in the call.
        tool_def: The tool.
        written: The arguments as the model wrote them.
        args: The arguments as the tool receives them.
    """
    defaults = _defaults(tool_def)
    same = {
        name: written[name] for name, value in args.items() if name in written and _is_text_of(written[name], value)
    }
    received = _forms_of(args, _properties(tool_def), defaults)
    return Call(
        tool,
        written | defaults | written,  # first for their order, then to win over the defaults
        read_only=is_read_only(tool_def),
        runs_code=bool((tool_def.metadata or {}).get("runs_code")),
        received=received,
        rewritten=tuple({**form, **same} for form in received if same and same.keys() <= form.keys()),
    )


def is_read_only(tool_def: ToolDefinition) -> bool:
    """Return whether a tool was marked as read-only, where it is defined or by its MCP server."""
    return is_marked_read_only(tool_def.metadata)


def is_comparable(tool_def: ToolDefinition) -> bool:
    """Return whether several models that are compared may call a tool, because no call changes what another sees."""
    return is_read_only(tool_def) or bool((tool_def.metadata or {}).get("apart"))


def _is_text_of(written: Any, value: Any) -> bool:
    """Return whether what the model wrote is one of the texts of a value that has several, such as ``PT60S`` and 60."""
    if not isinstance(value, timedelta | date | time | Decimal | UUID | Url | AnyUrl):  # a datetime is a date
        return False
    try:
        return bool(TypeAdapter(type(value)).validate_python(written) == value)
    except ValidationError:
        return False


def without_iterators(args: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with lists in place of iterators.

    For a parameter of type `Iterable`, pydantic makes an iterator that can be read once; but the rules read the
    arguments before the tool does.
    """
    try:
        return {name: list(value) if isinstance(value, Iterator) else value for name, value in args.items()}
    except ValidationError as error:
        raise ToolFailed(words_of(error)) from error


def _forms_of(
    args: dict[str, Any], properties: Mapping[str, Any], defaults: Mapping[str, Any]
) -> tuple[Mapping[str, Any], ...]:
    """Return the arguments that a tool receives as JSON values: with the aliases of fields, and with their names.

    pydantic-ai lets the model write the fields of a tool's only argument in place of the argument, if it is a model, a
    dataclass or the like. Such an argument is also returned as its fields.
    """
    aliased, named = (
        to_jsonable_python(args, by_alias=by_alias, fallback=str, bytes_mode="base64") for by_alias in (True, False)
    )
    forms = [aliased, named]
    if len(args) == 1 and properties and not properties.keys() & args.keys():
        forms = [*(fields for form in forms for fields in form.values() if isinstance(fields, dict)), *forms]
    return tuple({**defaults, **form} if properties.keys() & form.keys() else form for form in forms)


def _defaults(tool_def: ToolDefinition) -> dict[str, Any]:
    """Return the default values of a tool's arguments, so that rules also apply to arguments that a call leaves out."""
    schemas = _properties(tool_def).items()
    return {name: schema["default"] for name, schema in schemas if isinstance(schema, dict) and "default" in schema}


def _properties(tool_def: ToolDefinition) -> dict[str, Any]:
    properties = tool_def.parameters_json_schema.get("properties")
    return properties if isinstance(properties, dict) else {}  # an MCP server's schema may be anything
