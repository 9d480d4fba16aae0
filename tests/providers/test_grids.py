"""Grids over HTTP: what is sent, how refusals are paced, and that nothing is asked more often than it has to be."""

import asyncio
import time
from contextlib import suppress

import pytest

from sessionmagic import Models, SessionManager, TinyStore, TurnFailedError
from sessionmagic.comparing import pace
from tests.chat_server import ChatServer, Reply, prompt_of


def numbers(count):
    return [f"question {number}" for number in range(count)]


def asking(manager, server, **options):
    return SessionManager(manager.store, Models(endpoints={"lab": server.url}, **options))


def test_a_cell_is_sent_what_the_first_turn_of_a_session_would_be(manager):
    system, settings = "Be brief.", {"temperature": 0.5, "max_tokens": 9}
    prompt = "<system>What?</system> [note] <|im_end|>"
    with ChatServer() as server:
        manager = asking(manager, server)
        results = manager.grid_sync([prompt], "lab:m", system=system, settings=settings)
        with suppress(TurnFailedError):  # the server does not stream
            manager.run_sync(prompt, session="s", model="lab:m", system=system, settings=settings)
    cell, turn, *_ = server.requests
    assert results[0].answer == "It is fine."
    assert cell.pop("stream") is False
    assert turn.pop("stream") is True
    turn.pop("stream_options")
    assert cell == turn


def test_usage_cost_and_time_are_in_the_rows(manager):
    with ChatServer(lambda _: Reply("ok", tokens=(1_000, 500), seconds=0.05)) as server:
        began = time.monotonic()
        [row] = asking(manager, server, prices={"lab": [2, 4]}).grid_sync(["one"], "lab:m")
        took = time.monotonic() - began
    assert (row.input_tokens, row.output_tokens, row.cost, row.finish_reason) == (1_000, 500, 0.004, "stop")
    assert 0.05 <= row.seconds <= took


async def first_twenty(server, together):
    """Wait until twenty requests are open, so that all are refused before one is made again."""
    if len(server.requests) == 20:
        together.set()
    await together.wait()


def test_a_refusal_is_waited_for_as_long_as_the_provider_asks_and_nothing_is_asked_twice_by_the_sdk(manager):
    async def answer(_):
        if len(server.requests) > 20:
            return Reply()
        await first_twenty(server, together)
        refused.append(time.monotonic())
        return Reply("slow down", 429, headers={"retry-after-ms": "400"})

    refused, together = [], asyncio.Event()

    with ChatServer(answer) as server:
        results = asking(manager, server).grid_sync(numbers(30), "lab:m")
    assert [row.error for row in results] == [None] * 30
    assert (len(server.requests), results.asked) == (50, 50)  # a refused one is made twice, by us alone
    assert server.begun[20] - refused[0] >= 0.4  # and no longer, see test_pace.py


def test_after_a_burst_of_refusals_half_as_many_are_open(manager):
    async def answer(_):
        if len(server.requests) <= 20:
            await first_twenty(server, together)
            return Reply("slow down", 429, headers={"retry-after-ms": "50"})
        if server.open >= 10:
            full.set()
        async with asyncio.timeout(30):
            await full.wait()
        await asyncio.sleep(0 if opened else 0.1)  # time enough for one too many
        opened.append(server.open)
        return Reply()

    opened = []
    together, full = asyncio.Event(), asyncio.Event()
    with ChatServer(answer) as server:
        asking(manager, server).grid_sync(numbers(40), "lab:m")
    assert opened[0] == 10


@pytest.mark.parametrize("status", [500, 503, 529, 408])
def test_a_failing_provider_is_asked_again(manager, monkeypatch, status):
    monkeypatch.setattr(pace, "FIRST_WAIT", 0.001)
    with ChatServer(lambda _: Reply("broken", status) if len(server.requests) < 3 else Reply()) as server:
        results = asking(manager, server).grid_sync(["one"], "lab:m")
    assert (results[0].answer, len(server.requests)) == ("It is fine.", 3)


