"""The form of answers that an agents file gives as a JSON schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import AgentsFileError
from sessionmagic.keys.cleaning import without_keys
from sessionmagic.turns.output_type import OutputType, UnfitAnswerError, storable
from sessionmagic.words import printable, shortened, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBLEM_LENGTH = 300


class SchemaType(OutputType):
    """A type whose values are the JSON that fits a schema.

    Args:
        name: What it is called.
        schema: The JSON schema. Nothing that it refers to is fetched.

    Raises `AgentsFileError` if this is not a JSON schema, or jsonschema is not installed.
    """

    def __init__(self, name: str, schema: Mapping[str, Any]) -> None:
        self.type = SchemaType
        self.name = shortened(printable(name))
        self._own = dict(schema)
        try:
            from jsonschema.validators import validator_for
            from referencing import Registry
        except ImportError:
            raise AgentsFileError(
                f"the structured_output {self.name} needs jsonschema, which is missing; run pip install jsonschema"
            ) from None
        kind = validator_for(self._own)
        try:
            kind.check_schema(self._own)
        except Exception as error:
            raise AgentsFileError(
                f"the structured_output {self.name} has no valid JSON schema ({_short(error)}); correct it"
            ) from error
        self._validator = kind(self._own, registry=Registry())
        self._take(self._own)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return SchemaType, (self.name, self._own)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SchemaType) and self.fingerprint == other.fingerprint

    __hash__ = OutputType.__hash__

    def _value_of(self, content: Any) -> Any:
        try:
            faults = list(self._validator.iter_errors(content))
        except Exception as error:  # a reference that leads nowhere, or a pattern that is not one
            raise UnfitAnswerError(_short(error)) from error
        if faults:
            raise UnfitAnswerError("\n".join(_fault(each.json_path, each.message) for each in faults[:10]))
        return json.loads(json.dumps(content))

    def _as_json(self, value: Any, written: Any) -> Any:  # noqa: ARG002  they are the same
        return storable(value)


def _fault(place: str, message: str) -> str:
    return shortened(printable(" ".join(without_keys(f"{place.lstrip('$.')}: {message}").split())), PROBLEM_LENGTH)


def _short(error: Exception) -> str:
    return shortened(printable(" ".join(without_keys(words_of(error)).split())), PROBLEM_LENGTH)
