"""JSON as bytes: by orjson, which is fast, or where it is not installed by the standard library, with the same meaning.

Each reads what the other has written, and both refuse the same. Only the digits of some numbers differ: 1e-7, 1e-07.
"""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]

DEEPEST = 254
"""How many values can be nested in one another when they are written."""
SMALLEST, LARGEST = -(2**63), 2**64 - 1
"""The integers that can be written. Others are read as floats."""
_LONGEST = 21
"""Characters of the longest integer that may be one of those."""


def standard_dumps(data: Any) -> bytes:
    """Do what `dumps` does with the standard library."""
    try:
        text = json.dumps(_plain(data, DEEPEST), ensure_ascii=False, separators=(",", ":"))
        return text.encode()
    except UnicodeEncodeError as error:
        raise TypeError("a text has lone surrogates, which cannot be encoded") from error


def standard_loads(content: bytes | bytearray | memoryview | str) -> Any:
    """Do what `loads` does with the standard library."""
    try:
        text = content if isinstance(content, str) else str(content, "utf-8")
        value = json.loads(text, parse_int=_integer, parse_float=_finite, parse_constant=_refuse)
        if "\\ud" in text.lower():  # perhaps one half of a pair
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise json.JSONDecodeError("values are nested too deep", text, 0) from error
    except UnicodeError as error:
        raise json.JSONDecodeError("a text cannot be encoded as UTF-8", "", 0) from error
    return value


def _plain(value: Any, deepest: int) -> Any:
    """Return a value that the standard library writes as orjson writes the given one."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return _checked(value)
        case float():
            return value if isfinite(value) else None
    if not deepest:
        raise TypeError("values are nested too deep")
    match value:
        case dict():
            return {_key(key): _plain(item, deepest - 1) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item, deepest - 1) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            public = [field.name for field in fields(value) if not field.name.startswith("_")]
            return {name: _plain(getattr(value, name), deepest - 1) for name in public}
    raise TypeError(f"values of type {type(value).__name__} cannot be written as JSON")


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if key is not None and not isinstance(key, int | float):
        raise TypeError(f"keys of type {type(key).__name__} cannot be written as JSON")
    return json.dumps(_plain(key, DEEPEST))


def _checked(number: int) -> int:
    if not SMALLEST <= number <= LARGEST:
        raise TypeError("an integer needs more than 64 bits")
    return number


def _integer(digits: str) -> int | float:
    number = int(digits) if len(digits) < _LONGEST else None
    return number if number is not None and SMALLEST <= number <= LARGEST else _finite(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        _refuse(digits)
    return number


def _refuse(what: str) -> None:
    raise json.JSONDecodeError(f"{what[:_LONGEST]} is not a number that JSON has", what, 0)


def _fast_dumps(data: Any) -> bytes:
    return orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS)


dumps: Callable[[Any], bytes] = _fast_dumps if orjson else standard_dumps
"""Return data as JSON. NaN becomes null, and keys become strings.

Raises `TypeError` for lone surrogates, values that are nested too deep, integers of more than 64 bits, and types that
JSON does not have.
"""
loads: Callable[[bytes | bytearray | memoryview | str], Any] = orjson.loads if orjson else standard_loads
"""Return the value of JSON. Raises `json.JSONDecodeError`, also for NaN and for half of a surrogate pair."""