def test_a_connection_that_is_lost_is_made_again(manager, monkeypatch):
    monkeypatch.setattr(pace, "FIRST_WAIT", 0.001)
    with ChatServer(lambda _: None if len(server.requests) < 3 else Reply()) as server:
        manager = asking(manager, server)
        results = manager.grid_sync(["one"], "lab:m")
    assert (results[0].answer, len(server.requests)) == ("It is fine.", 3)


@pytest.mark.parametrize(
    ("status", "words"), [(401, "refused the API key"), (400, "400: no"), (404, "does not know the address")]
)
def test_what_the_provider_will_refuse_again_is_asked_once(manager, monkeypatch, status, words):
    monkeypatch.setenv("LAB_API_KEY", "correct-horse-battery")
    with ChatServer(lambda _: Reply("no", status)) as server:
        results = asking(manager, server).grid_sync(["one"], "lab:m")
    assert words in results[0].error
    assert len(server.requests) == 1


def test_an_account_without_credit_is_not_tried_with_each_prompt(manager, monkeypatch):
    monkeypatch.setenv("LAB_API_KEY", "correct-horse-battery")
    with ChatServer(lambda _: Reply("no", 402)) as server:
        results = asking(manager, server).grid_sync(numbers(200), "lab:m")
    assert len(server.requests) <= 20
    assert results.missing == 200 - len(results.errors) >= 180
    assert results.stopped


@pytest.mark.parametrize(
    ("status", "words", "error"),
    [(401, "no", "refused the API key"), (404, "The model `m` does not exist", "does not have this model")],
)
def test_a_model_that_cannot_be_asked_is_not_tried_with_each_prompt_and_the_others_go_on(
    manager, monkeypatch, status, words, error
):
    monkeypatch.setenv("LAB_API_KEY", "correct-horse-battery")
    with ChatServer(lambda body: Reply(words, status) if body["model"] == "m" else Reply()) as server:
        results = asking(manager, server).grid_sync(numbers(200), ["lab:m", "lab:n"])
        assert sum(body["model"] == "m" for body in server.requests) <= 20
    assert (len(results.errors), results.missing, results.stopped) == (200, 0, "")
    assert all(error in row.error for row in results.errors)
    assert {row.answer for row in results if row.model == "lab:n"} == {"It is fine."}


def test_a_longer_wait_than_can_be_kept_gives_the_provider_up(manager):
    with ChatServer(lambda _: Reply("tomorrow", 429, headers={"retry-after": "86400"})) as server:
        results = asking(manager, server).grid_sync(numbers(50), "lab:m")
    assert len(server.requests) == 20
    assert results.missing == 50 - len(results.errors) > 0
    assert "too many requests" in results.errors[0].error


def test_keys_are_neither_sent_nor_stored(tmp_path, monkeypatch):
    key = "correct-horse-battery"
    monkeypatch.setenv("LAB_API_KEY", key)
    with ChatServer(lambda body: Reply(f"You said {prompt_of(body)}. It is {key}.")) as server:
        manager = SessionManager(TinyStore(tmp_path), Models(endpoints={"lab": server.url}))
        results = manager.grid_sync([f"Is it {key}?"], "lab:m")
    assert server.headers["authorization"] == f"bearer {key}"
    assert key not in repr(server.requests)
    assert results[0].answer == "You said Is it [key left out]?. It is [key left out]."
    assert key not in (tmp_path / "grids" / "grid.jsonl").read_text()


def test_as_many_requests_are_open_as_the_limit_allows(manager, monkeypatch):
    shares = []
    answered = pace.Pace.answered

    def count(each, now):
        shares.append(each.open / int(each.limit))
        answered(each, now)

    monkeypatch.setattr(pace.Pace, "answered", count)
    with ChatServer(lambda _: Reply(seconds=0.05)) as server:
        asking(manager, server).grid_sync(numbers(120), "lab:m")
    steady = shares[:-25]
    assert sum(steady) / len(steady) > 0.9
    assert 18 <= server.most <= 30
