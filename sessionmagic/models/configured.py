"""The model settings of this process, which ``%config AgentMagics`` changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.words import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sessionmagic.models.references import ModelRef


@dataclass(slots=True)
class Configured:
    """What `Models` uses where it was given nothing else."""

    default: str = "local"
    """The reference used when a session has no override."""
    endpoints: dict[str, str] = field(default_factory=dict)
    """Names and base URLs of OpenAI-compatible servers."""
    prices: dict[str, Sequence[float]] = field(default_factory=dict)
    """Dollars for a million input tokens and a million output tokens, by model reference or by server."""

    context_limits: dict[str, int] = field(default_factory=dict)
    """How many tokens models can read, by model reference or by server."""

    replay: str = ""
    """The recording that answers in place of all models: a session or a file; empty if models answer."""
    fills: bool = False
    """Whether models answer what the recording does not have, and their answers are added to it."""

    def change(  # noqa: PLR0913
        self,
        default: str,
        endpoints: Mapping[str, str],
        prices: Mapping[str, Sequence[float]],
        context_limits: Mapping[str, int] | None = None,
        *,
        replay: str = "",
        fills: bool = False,
    ) -> None:
        """Replace all settings. Every `Models` of the process sees the change."""
        self.default = default
        self.replay, self.fills = replay, fills
        self.endpoints.clear()
        self.endpoints.update(endpoints)
        self.prices.clear()
        self.prices.update(prices)
        self.context_limits.clear()
        self.context_limits.update(context_limits or {})


configured = Configured()


def price_of(prices: Mapping[str, Sequence[float]], reference: ModelRef) -> Sequence[float] | None:
    """Return the price that the user gave for a model, or else for its server; None if there is none.

    Raises `ModelReferenceError` if the price is not two numbers.
    """
    name = _name_in(prices, reference)
    return None if name is None else _checked(name, prices[name])


def limit_of(limits: Mapping[str, int], reference: ModelRef) -> int | None:
    """Return how many tokens a model can read, as given for it or else for its server; None if nothing is given.

    Raises `ModelReferenceError` if that is not a positive whole number.
    """
    name = _name_in(limits, reference)
    if name is None:
        return None
    limit: Any = limits[name]
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise ModelReferenceError(
            f"the context limit of {name!r} is {shortened(repr(limit))}; give a number of tokens, 1 or more"
        )
    return limit


def _name_in(given: Mapping[str, Any], reference: ModelRef) -> str | None:
    names = (reference.text, f"{reference.provider}:{reference.model}", reference.provider)
    return next((name for name in names if name in given), None)


def _checked(name: str, price: Any) -> Sequence[float]:
    match price:
        case [int() | float(), int() | float()] if min(price) >= 0:
            return list(price)
    raise ModelReferenceError(
        f"the price of {name!r} is {shortened(repr(price))}; give two numbers, dollars for a million input and a "
        "million output tokens"
    )
