"""Records of the model requests of one run: how long each took, and what it used."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pydantic_ai.messages import ModelResponse

from sessionmagic.conversation.usage import RequestRecord, Usage, total

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

    def end(self, response: ModelResponse | None) -> None:
        """Record the end of the open request; `response` is None if it got none."""
        if self._began is None:
            return
        first = self._first_token - self._began if self._first_token is not None else None
        self.records.append(
            RequestRecord(
                agent=self._agent,
                model=name_of(response) if response is not None and response.model_name else None,
                usage=usage_of(response) if response is not None else Usage(),
                first_token_seconds=first,
                seconds=time.monotonic() - self._began,
                finish_reason=response.finish_reason if response and response.state != "interrupted" else None,
            )
        )
        self._began = None

    def close(self, messages: Sequence[ModelMessage]) -> None:
        """Record the end of a request that is open when the run ends, with what has come in of its response."""
        responses = [message for message in messages if isinstance(message, ModelResponse)]
        self.end(responses[-1] if len(responses) > len(self.records) else None)


def name_of(response: ModelResponse) -> str:
    """Return the name that the answering model gives itself, after its provider's name if that is known."""
    return f"{response.provider_name}:{response.model_name}" if response.provider_name else str(response.model_name)


def usage_of(response: ModelResponse) -> Usage:
    """Return what a response used, with its price if that is known."""
    used = response.usage
    price = _price(response)
    return Usage(
        input_tokens=used.input_tokens,
        cached_tokens=used.cache_read_tokens,
        output_tokens=used.output_tokens,
        reasoning_tokens=used.output_reasoning_tokens,
        cost=float(price.total_price) if price else None,
    )


def context_limit_of(response: ModelResponse) -> int | None:
    """Return how many tokens the response's model can read, if that is known."""
    price = _price(response)
    return price.model.context_window if price else None


def _price(response: ModelResponse) -> PriceCalculation | None:
    with suppress(LookupError, ValueError, AssertionError):
        return response.cost()
    return None
