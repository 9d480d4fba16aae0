"""A record for each model request; what a turn, a session, a model and a day used are sums of these."""

import asyncio
from dataclasses import replace

import pytest
from pydantic_ai.messages import ModelResponse
from pydantic_ai.usage import RequestUsage

from sessionmagic.conversation.session import Session, TurnRecord
from sessionmagic.conversation.usage import RequestRecord, Usage, total
from sessionmagic.sessions.usage import usage_by_day, usage_by_model
from sessionmagic.testing import call, hang, paced, script
from sessionmagic.turns.model_requests import usage_of
from tests.turns import acted, ask, on_a_loop, said, until

DAY = 86_400.0


def look() -> str:
    """Look."""
    return "seen"


@on_a_loop
async def test_each_request_of_a_turn_has_a_record(manager):
    result, _, _ = await acted(manager, [("look", {})], "Done.", tools=[look], yes=True)
    [turn] = manager.sessions.load("chat").turns
    first, second = turn.requests
    assert [(request.agent, request.model) for request in turn.requests] == [("assistant", turn.answered_by)] * 2
    for request in turn.requests:
        assert request.usage.input_tokens > 0
        assert request.usage.output_tokens > 0
        assert 0 <= request.first_token_seconds <= request.seconds
    assert result.usage == turn.usage == total([first.usage, second.usage])


@on_a_loop
async def test_time_to_the_first_token_is_that_of_the_request(manager):
    script("slow", paced(["It ", "is ", "fine."], 0.05))
    await ask(manager, model="slow")
    [request] = manager.sessions.load("chat").turns[0].requests
    assert request.first_token_seconds >= 0.05
    assert request.seconds - request.first_token_seconds >= 0.1


@on_a_loop
async def test_request_that_was_stopped_has_a_record_with_what_came(manager):
    script("stuck", ["So far", hang()])
    turn = await manager.run("Hello", session="chat", model="stuck")
    await said(turn)
    turn.cancel()
    await turn.result()
    [request] = manager.sessions.load("chat").turns[0].requests
    assert (request.finish_reason, request.first_token_seconds is None) == (None, False)
    assert request.usage.output_tokens > 0


@on_a_loop
async def test_request_that_failed_in_silence_has_a_record_of_no_model(manager):
    script("mute", RuntimeError("it broke"))
    result = await ask(manager, model="mute")
    [turn] = manager.sessions.load("chat").turns
    [request] = turn.requests
    assert (request.model, request.usage, request.first_token_seconds) == (None, Usage(), None)
    assert (turn.answered_by, result.model) == (None, "mute")


@on_a_loop
async def test_requests_are_on_disk_while_the_turn_goes_on(manager):
    waiting = asyncio.Event()

    async def wait() -> str:
        """Wait."""
        await waiting.wait()
        return "waited"

    script("acts", call("wait"), "Done.")
    turn = await manager.run("Go", session="chat", model="acts", tools=[wait], yes=True)
    await until(lambda: manager.sessions.load("chat").turns[0].requests)
    waiting.set()
    await turn.result()
    assert len(manager.sessions.load("chat").turns[0].requests) == 2


def test_cached_and_reasoning_tokens_of_a_response_are_kept():
    reported = RequestUsage(input_tokens=10, cache_read_tokens=4, output_tokens=20, output_reasoning_tokens=15)
    expected = Usage(input_tokens=10, cached_tokens=4, output_tokens=20, reasoning_tokens=15)
    assert usage_of(ModelResponse(parts=[], usage=reported)) == expected


def used(*costs, **tokens):
    return [Usage(input_tokens=10, output_tokens=1, cost=cost, **tokens) for cost in costs]


@pytest.mark.parametrize(
    ("usages", "cost"),
    [
        ([], None),
        (used(None), None),
        (used(0.5, 0.25), 0.75),
        (used(0.5, None), None),
        ([*used(0.5), Usage()], 0.5),
        ([Usage(cost=0.0)], 0.0),
    ],
)
def test_total_has_a_cost_when_all_that_used_tokens_have_one(usages, cost):
    assert total(usages).cost == cost


def test_total_adds_every_kind_of_token():
    added = total(used(0.5, 0.5, cached_tokens=4, reasoning_tokens=1))
    assert added == Usage(input_tokens=20, cached_tokens=8, output_tokens=2, reasoning_tokens=2, cost=1.0)


def sessions():
    def turn(number, at, *models):
        requests = [RequestRecord(agent="a", model=model, usage=used(0.5)[0]) for model in models]
        return TurnRecord(
            id=str(number), parent=None, agent="a", model="asked", prompt="p", started_at=at, requests=requests
        )

    empty = Session(id="s", name="s", created_at=1.0, updated_at=1.0)
    noon = 20 * DAY + DAY / 2
    one = replace(empty, turns=(turn(1, noon, "x", "y", "x"), turn(2, noon + DAY, "x", None)))
    return [one, replace(empty, id="t", turns=(turn(1, noon, "y"),))]


def test_usage_by_model_counts_the_turns_and_requests_of_each():
    rows = [
        (entry.heading, entry.turns, entry.requests, entry.input_tokens, entry.cost)
        for entry in usage_by_model(sessions())
    ]
    assert rows == [("x", 2, 3, 30, 1.5), ("y", 2, 2, 20, 1.0), ("asked", 1, 1, 10, 0.5)]


def test_usage_by_day_starts_with_the_earliest():
    rows = [(entry.heading, entry.turns, entry.requests) for entry in usage_by_day(reversed(sessions()))]
    assert rows == [("1970-01-21", 2, 4), ("1970-01-22", 1, 2)]
