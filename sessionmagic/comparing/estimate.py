"""What a grid will cost, as far as that can be told before it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionmagic.conversation.usage import dollars
from sessionmagic.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionmagic.models.resolved import ResolvedModel

OUTPUT_TOKENS = 300
"""Tokens of an answer whose length nothing tells."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate of the requests that are still to be made.

    Attributes:
        requests: How many requests these are.
        input_tokens: The tokens that are sent.
        output_tokens: The tokens that are answered: `max_tokens` for each request at most, or else as many as in the
            answers that the grid has, or a guess.
        cost: The cost in US dollars; None if a model has no known price.
    """

    requests: int
    input_tokens: int
    output_tokens: int
    cost: float | None

    def __str__(self) -> str:
        cost = "unknown cost" if self.cost is None else f"about {dollars(self.cost)}"
        return f"{counted(self.requests, 'request')}, {cost}"


def output_tokens(settings: Mapping[str, Any], known: float | None) -> int:
    """Return about how many tokens an answer has.

    Args:
        settings: The settings as they are sent.
        known: The tokens of the answers that there are, on average.
    """
    guess = OUTPUT_TOKENS if known is None else round(known)
    limit = settings.get("max_tokens")
    return min(guess, limit) if limit else guess


def cost_of(model: ResolvedModel, sent: int, received: int) -> float | None:
    """Return what these tokens cost; None if that is not known. For a model made of several, the dearest counts."""
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.usage import RequestUsage

    from sessionmagic.models.members import members_of
    from sessionmagic.turns.model_requests import usage_of

    costs = [
        usage_of(
            ModelResponse(
                parts=[],
                usage=RequestUsage(input_tokens=max(sent, 1), output_tokens=received),
                model_name=each.model_name,
                provider_name=each.system,
                provider_url=each.base_url,
            ),
            member.price,
        ).cost
        for member in model.each
        for each in members_of(member.model)
    ]
    known = [cost for cost in costs if cost is not None]
    return max(known) if known and len(known) == len(costs) else None
