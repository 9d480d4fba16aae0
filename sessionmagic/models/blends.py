"""Models that are made of several: an alloy asks one of its members, at random, for each model request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models.references import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_ai.models import Model


def members_in(reference: str) -> list[str]:
    """Return the references that a reference with commas joins, without blanks around them; empty if it has no comma.

    Raises `ModelReferenceError` if there is nothing before or after a comma, and for ``default``, which is not a model.
    """
    if "," not in reference:
        return []
    members = [each.strip() for each in reference.split(",")]
    if "" in members:
        raise ModelReferenceError(f"{quoted(reference)} has nothing before or after a comma; write it as MODEL,MODEL")
    if "default" in members:
        raise ModelReferenceError(
            f"{quoted(reference)} mixes the default with other models; write the reference that it stands for"
        )
    return members


def held_together(models: Sequence[Model]) -> Model:
    """Return a model whose connections are those of all these models.

    It is not asked itself. Whoever makes a request chooses one of the models for it.
    """
    from pydantic_ai.models.fallback import FallbackModel

    return FallbackModel(*models)
