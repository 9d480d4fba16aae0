"""One row of a grid's results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class GridRow:
    """One answer of a model to one prompt, or the error in its place.

    Attributes:
        number: The number of the prompt, from 0.
        prompt: The prompt as it was sent.
        model: The reference of the model.
        settings: The settings with which it was asked.
        label: The model and the settings that set it apart from the others.
        repeat: Which of its answers to this prompt it is, from 1.
        answer: The answer; None if there is none.
        answered_by: The name that the answering model gives itself, which for an alloy is a member; None without one.
        value: The structured answer as a value of the type that was asked for; plain JSON if it does not fit any more.
        error: Why there is no answer; None if there is one.
        input_tokens: The tokens that were read; None if that is not known.
        output_tokens: The tokens that were written; None if that is not known.
        cost: The cost in US dollars; None if that is not known.
        seconds: The time from the request to the whole answer.
        finish_reason: Why the model stopped, in pydantic-ai's terms.
        scores: The scores by name.
        score_error: Why the answer has no score; None if it has one, or if none was asked for.
        fields: The fields of the structured answer as plain JSON.
    """

    number: int
    prompt: str
    model: str
    settings: Mapping[str, Any]
    label: str
    repeat: int
    answer: str | None = None
    answered_by: str | None = None
    value: Any = None
    error: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    seconds: float | None = None
    finish_reason: str | None = None
    scores: dict[str, float] = field(default_factory=dict)
    score_error: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
