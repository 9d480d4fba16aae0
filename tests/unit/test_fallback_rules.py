"""Which model is asked after a failure: the rules alone, without a turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelOverloadedError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelRequestTimeout,
    ModelServerError,
    ModelTimeoutError,
    ModelUnavailableError,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models.test import TestModel

from sessionmagic import Fallback
from sessionmagic.conversation.events import ModelFellBack, Warned
from sessionmagic.exceptions import TurnFailedError, TurnLimitError, UsageError
from sessionmagic.models.cooldowns import Cooldowns
from sessionmagic.models.resolved import ResolvedModel
from sessionmagic.turns.fallback import Chain, EmptyAnswerError, FallbackRules, action_after, in_short, wait_before
from sessionmagic.turns.rate_limits import RateLimits
from tests.clock import Ticks

CATEGORIES = {
    401: ModelAuthenticationError,
    402: ModelQuotaExceededError,
    403: ModelAuthenticationError,
    404: ModelNotFoundError,
    429: ModelRateLimitError,
    503: ModelUnavailableError,
    529: ModelOverloadedError,
}


def http(status, words="No.", **headers):
    """Return the error for an HTTP status, of the class that pydantic-ai's own models raise."""
    other = ModelServerError if status >= 500 else ModelRequestRejectedError
    kind = CATEGORIES.get(status, other)
    return ModelHTTPError.for_category(
        kind, status_code=status, model_name="m", body={"message": words}, headers=headers
    )


PERMANENT = [400, 401, 402, 403, 404, 405, 409, 413, 422, 429]
PASSING = [408, 500, 502, 503, 504, 529]


@pytest.mark.parametrize("status", PASSING)
def test_same_model_is_asked_again_when_its_provider_is_unwell(status):
    assert action_after(http(status)) == action_after(ModelHTTPError(status, "m")) == "retry"


@pytest.mark.parametrize("status", PERMANENT)
def test_next_model_is_asked_when_the_provider_refuses_the_request(status):
    assert action_after(http(status)) == action_after(ModelHTTPError(status, "m")) == "next"


