"""What model requests used: tokens, cost and time. Every sum is a fold of the records of single requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one or more model requests, and their price."""

    input_tokens: int = 0
    cached_tokens: int = 0
    """The part of the input that the provider read from its cache."""
    output_tokens: int = 0
    reasoning_tokens: int = 0
    """The part of the output that was reasoning, where the provider counts it."""
    cost: float | None = None
    """US dollars; None when unpriced."""

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One model request of a turn."""

    agent: str
    model: str | None
    """The model that answered, as it calls itself; None when none did."""
    usage: Usage = field(default_factory=Usage)
    first_token_seconds: float | None = None
    """Seconds from the request to the first piece of the response; None when none came."""
    seconds: float = 0.0
    """Seconds from the request to the end of its response."""
    finish_reason: str | None = None
    """Why the model stopped, in pydantic-ai's terms; None when it was stopped, or did not answer."""


def total(usages: Iterable[Usage]) -> Usage:
    """Add usages up. The cost is None when one that has tokens is unpriced, or when none has a price."""
    each = list(usages)
    costs = [usage.cost for usage in each if usage.tokens or usage.cost is not None]
    return Usage(
        input_tokens=sum(usage.input_tokens for usage in each),
        cached_tokens=sum(usage.cached_tokens for usage in each),
        output_tokens=sum(usage.output_tokens for usage in each),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in each),
        cost=sum(cost for cost in costs if cost is not None) if costs and None not in costs else None,
    )
