"""How long a turn waits for a provider that has too many requests."""

import pytest
from pydantic_ai.exceptions import ModelHTTPError, ModelQuotaExceededError, ModelRateLimitError, ModelUnavailableError

from sessionmagic.conversation.events import Warned
from sessionmagic.turns.rate_limits import FIRST_WAIT, LONGEST, LONGEST_BACKOFF, SPREAD, RateLimits


def http(status, kind, **headers):
    headers = {name.replace("_", "-"): text for name, text in headers.items()}
    return ModelHTTPError.for_category(kind, status_code=status, model_name="m", body="no", headers=headers)


def limited(**headers):
    return http(429, ModelRateLimitError, **headers)


@pytest.fixture
def told():
    return []


@pytest.fixture
def waits_for():
    """What the status line says."""
    return []


@pytest.fixture
def limits(told, waits_for):
    def emit(kind, text="", why=""):
        told.append(text) if kind is Warned else waits_for.append(why)

    return lambda seconds=None: RateLimits(seconds, emit)


def waits(limits, error, most=1_000):
    found = []
    while len(found) < most and (wait := limits.wait_after("lab:m", error)) is not None:
        found.append(wait)
    return found


def test_it_waits_as_long_as_the_provider_asks_and_a_little_more_so_that_not_all_ask_at_once(limits):
    [wait] = waits(limits(), limited(retry_after="20"), most=1)
    assert 20 <= wait <= 20 * (1 + SPREAD)


def test_a_provider_that_asks_for_nothing_is_asked_less_and_less_often(limits):
    found = waits(limits(), limited())
    assert FIRST_WAIT <= found[0] < found[1] < found[2] < found[3]
    assert max(found) <= LONGEST_BACKOFF * (1 + SPREAD)
    assert sum(found) <= LONGEST < sum(found) + LONGEST_BACKOFF * (1 + SPREAD)
    assert len(found) < 50


def test_a_provider_that_asks_for_less_again_and_again_is_not_flooded(limits):
    assert len(waits(limits(), limited(retry_after_ms="1"))) < 50


@pytest.mark.parametrize("seconds", [1.5, 6.0, 12.0, 60.0, LONGEST, 100_000.0])
def test_all_of_the_time_is_used_if_the_provider_does_not_say_how_long_it_takes(limits, seconds):
    found = waits(limits(seconds), limited(), most=10_000)
    assert seconds - 2 * FIRST_WAIT <= sum(found) <= seconds
    assert min(found) >= FIRST_WAIT


def test_a_wait_that_fits_is_not_refused_because_it_is_made_longer(limits):
    for _ in range(20):
        [wait] = waits(limits(60.0), limited(retry_after="58"), most=1)
        assert 58 <= wait <= 60


def test_each_request_of_a_turn_begins_with_short_waits(limits):
    waiting = limits()
    first = waits(waiting, limited(), most=6)
    waiting.answered()
    [next_one] = waits(waiting, limited(), most=1)
    assert next_one <= FIRST_WAIT * (1 + SPREAD) < first[-1]


def test_it_waits_no_longer_than_the_turn_may_take(limits):
    assert sum(waits(limits(60.0), limited(retry_after="20"))) <= 60
    assert waits(limits(10.0), limited(retry_after="20")) == []


@pytest.mark.parametrize(
    "error",
    [
        http(429, ModelQuotaExceededError),
        http(503, ModelUnavailableError),
        limited(retry_after=str(int(LONGEST) + 1)),
        ValueError("no"),
    ],
)
def test_what_waiting_does_not_help_is_not_waited_for(limits, error):
    assert waits(limits(), error) == []


def test_the_user_is_told_now_and_then_and_the_status_says_it_each_time(limits, told, waits_for):
    count = len(waits(limits(), limited(retry_after="10")))
    assert count > 20
    assert len(told) < 10
    assert told[0].startswith("lab:m: too many requests (429); asked again after 1")
    assert told[0].endswith(" s, as the provider requests")
    assert told[-1].startswith("lab:m: still too many requests (429); asked again ")
    assert len(waits_for) == count
    assert waits_for[0].startswith("lab:m has too many requests, asked again in 1")
