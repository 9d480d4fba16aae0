"""The JSON schemas of tools, as providers accept them."""

from __future__ import annotations

from typing import Any

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
