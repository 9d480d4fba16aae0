"""Records of the model requests of one run: how long each took, and what it used."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic_ai.exceptions import ModelConnectionError, RunCancelled
from pydantic_ai.messages import ModelResponse

from sessionmagic.conversation.usage import RequestRecord, Usage, seconds_to_first_token, total
from sessionmagic.exceptions import TurnTimeoutError
from sessionmagic.models.replay import as_recorded, is_replayed, recorded_first_token
from sessionmagic.turns.arrivals import Arrivals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genai_prices.types import PriceCalculation
    from pydantic_ai.messages import ModelMessage

    from sessionmagic.models.resolved import ResolvedModel

GATEWAY = ".pydantic.dev"
"""The domain of pydantic-ai's gateway, which tells what each answer cost."""


class ModelRequests:
    """Records each model request of a turn, whichever of its agents makes it."""

    def __init__(self) -> None:
        self.records: list[RequestRecord] = []
        """The records of the requests that have ended, in order."""
        self.asked: ResolvedModel | None = None
        """The model that the latest request went to."""
        self.sub_agents: list[ModelRequests] = []
        """The requests of the sub-agents that have worked for its calls."""
        self._responses = 0
        """How many requests have ended with a response."""
        self._agent = ""
        self._began: float | None = None
        """When the open request was made; None while no request is open."""
        self._first_token: float | None = None
        self._offered: dict[str, str] | None = None
        self._typed = ""
        self._arrivals = Arrivals()

    @property
    def usage(self) -> Usage:
        """The usage of all requests that have ended."""
        return total(record.usage for record in self.records)

    @property
    def of_sub_agents(self) -> list[RequestRecord]:
        """The records of the requests of all sub-agents that have ended, also of those of sub-agents."""
        return [record for each in self.sub_agents for record in (*each.records, *each.of_sub_agents)]

    @property
    def whole_usage(self) -> Usage:
        """The usage of all requests that have ended, with those of sub-agents."""
        return total(record.usage for record in (*self.records, *self.of_sub_agents))

    @property
    def first_token(self) -> float | None:
        """Seconds from the first request to the first piece of a response; None before that, or without one."""
        known, open_now = seconds_to_first_token(self.records), self._seconds_to_first_token()
        if known is not None or open_now is None:
            return known
        return sum(record.seconds for record in self.records) + open_now

    def _seconds_to_first_token(self) -> float | None:
        """Return the time of the open request: if a recording answers it, the recorded one."""
        if self._first_token is None or self._began is None:
            return None
        return recorded_first_token(self._first_token - self._began)

    def begin_run(self) -> None:
        """Begin another run of the turn, whose messages do not have the responses of the runs before."""
        self._responses = 0

    def begin(self, agent: str, model: ResolvedModel | None = None) -> None:
        """Record that an agent makes a request.

        Args:
            agent: The name of the agent.
            model: The model that is asked; of an alloy, the member.
        """
        self._agent, self.asked = agent, model
        self._began, self._first_token = time.monotonic(), None
        self._offered, self._typed, self._arrivals = None, "", Arrivals()

    def offer(self, offered: dict[str, str] | None, typed: str) -> None:
        """Record what the open request offers: the tools and the type of a structured answer, with their hashes."""
        self._offered, self._typed = offered, typed

    def begin_again(self) -> None:
        """Record that the open request was refused, and is made again in another form."""
        if self._began is not None:
            self.begin(self._agent, self.asked)

    def delay(self, seconds: float) -> None:
        """Leave out of the open request's times that it has waited for requests of other turns before it was made."""
        if self._began is not None:
            self._began += seconds

    def hear(self, characters: int = 0) -> None:
        """Record that a piece of the response of so many characters has come in."""
        now = time.monotonic()
        if self._first_token is None:
            self._first_token = now
        if self._began is not None:
            self._arrivals.add(round((now - self._began) * 1000), characters)

    def end(self, response: ModelResponse | None, *, refused: bool = False) -> None:
        """Record the end of the open request.

        Args:
            response: The response; None if there was none.
            refused: Whether the request failed without a response, so that it cost nothing.
        """
        if response is None:
            self._record(Usage() if refused else Usage(unmeasured_requests=1))
        elif self._record(usage_of(response, self._price), response):
            self._responses += 1

    def fail(self, error: BaseException, empty: ModelResponse | None = None) -> None:
        """Record that the open request has failed, so that another one is made in its place.

        Args:
            error: Why it has failed.
            empty: The response, if there was one that said nothing.
        """
        if empty is None:
            self.end(None, refused=not may_have_been_answered(error))
        else:
            self._record(usage_of(empty, self._price))

    @property
    def _price(self) -> Sequence[float] | None:
        return self.asked.price if self.asked is not None else None

    def _record(self, usage: Usage, response: ModelResponse | None = None) -> bool:
        """Add the record of the open request; return False if none is open."""
        if self._began is None:
            return False
        answered_by = name_of(response) if response is not None and response.model_name else None
        record = RequestRecord(
            agent=self._agent,
            model=answered_by,
            usage=usage,
            first_token_seconds=self._seconds_to_first_token(),
            seconds=time.monotonic() - self._began,
            finish_reason=response.finish_reason if response and response.state != "interrupted" else None,
            asked=self.asked.reference if self.asked is not None and answered_by is None else "",
            offered=self._offered,
            typed=self._typed,
            arrivals=self._arrivals.points,
        )
        self.records.append(as_recorded(record))
        self._began = None
        return True

    def withdraw(self) -> None:
        """Forget the open request if nothing has come in, as it was not made: a budget has refused or delayed it."""
        if self._first_token is None:
            self._began = None

    def close(self, messages: Sequence[ModelMessage], error: BaseException | None = None) -> None:
        """Record the end of a request that is open when the run ends, with what has come in of its response.

        Args:
            messages: The messages of the run.
            error: What has ended the run.
        """
        responses = [message for message in messages if isinstance(message, ModelResponse)]
        response = responses[-1] if len(responses) > self._responses else None
        if response is not None and not response.parts and not response.usage.has_values():
            response = None  # pydantic-ai has put it in the place of a response that never began
        self.end(response, refused=error is not None and not may_have_been_answered(error))


