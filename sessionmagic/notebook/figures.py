"""Tokens, costs and times as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionmagic.conversation.usage import SMALLEST_COST, Usage, dollars
from sessionmagic.words import counted

if TYPE_CHECKING:
    from sessionmagic.conversation.session import SessionSummary

    Used = Usage | SessionSummary

SHORT_SECONDS = 0.1
"""Shorter times are given in milliseconds."""
UNKNOWN = "unknown"
"""The tokens or the cost of requests that were stopped, or whose usage could not be read."""


def tokens(usage: Used) -> str:
    """Return the tokens in and out; "at least" these, or "unknown", if there are requests whose usage is unknown."""
    if usage.unmeasured_requests and not (usage.input_tokens or usage.output_tokens):
        return UNKNOWN
    least = "at least " if usage.unmeasured_requests else ""
    return f"{least}{usage.input_tokens:,} → {usage.output_tokens:,}"


def counted_tokens(usage: Used) -> str:
    """Return the tokens in and out as `tokens` does, with the noun."""
    return f"{tokens(usage)} {'token' if usage.output_tokens == 1 else 'tokens'}"


def input_tokens(usage: Used) -> str:
    """Return the tokens in, as `tokens` does."""
    return _at_least(usage, usage.input_tokens)


def output_tokens(usage: Used) -> str:
    """Return the tokens out, as `tokens` does."""
    return _at_least(usage, usage.output_tokens)


def _at_least(usage: Used, count: int) -> str:
    if not usage.unmeasured_requests:
        return f"{count:,}"
    return f"at least {count:,}" if count else UNKNOWN


def money(usage: Used) -> str:
    """Return a cost in US dollars as text, and how many requests are not part of it."""
    lacks_some = bool(usage.unmeasured_requests or usage.unpriced_requests)
    if usage.cost is None or (lacks_some and usage.cost < SMALLEST_COST):  # "at least $0.0000" would say nothing
        return UNKNOWN if usage.unmeasured_requests else "unpriced" if usage.unpriced_requests else "–"
    missing = [
        f"{counted(count, 'request')} {what}"
        for count, what in (
            (usage.unmeasured_requests, "of unknown cost"),
            (usage.unpriced_requests, "without a price"),
        )
        if count
    ]
    return f"at least ${usage.cost:.4f}; {', '.join(missing)}" if missing else dollars(usage.cost)


def duration(seconds: float) -> str:
    """Return a time in seconds, or in milliseconds if it is short."""
    return f"{seconds:.1f} s" if seconds >= SHORT_SECONDS else f"{max(1, round(seconds * 1000))} ms"
