"""Validate stored records by pydantic-core alone, because pydantic takes longer to load than a session to be read."""

from __future__ import annotations

import types
import typing
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, cast

from pydantic_core import SchemaValidator, core_schema

if typing.TYPE_CHECKING:
    from pydantic_core import CoreSchema

T = TypeVar("T")
_PLAIN: dict[Any, CoreSchema] = {
    Any: core_schema.any_schema(),
    bool: core_schema.bool_schema(),
    float: core_schema.float_schema(),
    int: core_schema.int_schema(),
    str: core_schema.str_schema(),
}


def validated(kind: type[T], values: dict[str, Any]) -> T:
    """Return a dataclass with these values, converted as pydantic does; raises `pydantic_core.ValidationError`."""
    return cast("T", validator(cast("Any", kind)).validate_python(values))


@cache
def validator(kind: Any) -> SchemaValidator:
    """Return the validator of a dataclass. The first call for each takes some milliseconds."""
    return SchemaValidator(_schema(kind))


def _schema(kind: Any) -> CoreSchema:
    """Return the schema of a type that records use."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if is_dataclass(kind):
        return _record(cast("type[Any]", kind))
    given = typing.get_args(kind)
    match typing.get_origin(kind):
        case typing.Literal:
            return core_schema.literal_schema(list(given))
        case types.UnionType | typing.Union if len(given) == 2 and given[1] is type(None):  # noqa: PLR2004  or None
            return core_schema.nullable_schema(_schema(given[0]))
        case builtin if builtin is list:
            return core_schema.list_schema(_schema(given[0]))
        case builtin if builtin is tuple:
            return core_schema.tuple_schema([_schema(given[0])], variadic_item_index=0)
        case builtin if builtin is dict:
            return core_schema.dict_schema(_schema(given[0]), _schema(given[1]))
    raise TypeError(f"records cannot have fields of the type {kind}")


def _record(kind: type[Any]) -> CoreSchema:
    hints = typing.get_type_hints(kind)
    arguments = [
        core_schema.dataclass_field(each.name, _with_default(each, hints[each.name]), kw_only=each.kw_only is True)
        for each in fields(kind)
    ]
    names = [each.name for each in fields(kind)]
    schema = core_schema.dataclass_args_schema(kind.__name__, arguments)
    return core_schema.dataclass_schema(kind, schema, names, slots=True)


def _with_default(field: Field[Any], kind: Any) -> CoreSchema:
    if field.default is not MISSING:
        return core_schema.with_default_schema(_schema(kind), default=field.default)
    if field.default_factory is not MISSING:
        return core_schema.with_default_schema(_schema(kind), default_factory=field.default_factory)
    return _schema(kind)