def may_have_been_answered(error: BaseException) -> bool:
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


def usage_of(response: ModelResponse, price: Sequence[float] | None = None) -> Usage:
    """Return what a response used, with its cost if that is known.

    The usage of a response that was cut off is not known: providers report it at the end, or Anthropic only a part of
    it at the beginning. Neither is that of an answer to which the provider counts no tokens.

    Args:
        response: The response.
        price: What the user's models cost, in dollars for a million tokens; see `Named.price`.
    """
    used = response.usage
    measured = (
        response.state == "complete"
        and not used.unmeasured_requests
        and used.input_tokens > 0
        and (used.output_tokens > 0 or not response.parts)
    )
    cost = 0.0 if is_replayed(response) else _cost(response, price) if measured else None
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
    known = _known_price(response)
    return known.model.context_window if known else None


def _cost(response: ModelResponse, price: Sequence[float] | None) -> float | None:
    """Return what a response cost in dollars, if that is known."""
    used = response.usage
    if price is not None:
        for_input, for_output, *for_cache = price
        read, written = for_cache or (for_input, for_input)
        new = used.input_tokens - used.cache_read_tokens - used.cache_write_tokens
        cached = read * used.cache_read_tokens + written * used.cache_write_tokens
        return float(for_input * new + cached + for_output * used.output_tokens) / 1_000_000
    address = response.provider_url or ""
    by_gateway = (urlsplit(address).hostname or "").endswith(GATEWAY)
    if address and not by_gateway and not _has_prices(address):
        return None  # a server, as with OPENAI_BASE_URL, may have any provider's name and models
    if used.cost is not None:  # the gateway has told it, or pydantic-ai has added up several requests
        return float(used.cost)
    known = _known_price(response)
    if known is None or not (address or response.provider_name):
        return None  # a model of the user's own may have any name
    if address and not by_gateway and not re.match(known.provider.api_pattern, address):
        return None  # pydantic-ai 2.68 goes by the provider's name where the one at the address has no such model
    return float(known.total_price)


def _has_prices(address: str) -> bool:
    """Return whether an address is a provider's own, according to genai-prices."""
    from genai_prices.data_snapshot import get_snapshot

    try:
        get_snapshot().find_provider(None, None, address)
    except LookupError:
        return False
    return True


def _known_price(response: ModelResponse) -> PriceCalculation | None:
    """Return the price from the lists of genai-prices."""
    with suppress(LookupError, ValueError, AssertionError):
        return response.cost()
    return None
