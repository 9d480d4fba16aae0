"""Forms described by a JSON schema: their fields, and the values that the user types or picks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.visible import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

FIELD_LIMIT = 50
CHOICE_LIMIT = 300
"""Choices of one field, enough for a list of all countries."""
LABEL_LENGTH = 100
HINT_LENGTH = 300

TYPES: dict[str, type | tuple[type, ...]] = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
"""The types of the simple fields. The values of all other fields are typed as JSON."""
STRUCTURE = {"$ref", "allOf", "anyOf", "const", "items", "oneOf", "properties"}
"""Keywords that make an untyped property something other than text."""
PROBLEMS = {"boolean": "neither yes nor no", "integer": "not an integer", "number": "not a number"}
"""The error for an invalid value of each kind; for other kinds, the value is not valid JSON."""
BOOLEANS = {"y": True, "yes": True, "true": True, "1": True, "n": False, "no": False, "false": False, "0": False}


class Choice(NamedTuple):
    """A value that a field allows, with the title that the user sees."""

    title: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A value that a form asks for.

    The label, the hint and the titles of the choices are short lines with their control characters made visible.
    """

    name: str
    label: str
    kind: str
    """``string``, ``integer``, ``number`` or ``boolean``; ``json`` for anything else."""
    choices: tuple[Choice, ...] = ()
    several: bool = False
    """Whether the value is a list of choices."""
    required: bool = False
    default: Any = None
    """The initial value; None if the schema gives no valid one."""
    hint: str = ""

    def value(self, text: str) -> Any:
        """Return the value that the user has typed; None if the text is empty.

        A choice is typed as its title or its number, counted from 1; several are separated by commas.

        Raises `UsageError` for a text that is not a valid value.
        """
        text = text.strip()
        if self.choices:
            parts = text.split(",") if self.several else [text]
            return self.picked(self._place(part.strip()) for part in parts if part.strip())
        if not text:
            return self._nothing()
        try:
            value = _read(text, self.kind)
            json.dumps(value, allow_nan=False)
        except (ValueError, KeyError, RecursionError):
            problem = PROBLEMS.get(self.kind, "not valid JSON")
            raise UsageError(f"{self.label}: {one_line(text, LABEL_LENGTH)!r} is {problem}") from None
        return value

    def picked(self, places: Iterable[int]) -> Any:
        """Return the value of the choices at these places, counted from 0; None if `places` is empty.

        Raises `UsageError` if a required field has no choice.
        """
        values = [self.choices[place].value for place in sorted(set(places))]
        if self.several and (values or self.required):
            return values
        return values[0] if values else self._nothing()

    @property
    def preselected(self) -> tuple[int, ...]:
        """The places of the default choices."""
        values = () if self.default is None else self.default if self.several else (self.default,)
        return tuple(place for place, choice in enumerate(self.choices) if choice.value in values)

    @property
    def prefilled(self) -> str:
        """The default as the user would type it; empty for a field with choices."""
        return "" if self.default is None or self.choices else _text(self.default, quoted=self.kind == "json")

    @property
    def numbered(self) -> bool:
        """Whether a choice can be typed as its number: no title may be a number itself."""
        return not any(choice.title.isdecimal() for choice in self.choices)

    def _nothing(self) -> None:
        if self.required:
            raise UsageError(f"{self.label} is required")

    def _place(self, text: str) -> int:
        titles = [choice.title for choice in self.choices]
        numbers = [str(number) for number in range(1, len(titles) + 1)] if self.numbered else []
        for names in (titles, numbers):
            if names.count(text) == 1:
                return names.index(text)
        raise UsageError(f"{self.label}: {one_line(text, LABEL_LENGTH)!r} is not one of the choices")


def _read(text: str, kind: str) -> Any:
    match kind:
        case "boolean":
            return BOOLEANS[text.casefold()]
        case "integer":
            return int(text)
        case "number":
            return float(text)
        case "json":
            return json.loads(text)
        case _:
            return text