@pytest.mark.parametrize(
    ("error", "action", "words"),
    [
        (ModelTimeoutError("m", "timed out"), "retry", "no answer in time"),
        (ModelRequestTimeout("m", 5.0), "retry", "no answer in time"),
        (ModelConnectionError("m", "reset", phase="read"), "retry", "connection failed or lost"),
        (http(503), "retry", "HTTP 503"),
        (http(429), "next", "HTTP 429"),
        (http(500, "the context window is full: context_length_exceeded"), "next", "HTTP 500"),
        (http(503, **{"x-should-retry": "false"}), "next", "HTTP 503"),
        (ModelAPIError("m", "something; or other"), "next", "something"),
        (EmptyAnswerError(ModelResponse([], finish_reason="stop")), "next", "the answer was empty"),
        (EmptyAnswerError(ModelResponse([], finish_reason="length")), "next", "the answer was empty (length)"),
        (UnexpectedModelBehavior("not\nJSON"), "next", "not JSON"),
        (UserError("no such tool"), "next", "no such tool"),
        (RuntimeError(), "next", "RuntimeError"),
        (TurnLimitError("the budget is spent"), "stop", "the budget is spent"),
        (UsageError("no price"), "stop", "no price"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_follows_an_error_and_how_it_is_called(error, action, words):
    assert (action_after(error), in_short(error)) == (action, words)


def test_waits_double_up_to_two_seconds_and_differ_by_a_tenth_at_most():
    assert [wait_before(retry, 0.5) for retry in range(1, 7)] == [0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert (wait_before(1, 0.0), wait_before(1, 1.0)) == (pytest.approx(0.18), pytest.approx(0.22))


@pytest.mark.parametrize("numbers", [{"retries": -1}, {"cooldown": -0.5}])
def test_fallback_with_a_negative_number_is_refused(numbers):
    with pytest.raises(ValueError, match="cannot be negative"):
        Fallback(("a",), **numbers)


class Case:
    """A chain of models by name, its clock, and the events that it has emitted."""

    def __init__(self, *names, named=False, retries=2, cooldown=60.0, clock=None, patience=None):
        self.patience = patience
        self.clock = clock or Ticks()
        self.cooldowns = Cooldowns(self.clock)
        self.events = []
        self.named = named
        self.fallback = Fallback(names[1:], retries, cooldown)
        self.models = [ResolvedModel(name, TestModel(model_name=name)) for name in names]

    def chain(self, *models):
        first, *others = models or self.models
        model = ResolvedModel(first.reference, first.model, fallbacks=tuple(others))
        rules = FallbackRules(self.fallback, self.cooldowns, self.named)
        return Chain("assistant", model, rules, self.emit, RateLimits(self.patience, self.emit))

    def emit(self, kind, **content):
        self.events.append((kind, content))

    def fell_back(self):
        return [tuple(content.values()) for kind, content in self.events if kind is ModelFellBack]


def asked(model_and_wait):
    return model_and_wait[0].reference


def test_failing_model_is_asked_three_times_and_then_the_next_one():
    case = Case("a", "b")
    chain = case.chain()
    assert chain.begin().reference == "a"
    first, second = chain.after(http(503)), chain.after(http(503))
    assert (asked(first), asked(second)) == ("a", "a")
    assert 0.18 <= first[1] <= 0.22
    assert 0.36 <= second[1] <= 0.44
    assert chain.after(http(503)) == (case.models[1], 0.0)
    assert case.fell_back() == [("a", "b", "HTTP 503", 3)]


def test_without_retries_the_next_model_is_asked_at_once():
    chain = Case("a", "b", retries=0).chain()
    chain.begin()
    assert asked(chain.after(http(503))) == "b"


def test_failed_model_is_left_out_until_its_cooldown_is_over_and_the_user_is_told_once_a_run():
    case = Case("a", "b")
    chain = case.chain()
    chain.begin()
    chain.after(http(429))
    assert chain.begin().reference == "b"
    assert case.fell_back() == [("a", "b", "HTTP 429", 1)]
    case.clock.now = 19.5
    later = case.chain()
    assert [later.begin().reference, later.begin().reference] == ["b", "b"]
    assert case.fell_back()[1:] == [("a", "b", "HTTP 429, left out for 41 s more", 0)]
    case.clock.now = 60.0
    assert case.chain().begin().reference == "a"


def test_cooldown_lasts_as_long_as_the_provider_asks_to_wait():
    case = Case("a", "b")
    chain = case.chain()
    chain.begin()
    chain.after(http(429, **{"retry-after": "300"}))
    case.clock.now = 299.0
    assert case.chain().begin().reference == "b"
    case.clock.now = 300.0
    assert case.chain().begin().reference == "a"


def test_model_that_has_failed_one_agent_is_still_asked_for_another():
    cooldowns = Cooldowns(Ticks())
    cooldowns.leave_out("assistant", "a", 60, "HTTP 429")
    assert cooldowns.rest_of("assistant", "a").reason == "HTTP 429"
    assert cooldowns.rest_of("writer", "a") is None
    cooldowns.clear("writer")
    assert cooldowns.rest_of("assistant", "a").seconds == 60
    cooldowns.clear("assistant")
    assert cooldowns.rest_of("assistant", "a") is None


def test_model_without_another_one_after_it_is_not_left_out_afterwards():
    case = Case("a", "b")
    chain = case.chain()
    chain.begin()
    chain.after(http(429))
    with pytest.raises(TurnFailedError):
        chain.after(http(401))
    assert case.chain().begin().reference == "b"


def test_when_all_fail_the_error_says_of_each_model_why_and_what_to_do():
    case = Case("a", "b", "c", retries=1)
    case.cooldowns.leave_out("assistant", "b", 30.2, "HTTP 401")
    chain = case.chain()
    chain.begin()
    chain.after(http(503, "Busy"))
    chain.after(http(503, "Busy"))
    with pytest.raises(TurnFailedError) as raised:
        chain.after(http(404, "No c"))
    assert str(raised.value) == (
        "no model has answered: a (503: Busy, asked 2 times); b (HTTP 401, left out for 31 s more); c (404: No c); "
        "try again later, or name another model with --model"
    )


def test_when_all_are_left_out_none_is_asked():
    case = Case("a", "b")
    for name in ("a", "b"):
        case.cooldowns.leave_out("assistant", name, 10, "HTTP 429")
    with pytest.raises(TurnFailedError, match=r"a \(HTTP 429, left out for 10 s more\); b \(HTTP 429, left out"):
        case.chain().begin()


@pytest.mark.parametrize(("wanted", "next_one"), [("2", "a"), ("3", "b")])
def test_a_long_wait_is_not_waited_for_while_another_model_is_left(wanted, next_one):
    chain = Case("a", "b").chain()
    chain.begin()
    model, wait = chain.after(http(503, **{"retry-after": wanted}))
    assert (model.reference, wait) == (next_one, 2.0 if next_one == "a" else 0.0)


def test_the_last_model_is_waited_for_as_long_as_its_provider_asks_and_the_user_is_told():
    case = Case("a", "b")
    chain = case.chain()
    chain.begin()
    chain.after(http(404))
    model, wait = chain.after(http(503, **{"retry-after": "90"}))
    assert (model.reference, wait) == ("b", 90.0)
    [note] = [content["text"] for kind, content in case.events if kind is Warned]
    assert note.startswith("b: the provider is not available (503); asked again after 90 s")
    with pytest.raises(TurnFailedError):
        chain.after(http(503, **{"retry-after": "121"}))


def test_model_is_the_last_one_when_all_after_it_are_left_out():
    case = Case("a", "b")
    case.cooldowns.leave_out("assistant", "b", 60, "HTTP 429")
    chain = case.chain()
    chain.begin()
    assert asked(chain.after(http(503, **{"retry-after": "90"}))) == "a"


def test_error_of_our_own_stops_the_turn_and_no_other_model_is_asked():
    chain, error = Case("a", "b").chain(), TurnLimitError("the budget is spent")
    chain.begin()
    with pytest.raises(TurnLimitError) as raised:
        chain.after(error)
    assert raised.value is error


REFUSED = [http(401), http(404, "The model `m` does not exist")]


@pytest.mark.parametrize("error", REFUSED, ids=["401", "404"])
def test_model_that_was_just_named_and_that_its_provider_refuses_is_not_replaced(error):
    case = Case("a", "b", named=True)
    chain = case.chain()
    chain.begin()
    with pytest.raises(ModelHTTPError) as raised:
        chain.after(error)
    assert raised.value is error
    assert case.events == []


@pytest.mark.parametrize("error", [http(429), http(503), *REFUSED])
def test_model_that_was_just_named_is_replaced_if_it_fails_otherwise_or_has_answered_once(error):
    case = Case("a", "b", named=True, retries=0)
    chain = case.chain()
    chain.begin()
    if error in REFUSED:
        chain.begin()  # the first request was answered
    assert asked(chain.after(error)) == "b"


@given(
    models=st.integers(1, 4),
    retries=st.integers(0, 3),
    cooldown=st.sampled_from([0.0, 60.0]),
    statuses=st.lists(st.sampled_from([*PERMANENT, *PASSING, 200]), min_size=30, max_size=30),
    requests=st.integers(1, 4),
)
def test_each_model_is_asked_in_turn_and_no_more_often_than_it_may_be(models, retries, cooldown, statuses, requests):
    names = "abcd"[:models]
    case = Case(*names, retries=retries, cooldown=cooldown, patience=0.0)
    replies = iter(statuses)
    chain = case.chain()
    for _ in range(requests):
        order, ended = [], False
        try:
            model = chain.begin()
            while not ended:
                order.append(model.reference)
                status = next(replies, 200)
                ended = status == 200
                if not ended:
                    model, wait = chain.after(http(status))
                    assert 0 <= wait <= 2.2
        except TurnFailedError as error:
            assert all(f"{name} (" in str(error) for name in names)  # noqa: PT017
            break
        assert order == sorted(order)
        assert all(order.count(name) <= retries + 1 for name in names)
    for failed, fallback, _, _ in case.fell_back():
        assert failed < fallback
