"""The JSON schemas of tools and forms: as providers accept them, and how values are checked."""

from __future__ import annotations

import threading
from typing import Any

_importing = threading.Lock()
MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose value is an object of schemas."""
LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
"""Keywords whose value is a list of schemas."""
ONES = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
"""Keywords whose value is a schema, or a boolean."""


def mended(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a tool's arguments with what providers want it to say.

    OpenAI refuses an array without ``items``, and arguments that are not an object with ``properties``. Servers of MCP
    send both.
    """
    schema = _mended(schema)
    return {"properties": {}, **schema, "type": "object"} if "type" not in schema or _is(schema, "object") else schema


def _mended(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    new = dict(schema)
    for name in MAPS:
        if isinstance(inner := new.get(name), dict):
            new[name] = {key: _mended(value) for key, value in inner.items()}
    for name in LISTS:
        if isinstance(inner := new.get(name), list):
            new[name] = [_mended(value) for value in inner]
    for name in ONES:
        if name in new:
            new[name] = _mended(new[name])
    if _is(new, "array") and not {"items", "prefixItems"} & new.keys():
        new["items"] = {}
    return new


def _is(schema: dict[str, Any], kind: str) -> bool:
    given = schema.get("type")
    return given == kind or (isinstance(given, list) and kind in given)


def without_patterns(schema: Any) -> Any:
    """Return a schema without its regular expressions, because matching one may never end and would block the process.

    The server can check the answer itself.
    """
    if isinstance(schema, list):
        return [without_patterns(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {keyword: value for keyword, value in schema.items() if keyword not in {"pattern", "patternProperties"}}
    return {
        keyword: {name: without_patterns(each) for name, each in value.items()}
        if keyword in {"properties", "$defs", "definitions"} and isinstance(value, dict)
        else without_patterns(value)
        for keyword, value in kept.items()
    }


def checking_libraries() -> tuple[Any, Any, Any]:
    """Import the libraries that check a value, in one thread at a time. The import may take seconds."""
    with _importing:
        from jsonschema.exceptions import ValidationError
        from jsonschema.validators import validator_for
        from referencing import Registry

        return validator_for, Registry, ValidationError
