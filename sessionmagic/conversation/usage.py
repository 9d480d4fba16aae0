"""The usage of model requests: tokens, cost and time. Every total is a sum over the records of single requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

SMALLEST_COST = 0.0001
"""The smallest amount of dollars that is shown as a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The tokens of one or more model requests, and their cost."""

    input_tokens: int = 0
    cached_tokens: int = 0
    """The input tokens that the provider read from its cache."""
    cache_write_tokens: int = 0
    """The input tokens that the provider wrote to its cache."""
    output_tokens: int = 0
    reasoning_tokens: int = 0
    """The output tokens that were reasoning, if the provider counts them."""
    unmeasured_requests: int = 0
    """The requests whose usage is unknown, because they were stopped, or their usage could not be read.

    If there are any, all tokens and the cost are lower bounds.
    """
    unpriced_requests: int = 0
    """The requests whose tokens are known, but not their price. If there are any, the cost is a lower bound."""
    cost: float | None = None
    """The known cost in US dollars; None when no request has one."""

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """The record of one model request of a turn."""

    agent: str
    model: str | None
    """The name of the model that answered, as given in its response; None when no model answered."""
    usage: Usage = field(default_factory=Usage)
    first_token_seconds: float | None = None
    """Seconds from the request to the first piece of the response; None when there was no response."""
    seconds: float = 0.0
    """Seconds from the request to the end of the response."""
    finish_reason: str | None = None
    """Why the model stopped, in pydantic-ai's terms; None when it was interrupted or did not answer."""
    asked: str = ""
    """The reference that was asked, if no model answered and it is known."""
    purpose: Literal["answer", "title", "judge"] = "answer"
    """What the model was asked for: to answer the prompt, for a title of the session, or to judge a comparison."""
    offered: dict[str, str] | None = None
    """The offered tools: their names, and a hash of the definition of each; None if the model takes none, or in records
    of a version that did not store them."""
    typed: str = ""
    """A hash of the schema of the structured answer that was asked for; empty if it was text."""
    arrivals: list[tuple[int, int]] = field(default_factory=list)
    """When the response came in: milliseconds since the request, and how many characters had come in by then."""
    wrote: str = ""
    """What the model wrote, if that is not in the turn's messages: a title, or what a judge said."""


def seconds_to_first_token(requests: Iterable[RequestRecord]) -> float | None:
    """Return the seconds from the first of these requests to the first piece of a response; None without one.

    The waits between requests do not count.
    """
    before = 0.0
    for request in requests:
        if request.first_token_seconds is not None:
            return before + request.first_token_seconds
        before += request.seconds
    return None


def dollars(cost: float) -> str:
    """Return an amount of dollars with four decimals. One that is not zero is never shown as zero."""
    return f"less than ${SMALLEST_COST:.4f}" if 0 < cost < SMALLEST_COST else f"${cost:.4f}"


def total(usages: Iterable[Usage]) -> Usage:
    """Return the sum of usages, each with its own price.

    Requests that are unmeasured or unpriced are counted, and the cost is that of the others; None if there are no
    others.
    """
    parts = list(usages)
    costs = [usage.cost for usage in parts if usage.cost is not None]
    return Usage(
        input_tokens=sum(usage.input_tokens for usage in parts),
        cached_tokens=sum(usage.cached_tokens for usage in parts),
        cache_write_tokens=sum(usage.cache_write_tokens for usage in parts),
        output_tokens=sum(usage.output_tokens for usage in parts),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in parts),
        unmeasured_requests=sum(usage.unmeasured_requests for usage in parts),
        unpriced_requests=sum(usage.unpriced_requests for usage in parts),
        cost=sum(costs) if costs else None,
    )
