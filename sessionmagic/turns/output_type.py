"""The type of a structured answer: what the model is told about it, and whether what the model wrote fits it."""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import typing
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.value import VALUE, StoredValue
from sessionmagic.exceptions import UsageError
from sessionmagic.keys.cleaning import without_keys, without_keys_in
from sessionmagic.loop import in_own_thread
from sessionmagic.words import printable, shortened, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import TypeAdapter, ValidationError


OUTPUT_TOOL = "final_result"
"""The name of the tool with which a model gives a structured answer. It is pydantic-ai's."""
WANTED = "such as a pydantic model, a dataclass, a TypedDict or list[int]"
SHOWN_PROBLEMS = 10
"""How many of the faults of an answer the model is told."""
PROBLEM_LENGTH = 300
INTEGER_DIGITS = 19
"""Whole numbers with fewer digits have 64 bits."""
_REF = "#/$defs/"


class UnfitAnswerError(Exception):
    """What the model wrote does not fit the type. The message says why, in words that the model can be told."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """An answer that fits its type."""

    value: Any
    """The Python value."""
    stored: StoredValue


class OutputType:
    """A type whose values a model shall give.

    Args:
        type_: The type: what pydantic can make of JSON.

    Attributes:
        type: The type.
        name: What it is called.
        schema: The JSON schema of the object that the model writes. What is not an object itself is its ``"value"``.
        is_wrapped: Whether the model writes the value in an object.

    Raises `UsageError` if this is not such a type.
    """

    def __init__(self, type_: Any) -> None:
        self.type = type_
        self.name = _name(type_)
        if not is_type(type_):
            raise UsageError(f"the output type {self.name} is not a type; give one {WANTED}")
        if type_ in (Any, object, type(None)):
            raise UsageError(f"the output type {self.name} says nothing about the answer; give one {WANTED}")
        self._take(_schema_of(self._adapter, self.name))

    def _take(self, schema: Mapping[str, Any]) -> None:
        """Make this the schema of an answer."""
        own = without_keys_in(dict(schema))
        self.is_wrapped = own.get("type") != "object"
        self.schema: dict[str, Any] = _wrapped(own) if self.is_wrapped else own

    def __reduce__(self) -> tuple[type[OutputType], tuple[Any]]:
        return OutputType, (self.type,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OutputType) and self.type == other.type

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"OutputType({self.name})"

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the name and the schema."""
        content = json.dumps([self.name, self.schema], sort_keys=True, default=str)
        return hashlib.sha256(content.encode(errors="replace")).hexdigest()

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        from pydantic import TypeAdapter

        try:
            return TypeAdapter(self.type)
        except Exception as error:  # a class may run any code when pydantic looks at it
            raise UsageError(_no_schema(self.name, error)) from error

    def of_written(self, written: Mapping[str, Any]) -> Fitting:
        """Return what a model wrote as a value of the type. Keys are left out of it before.

        May run code of the user's, which may block. Raises `UnfitAnswerError`.
        """
        clean = without_keys_in(dict(written))
        if self.is_wrapped and VALUE not in clean:
            raise UnfitAnswerError(f"the object has no {VALUE!r}")
        return self.of_json(clean[VALUE] if self.is_wrapped else clean)

    def of_json(self, content: Any) -> Fitting:
        """Return plain JSON as a value of the type. May run code of the user's. Raises `UnfitAnswerError`."""
        value = self._value_of(content)
        return Fitting(value, StoredValue(self._as_json(value, content), self.name, self.fingerprint))

    def _value_of(self, content: Any) -> Any:
        from pydantic import ValidationError

        try:
            return self._adapter.validate_json(json.dumps(content))
        except ValidationError as error:
            raise UnfitAnswerError(_faults(error)) from error
        except Exception as error:  # a validator of the user's may raise anything
            raise UnfitAnswerError(_short(words_of(error))) from error

    def _as_json(self, value: Any, written: Any) -> Any:
        """Return a value as plain JSON that can be stored: with defaults, in the names of its fields, without NaN."""
        with suppress(Exception):  # a serializer of the user's may raise anything
            written = json.loads(self._adapter.dump_json(value))
        return storable(written)

    async def fitting(self, written: Mapping[str, Any]) -> Fitting:
        """Do what `of_written` does, in a thread of its own, which a turn that is stopped leaves behind."""
        return await in_own_thread(self.of_written, written)


def output_type(type_: Any) -> OutputType:
    """Return a type as an `OutputType`, which may be one already. Raises `UsageError` for what is not a type."""
    return type_ if isinstance(type_, OutputType) else OutputType(type_)


def is_type(value: object) -> bool:
    """Return whether a value is a type, as in an annotation. A function is not, nor is an annotation in quotes."""
    if isinstance(value, type) or typing.get_origin(value) is not None or value is Any:
        return True
    return type(value).__name__ in {"NewType", "TypeAliasType"}


def storable(written: Any) -> Any:
    """Return JSON as it can be stored: without keys, and without numbers that the store does not take."""
    plain = json.loads(json.dumps(written), parse_constant=lambda _: None, parse_int=_storable)
    return without_keys_in(plain)


def _storable(digits: str) -> int | float | None:
    """Return a whole number as the store takes it: one of more than 64 bits as a float, if it is not too large."""
    number = float(digits)
    if len(digits) < INTEGER_DIGITS:
        return int(digits)
    return number if math.isfinite(number) else None


def _schema_of(adapter: TypeAdapter[Any], name: str) -> dict[str, Any]:
    """Return the JSON schema of a type; that of a recursive record has the record at its root."""
    try:
        schema = adapter.json_schema()
    except Exception as error:
        raise UsageError(_no_schema(name, error)) from error
    root = schema.get("$ref", "")
    if root.startswith(_REF) and (record := schema.get("$defs", {}).get(root.removeprefix(_REF))):
        schema = {**record, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _wrapped(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an object with a value of another schema in it."""
    inner = {key: value for key, value in schema.items() if key != "$defs"}
    definitions = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    return {"type": "object", "properties": {VALUE: inner}, "required": [VALUE], **definitions}


def _name(type_: Any) -> str:
    """Return what a type is called: ``Person`` or ``list[int]``."""
    if typing.get_origin(type_) is typing.Annotated:
        return _name(typing.get_args(type_)[0])
    try:
        name = type_.__name__ if inspect.isclass(type_) and not typing.get_args(type_) else repr(type_)
    except Exception:  # noqa: BLE001  a metaclass of the user's may raise anything
        name = type(type_).__name__
    return shortened(printable(name).replace("__main__.", "").replace("typing.", ""))


def _no_schema(name: str, error: Exception) -> str:
    return f"the output type {name} has no JSON schema ({_short(words_of(error))}); give one {WANTED}"


def _faults(error: ValidationError) -> str:
    """Return what is wrong with an answer, a fault a line."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [_fault(".".join(map(str, each["loc"])), each["msg"]) for each in found[:SHOWN_PROBLEMS]]
    more = [f"and {len(found) - SHOWN_PROBLEMS:,} more"] if len(found) > SHOWN_PROBLEMS else []
    return "\n".join([*lines, *more])


def _fault(place: str, message: str) -> str:
    return _short(f"{place}: {message}" if place else message)


def _short(text: str) -> str:
    return shortened(printable(" ".join(without_keys(text).split())), PROBLEM_LENGTH)