def fields_of(schema: Mapping[str, Any]) -> list[Field]:
    """Return the fields of a flat JSON schema, such as MCP servers send with a question.

    A property that does not follow the protocol becomes a field for text or JSON.

    Raises `UsageError` for a schema with more than `FIELD_LIMIT` fields, or more than `CHOICE_LIMIT` choices in one.
    """
    properties = schema.get("properties")
    required = schema.get("required")
    described = list(properties.items()) if isinstance(properties, dict) else []
    if len(described) > FIELD_LIMIT:
        raise _too_large(f"it has {len(described):,} fields")
    needed = required if isinstance(required, list) else []
    return [
        _field(str(name), about if isinstance(about, dict) else {}, required=name in needed)
        for name, about in described
    ]


def _field(name: str, about: dict[str, Any], *, required: bool) -> Field:
    items = about.get("items")
    of_items = _choices(items) if about.get("type") == "array" and isinstance(items, dict) else ()
    choices = of_items or _choices(about)
    label = one_line(_text(about.get("title") or name), LABEL_LENGTH) or one_line(name, LABEL_LENGTH)
    if len(choices) > CHOICE_LIMIT:
        raise _too_large(f"{label} has {len(choices):,} choices")
    kind, default = _kind(about), about.get("default")
    how = _how_many(about) if of_items else 'as JSON, such as ["a", "b"]' if kind == "json" and not choices else ""
    description = one_line(_text(about.get("description") or ""), HINT_LENGTH)
    return Field(
        name=name,
        label=label,
        kind=kind,
        choices=choices,
        several=bool(of_items),
        required=required,
        default=default if _allowed(default, kind, choices, several=bool(of_items)) else None,
        hint=" · ".join(part for part in (description, how) if part),
    )


def _too_large(why: str) -> UsageError:
    return UsageError(f"the form cannot be filled in here: {why}; decline it")


def _kind(about: dict[str, Any]) -> str:
    kind = about.get("type")
    if isinstance(kind, str) and kind in TYPES:
        return kind
    return "json" if "type" in about or STRUCTURE & about.keys() else "string"


def _choices(about: dict[str, Any]) -> tuple[Choice, ...]:
    """Return the choices of a property, given as an enum or as constants with titles."""
    values = about.get("enum")
    if isinstance(values, list):
        titles = about.get("enumNames")  # from older versions of MCP
        if not isinstance(titles, list) or len(titles) != len(values):
            titles = values
    else:
        titled = about.get("oneOf", about.get("anyOf"))
        if not isinstance(titled, list) or not all(isinstance(each, dict) and "const" in each for each in titled):
            return ()
        values = [each["const"] for each in titled]
        titles = [each.get("title") or each["const"] for each in titled]
    return tuple(
        Choice(one_line(_text(title), LABEL_LENGTH), value) for title, value in zip(titles, values, strict=True)
    )


def _how_many(about: dict[str, Any]) -> str:
    match about.get("minItems"), about.get("maxItems"):
        case int(least), int(most):
            return f"{least} to {most} of them"
        case int(least), _:
            return f"at least {least} of them"
        case _, int(most):
            return f"at most {most} of them"
        case _:
            return "any of them"


def _allowed(default: Any, kind: str, choices: tuple[Choice, ...], *, several: bool) -> bool:
    values = [choice.value for choice in choices]
    if several:
        return isinstance(default, list) and all(each in values for each in default)
    if choices:
        return default in values
    return kind == "json" or (isinstance(default, TYPES[kind]) and isinstance(default, bool) == (kind == "boolean"))


def _text(value: Any, *, quoted: bool = False) -> str:
    return value if isinstance(value, str) and not quoted else json.dumps(value, ensure_ascii=False, default=str)


def filled_in(fields: Iterable[Field], value_of: Callable[[Field], Any]) -> dict[str, Any]:
    """Return the names and values of these fields, without the fields whose value is None."""
    values = {field.name: value_of(field) for field in fields}
    return {name: value for name, value in values.items() if value is not None}
