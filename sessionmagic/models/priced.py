"""What models cost and how much they can read, by their references, without a request."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models.configured import limit_of, price_of
from sessionmagic.models.providers import PROVIDERS
from sessionmagic.models.references import ModelRef, readings
from sessionmagic.models.usual_servers import USUAL

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from sessionmagic.models.named import Named
    from sessionmagic.models.offers import Offer

TOKENS = 1_000
"""How many tokens are priced: few, as those of a long prompt may cost more."""


class _Known(NamedTuple):
    price: Sequence[float] | None = None
    context: int | None = None


NOTHING = _Known()


def priced(
    offer: Offer,
    named: Named | None,
    prices: Mapping[str, Sequence[float]],
    limits: Mapping[str, int],
    own: Container[str],
) -> Offer:
    """Return an offer with the price and the context of its model, as far as they are known.

    Args:
        offer: The offer.
        named: What its reference is the name of; None if it is no such name.
        prices: The prices that the user gives, by reference or provider.
        limits: How many tokens models can read, as the user says it.
        own: The names of the user's own servers, for which no list holds.
    """
    reading = ModelRef(offer.model, offer.model) if named else _reading(offer.model)
    meant = _meant(named) if named else reading
    known = _listed(meant) if meant is not None and meant.provider not in own else NOTHING
    price = (named.price if named else None) or known.price
    context = offer.context or known.context
    for each in (meant, reading):
        if each is not None:
            with suppress(ModelReferenceError):  # asking the model says so
                price = price_of(prices, each) or price
            with suppress(ModelReferenceError):
                context = limit_of(limits, each) or context
    for_input, for_output = (price[0], price[1]) if price else (None, None)
    return replace(offer, context=context, input_price=for_input, output_price=for_output)


def _reading(reference: str) -> ModelRef:
    return (readings(reference)[1:] or readings(reference))[0]


def _meant(named: Named) -> ModelRef | None:
    """Return what a name stands for, if that is one model of a provider."""
    single = named.server is None and not named.first and len(named.references) == 1
    return _reading(named.references[0]) if single else None


def _listed(reference: ModelRef) -> _Known:
    """Return what the lists of genai-prices say about a provider's model, as they do when it has answered."""
    provider = reference.provider
    if not reference.model or provider not in PROVIDERS or provider in USUAL or _is_elsewhere(provider):
        return NOTHING
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.usage import RequestUsage

    usage = RequestUsage(input_tokens=TOKENS, output_tokens=TOKENS)
    response = ModelResponse(parts=[], model_name=reference.model, provider_name=provider, usage=usage)
    with suppress(LookupError, ValueError, AssertionError):
        cost = response.cost()
        million = 1_000_000 // TOKENS
        return _Known(
            (float(cost.input_price * million), float(cost.output_price * million)), cost.model.context_window
        )
    return NOTHING


def _is_elsewhere(provider: str) -> bool:
    """Return whether the environment names another address for a provider, where other prices hold."""
    return f"{provider.partition('-')[0].upper()}_BASE_URL" in os.environ
