"""The fields of a form that a JSON schema describes, and what was typed into them as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

NUMBERS = {"integer": int, "number": float}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value that a form asks for."""

    name: str
    label: str
    kind: str
    """``string``, ``integer``, ``number`` or ``boolean``."""
    choices: tuple[str, ...] = ()
    required: bool = False
    default: Any = None
    hint: str = ""

    def value(self, text: str) -> Any:
        """Return what was typed as a value, None for an empty field; raises `UsageError`."""
        text = text.strip()
        if not text:
            if self.required:
                raise UsageError(f"{self.label} is needed")
            return None
        if self.kind == "boolean":
            return text.casefold() in {"y", "yes", "true", "1"}
        if self.kind in NUMBERS:
            try:
                return NUMBERS[self.kind](text)
            except ValueError:
                raise UsageError(f"{self.label}: {text!r} is no {self.kind}") from None
        return text


def fields_of(schema: Mapping[str, Any]) -> list[Field]:
    """Return the fields of a flat JSON schema, as MCP servers ask with; what is odd in it becomes text."""
    properties = schema.get("properties")
    required = schema.get("required")
    return [
        _field(str(name), about if isinstance(about, dict) else {}, isinstance(required, list) and name in required)
        for name, about in (properties.items() if isinstance(properties, dict) else ())
    ]


def _field(name: str, about: dict[str, Any], required: bool) -> Field:  # noqa: FBT001
    choices = about.get("enum")
    kind = about.get("type")
    return Field(
        name=name,
        label=str(about.get("title") or name),
        kind=kind if kind in {"integer", "number", "boolean"} else "string",
        choices=tuple(map(str, choices)) if isinstance(choices, list) else (),
        required=required,
        default=about.get("default"),
        hint=str(about.get("description") or ""),
    )


def filled_in(fields: list[Field], typed: Mapping[str, str]) -> dict[str, Any]:
    """Return the answer that was typed; empty fields that are not needed are left out. Raises `UsageError`."""
    values = {field.name: field.value(typed.get(field.name, "")) for field in fields}
    return {name: value for name, value in values.items() if value is not None}
