"""Model references as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sessionmagic.words import shortened, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable

NAMED_IN_A_LINE = r"[^\s=:/,]+"
"""The names of agents that ``AGENT=REF`` can set the model of."""


@dataclass(frozen=True, slots=True)
class ModelRef:
    """One reading of a reference."""

    text: str
    """The reference as typed."""
    provider: str
    """The part before the separator, or the whole text."""
    model: str = ""
    """The part after the separator, or ``""``."""


def readings(text: str) -> list[ModelRef]:
    """Return the ways to read a reference: as one name, as ``provider:model`` and as ``provider/model``.

    They are in the order in which they are tried. A reference with a comma is only read as one name; `models.blends`
    reads its members.
    """
    found = [ModelRef(text, text)]
    for separator in "" if "," in text else ":/":
        provider, _, model = text.partition(separator)
        if model:
            found.append(ModelRef(text, provider, model))
    return found


def why_unknown(text: str, names: Iterable[str]) -> str:
    """Return the error text for a reference that names no known model.

    Args:
        text: The reference.
        names: The providers and models to suggest from.
    """
    known = list(names)
    if parts := readings(text)[1:]:
        problem = f"unknown provider {quoted(parts[0].provider)} in {quoted(text)}"
        return problem + suggestion(parts[0].provider, known, "%agent models lists what can be used")
    # A provider whose model is missing is spelled right, so there is nothing to suggest.
    similar = [] if text.rstrip(":/") in known else known
    forms = "write provider:model, for example openai:gpt-5.2, or local, or the name of a registered model"
    return f"{quoted(text)} is not a model reference{suggestion(text, similar, forms)}"


def quoted(text: str) -> str:
    """Return a reference as error texts show it: quoted, on one line, and cut if it is long."""
    return repr(shortened(text))
