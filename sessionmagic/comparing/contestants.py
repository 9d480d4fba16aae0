"""What is compared: models, each with settings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import UsageError
from sessionmagic.models.settings import as_typed, checked, parsed
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Contestant:
    """A model with settings, which answers in one column of a comparison.

    Attributes:
        model: The reference as the user typed it.
        settings: The settings that set it apart from other contestants, by the names of `models.settings`.
    """

    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The reference and the settings, such as ``local temperature=0.7``."""
        return f"{self.model} {as_typed(self.settings)}".rstrip()


def contestants(models: Sequence[str], vary: Mapping[str, Sequence[Any]] | None = None) -> list[Contestant]:
    """Return the contestants: each model in the order given, with each combination of the settings that vary.

    Args:
        models: References, one for each contestant.
        vary: For each setting that varies, its values.

    Raises `UsageError` if there are no models, if one is empty or named twice, and for settings that are not valid or
    have no values, or one twice.
    """
    if not models:
        raise UsageError("there is no model to compare; name two or more")
    if not all(model.strip() for model in models):
        raise UsageError("the reference of a model is empty; write default for the default model")
    if twice := [model for model, count in Counter(models).items() if count > 1]:
        raise UsageError(f"{shortened(twice[0])} is named twice; use --repeat 2 to ask a model twice")
    varied = [_varied(name, values) for name, values in (vary or {}).items()]
    return [
        Contestant(model, {name: value for each in chosen for name, value in each.items()})
        for model, chosen in product(models, product(*varied))
    ]


def _varied(name: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    """Return each value of a setting, checked. Raises `UsageError` if there is none, or one twice."""
    found: list[dict[str, Any]] = []
    for value in values:
        setting = checked({name: value})
        if setting in found:
            raise UsageError(f"{as_typed(setting)} is given twice; name each value once")
        found.append(setting)
    if not found:
        raise UsageError(f"{shortened(name)} has no values to vary; give one or more")
    return found


def parsed_vary(words: Iterable[str]) -> dict[str, list[Any]]:
    """Return the settings that words like ``temperature=0,0.7`` let vary, each with its values. Raises `UsageError`."""
    varied: dict[str, list[Any]] = {}
    for word in words:
        name, equals, values = word.partition("=")
        if not equals:
            raise UsageError(f"{shortened(word)!r} is not NAME=VALUE,VALUE; write for example temperature=0,0.7")
        for value in values.split(","):
            if not value.strip():
                raise UsageError(f"a value of {name} is missing in {shortened(word)!r}; write for example {name}=A,B")
            [(known, checked_value)] = parsed([f"{name}={value}"]).items()
            if checked_value in varied.get(known, ()):
                raise UsageError(f"{known}={value.strip()} is given twice; name each value once")
            varied.setdefault(known, []).append(checked_value)
    return varied
