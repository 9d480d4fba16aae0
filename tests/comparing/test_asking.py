"""One request of a grid: what its errors mean, and the models that can be asked."""

import asyncio

import pytest
from pydantic_ai.exceptions import ModelConnectionError, ModelHTTPError, ModelQuotaExceededError, ModelRateLimitError
from pydantic_ai.models.function import FunctionModel

from sessionmagic import MemoryStore, register_model
from sessionmagic.comparing.asking import Errand, _kind_of, ask_in_worker
from tests.turns import manager_on


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ModelRateLimitError(429, "gpt"), "refused"),
        (ModelHTTPError(429, "gpt"), "refused"),
        (ModelQuotaExceededError(429, "gpt"), "denied"),
        (ModelHTTPError(503, "gpt"), "failed"),
        (ModelHTTPError(408, "gpt"), "failed"),
        (ModelHTTPError(401, "gpt"), "denied"),
        (ModelConnectionError("gpt", "connection refused"), "failed"),
        (ModelConnectionError("gpt", "certificate verify failed"), "final"),
        (ExceptionGroup("all", [ModelHTTPError(401, "a"), ModelHTTPError(429, "b")]), "refused"),
        (ValueError("odd"), "final"),
    ],
)
def test_an_error_says_whether_asking_again_may_help(error, kind):
    assert _kind_of(error)[0] == kind


def test_a_model_that_only_streams_is_asked_too():
    async def stream(_messages, _info):
        yield "piece "
        yield "by piece"

    register_model("streams", FunctionModel(stream_function=stream))
    results = asyncio.run(manager_on(MemoryStore()).grid(["a"], ["streams"]))
    assert results[0].answer == "piece by piece"


def test_a_worker_that_does_not_know_the_model_says_so():
    failure = ask_in_worker(Errand("nosuch:model", {}, "", {}, {}), "a", "1")
    assert (failure.kind, "nosuch" in failure.error) == ("final", True)
