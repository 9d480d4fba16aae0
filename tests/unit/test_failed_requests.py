"""The records of model requests that failed before another one was answered."""

from pydantic_ai.exceptions import ModelConnectionError, ModelHTTPError
from pydantic_ai.messages import ModelResponse, TextPart

from sessionmagic.conversation.usage import Usage, seconds_to_first_token
from sessionmagic.models.catalog import Models
from sessionmagic.turns.model_requests import ModelRequests
from tests.clock import Ticks


def test_time_to_the_first_word_counts_the_requests_that_failed_before(monkeypatch):
    clock = Ticks()
    monkeypatch.setattr("sessionmagic.turns.model_requests.time.monotonic", clock)
    requests = ModelRequests()
    for seconds in (1.0, 2.0):
        requests.begin("assistant")
        clock.now += seconds
        requests.fail(ModelHTTPError(503, "m"))
        assert requests.first_token is None
    clock.now += 10.0  # a wait
    requests.begin("assistant")
    clock.now += 0.5
    requests.hear()
    assert requests.first_token == 3.5
    requests.end(ModelResponse([TextPart("Hi")], model_name="m"))
    requests.begin("assistant")
    assert requests.first_token == 3.5 == seconds_to_first_token(requests.records)
    assert seconds_to_first_token(requests.records[:2]) is None


def test_failed_request_is_recorded_with_the_reference_that_was_asked_and_costs_what_it_may_have_cost():
    requests = ModelRequests()
    for error in (ModelHTTPError(503, "m"), ModelConnectionError("m", "reset", phase="read")):
        requests.begin("assistant", Models().resolve("test"))
        requests.fail(error)
    assert [(each.model, each.asked) for each in requests.records] == [(None, "test")] * 2
    assert [each.usage for each in requests.records] == [Usage(), Usage(unmeasured_requests=1)]
    requests.fail(ModelHTTPError(503, "m"))  # no request is open
    assert len(requests.records) == 2


def test_response_of_a_request_that_was_open_at_the_end_is_found_after_requests_that_failed():
    requests = ModelRequests()
    requests.begin("assistant", Models().resolve("test"))
    requests.fail(ModelHTTPError(503, "m"))
    requests.begin("assistant", Models().resolve("test"))
    requests.close([ModelResponse([TextPart("So far")], model_name="m", state="interrupted")])
    assert [(each.model, each.asked) for each in requests.records] == [(None, "test"), ("m", "")]
