"""Records of the model requests of one run: how long each took, and what it used."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pydantic_ai.exceptions import ModelConnectionError, RunCancelled
from pydantic_ai.messages import ModelResponse

from sessionmagic.conversation.usage import RequestRecord, Usage, total
from sessionmagic.exceptions import TurnTimeoutError
from sessionmagic.models.clients import is_loopback
from sessionmagic.models.configured import PRICE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genai_prices.types import PriceCalculation
    from pydantic_ai.messages import ModelMessage


class ModelRequests:
    """Records each model request of a turn, whichever of its agents makes it."""

    def __init__(self) -> None:
        self.records: list[RequestRecord] = []
        """The records of the requests that have ended, in order."""
        self._agent = ""
        self._began: float | None = None
        """When the open request was made; None while no request is open."""
        self._first_token: float | None = None

    @property
    def usage(self) -> Usage:
        """The usage of all requests that have ended."""
        return total(record.usage for record in self.records)

    def begin(self, agent: str) -> None:
        """Record that an agent makes a request."""
        self._agent, self._began, self._first_token = agent, time.monotonic(), None

    def hear(self) -> None:
        """Record that a part of the response has come in."""
        if self._first_token is None:
            self._first_token = time.monotonic()

    def end(self, response: ModelResponse | None, *, refused: bool = False) -> None:
        """Record the end of the open request.

        Args:
            response: The response; None if there was none.
            refused: Whether the request failed without a response, so that it cost nothing.
        """
        if self._began is None:
            return
        first = self._first_token - self._began if self._first_token is not None else None
        without = Usage() if refused else Usage(unmeasured_requests=1)
        self.records.append(
            RequestRecord(
                agent=self._agent,
                model=name_of(response) if response is not None and response.model_name else None,
                usage=usage_of(response) if response is not None else without,
                first_token_seconds=first,
                seconds=time.monotonic() - self._began,
                finish_reason=response.finish_reason if response and response.state != "interrupted" else None,
            )
        )
        self._began = None

    def close(self, messages: Sequence[ModelMessage], error: BaseException | None = None) -> None:
        """Record the end of a request that is open when the run ends, with what has come in of its response.

        Args:
            messages: The messages of the run.
            error: What has ended the run.
        """
        responses = [message for message in messages if isinstance(message, ModelResponse)]
        response = responses[-1] if len(responses) > len(self.records) else None
        if response is not None and not response.parts and not response.usage.has_values():
            response = None  # pydantic-ai has put it in the place of a response that never began
        self.end(response, refused=error is not None and not _may_have_been_answered(error))


def _may_have_been_answered(error: BaseException) -> bool:
    """Return whether the provider may have worked on a request that ended with this error and without a response."""
    match error:
        case RunCancelled() | TurnTimeoutError() | asyncio.CancelledError():
            return True
        case ModelConnectionError():
            return error.phase not in ("pool", "connect")
        case _:
            return False


def name_of(response: ModelResponse) -> str:
    """Return the name that the answering model gives itself, after its provider's name if that is known."""
    return f"{response.provider_name}:{response.model_name}" if response.provider_name else str(response.model_name)


def usage_of(response: ModelResponse) -> Usage:
    """Return what a response used, with its price if that is known.

    The usage of a response that was cut off is not known: providers report it at the end, or Anthropic only a part of
    it at the beginning. Neither is that of an answer to which the provider counts no tokens.
    """
    used = response.usage
    measured = (
        response.state == "complete"
        and not used.unmeasured_requests
        and used.input_tokens > 0
        and (used.output_tokens > 0 or not response.parts)
    )
    cost = _cost(response) if measured else None
    return Usage(
        input_tokens=used.input_tokens,
        cached_tokens=used.cache_read_tokens,
        cache_write_tokens=used.cache_write_tokens,
        output_tokens=used.output_tokens,
        reasoning_tokens=used.output_reasoning_tokens,
        unmeasured_requests=0 if measured else 1,
        unpriced_requests=1 if measured and cost is None else 0,
        cost=cost,
    )


def context_limit_of(response: ModelResponse) -> int | None:
    """Return how many tokens the response's model can read, if that is known."""
    price = _price(response)
    return price.model.context_window if price else None


def _cost(response: ModelResponse) -> float | None:
    """Return what a response cost in dollars, if that is known."""
    details = response.provider_details or {}
    if PRICE in details:  # the user's own server, which may have any provider's name and models
        price = details[PRICE]
        if price is None:
            return None
        return float(price[0] * response.usage.input_tokens + price[1] * response.usage.output_tokens) / 1_000_000
    if response.provider_url and is_loopback(response.provider_url):  # as with OPENAI_BASE_URL
        return None
    if response.usage.cost is not None:
        # pydantic-ai has added up the prices of a response that took several requests, or a gateway has told the price.
        return float(response.usage.cost)
    known = _price(response)
    return float(known.total_price) if known else None


def _price(response: ModelResponse) -> PriceCalculation | None:
    with suppress(LookupError, ValueError, AssertionError):
        return response.cost()
    return None
