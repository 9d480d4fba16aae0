"""The single models in a model: pydantic-ai's `FallbackModel` has several, and a wrapper has one."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_ai.models import Model


def members_of(model: Model) -> list[Model]:
    """Return the models of which any may answer.

    pydantic-ai's `FallbackModel` has no profile; reading its profile raises an error (2.68).
    """
    from pydantic_ai.models.fallback import FallbackModel
    from pydantic_ai.models.wrapper import WrapperModel

    if isinstance(model, WrapperModel):
        return members_of(model.wrapped)
    if isinstance(model, FallbackModel):
        return [member for each in model.models for member in members_of(each)]
    return [model]


def with_wrapped_members(model: Model, wrap: Callable[[Model], Model]) -> Model:
    """Return a model like this one, with each model of which any may answer wrapped.

    Args:
        model: The model.
        wrap: Returns a wrapper of a model.
    """
    from pydantic_ai.models.fallback import FallbackModel
    from pydantic_ai.models.wrapper import WrapperModel

    if isinstance(model, FallbackModel):
        several = copy(model)
        several.models = [with_wrapped_members(each, wrap) for each in model.models]
        return several
    if isinstance(model, WrapperModel) and len(members_of(model)) > 1:
        outer = copy(model)
        outer.wrapped = with_wrapped_members(model.wrapped, wrap)
        return outer
    return wrap(model)
