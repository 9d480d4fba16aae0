"""A record for each model request; what a turn, a session, a model and a day used are sums of these."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from pydantic_ai.exceptions import ModelConnectionError, ModelHTTPError, RunCancelled
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.usage import RequestUsage

from sessionmagic.conversation.events import ResponseBegan, TextDelta
from sessionmagic.conversation.session import Session, TurnRecord
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.transcript import Transcript
from sessionmagic.conversation.tree import with_interrupted_turns
from sessionmagic.conversation.usage import RequestRecord, Usage, total
from sessionmagic.exceptions import TurnTimeoutError
from sessionmagic.notebook.captions import footer, run_line
from sessionmagic.notebook.figures import duration, money, tokens
from sessionmagic.sessions.usage import BY, usage_by
from sessionmagic.testing import call, hang, paced, script
from sessionmagic.turns.model_requests import ModelRequests, usage_of
from tests.turns import acted, ask, events_of, on_a_loop, said, until

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
async def test_time_to_the_first_token_is_told_once_as_soon_as_it_is_known(manager):
    script("acts", ["I look.", call("look")], "Done.")
    turn = await manager.run("Hello", session="chat", model="acts", tools=[look], yes=True)
    events, result = await events_of(turn), await turn.result()
    [(place, began)] = [(at, event) for at, event in enumerate(events) if isinstance(event, ResponseBegan)]
    assert isinstance(events[place + 1], TextDelta)
    assert began.seconds == result.first_token == turn.transcript.first_token
    assert f"first text after {duration(began.seconds)}" in run_line(replace(turn.transcript, status="running"), 0.0)
    assert transcript_of("chat", manager.sessions.load("chat").turns[0]).first_token == began.seconds


@on_a_loop
async def test_time_to_the_first_token_is_that_of_the_request(manager):
    script("slow", paced(["It ", "is ", "fine."], 0.05))
    await ask(manager, model="slow")
    [request] = manager.sessions.load("chat").turns[0].requests
    assert request.first_token_seconds >= 0.05
    assert request.seconds - request.first_token_seconds >= 0.1


@on_a_loop
async def test_result_has_the_number_of_the_turn_and_how_long_it_and_its_requests_took(manager):
    async def wait() -> str:
        """Wait."""
        await asyncio.sleep(0.2)
        return "waited"

    await ask(manager)
    result, _, _ = await acted(manager, [("wait", {})], "Done.", tools=[wait], yes=True)
    stored = manager.sessions.load("chat").turns[1]
    assert f"turn {result.number} · " in footer(transcript_of("chat", stored))
    assert f" · {duration(result.seconds)}" in footer(transcript_of("chat", stored))
    assert result.elapsed >= 0.19 + result.seconds > 0.19
    assert result.elapsed >= stored.finished_at - stored.started_at
    for name in ("turn", "seconds", "first_token", "elapsed"):
        assert f"{name}={getattr(result, name)!r}" in repr(result)
    assert replace(result, turn="edited").number is None


@on_a_loop
async def test_request_that_was_stopped_has_a_record_with_what_came(manager):
    script("stuck", ["So far", hang()])
    turn = await manager.run("Hello", session="chat", model="stuck")
    await said(turn)
    turn.cancel()
    await turn.result()
    [request] = manager.sessions.load("chat").turns[0].requests
    assert (request.finish_reason, request.first_token_seconds is None) == (None, False)
    assert (request.usage.output_tokens > 0, request.usage.cost) == (True, None)
    assert request.usage.unmeasured_requests == 1


@pytest.mark.parametrize("chunks", [(), ("So far",)], ids=["silent", "after some words"])
@on_a_loop
async def test_stopped_turn_is_of_unknown_cost_in_its_result_its_footer_and_its_session(manager, chunks):
    script("stuck", [*chunks, hang()])
    await ask(manager, model="calm")
    turn = await manager.run("Hello", session="chat", model="stuck")
    await (said(turn) if chunks else until(lambda: turn.transcript.turn_id))
    await asyncio.sleep(0.05)  # the model is asked
    turn.cancel()
    result = await turn.result()
    assert (result.cost, result.usage.unmeasured_requests) == (None, 1)
    assert "cost unknown" in footer(turn.transcript)
    assert "cost unknown" in footer(transcript_of("chat", manager.sessions.load("chat").turns[-1]))
    [summary], _ = manager.sessions.summaries()
    assert summary.unmeasured_requests == 1


@on_a_loop
async def test_turn_that_was_stopped_in_a_tool_call_costs_what_its_requests_cost(manager):
    async def wait() -> str:
        """Wait."""
        await asyncio.Event().wait()
        return "waited"

    script("acts", call("wait"), "Done.")
    turn = await manager.run("Go", session="chat", model="acts", tools=[wait], yes=True)
    await until(lambda: manager.sessions.load("chat").turns[0].requests)
    turn.cancel()
    result = await turn.result()
    assert (len(manager.sessions.load("chat").turns[0].requests), result.usage.unmeasured_requests) == (1, 0)


@on_a_loop
async def test_request_that_failed_in_silence_has_a_record_of_no_model(manager):
    script("mute", RuntimeError("it broke"))
    result = await ask(manager, model="mute")
    [turn] = manager.sessions.load("chat").turns
    [request] = turn.requests
    assert (request.model, request.usage, request.first_token_seconds) == (None, Usage(), None)
    assert (turn.answered_by, result.model) == (None, "mute")


@on_a_loop
async def test_request_that_was_refused_costs_nothing(manager):
    script("shut", ModelHTTPError(401, "shut"))
    result = await ask(manager, model="shut")
    assert (result.status, result.usage) == ("failed", Usage())


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
    reported = RequestUsage(
        input_tokens=10,
        cache_read_tokens=4,
        cache_write_tokens=3,
        output_tokens=20,
        output_reasoning_tokens=15,
    )
    used = usage_of(ModelResponse(parts=[], usage=reported))
    assert (used.input_tokens, used.cached_tokens, used.cache_write_tokens) == (10, 4, 3)
    assert (used.output_tokens, used.reasoning_tokens) == (20, 15)


def response(model="claude-sonnet-4-5", provider="anthropic", *, parts=("Yes.",), state="complete", **used):
    return ModelResponse(
        parts=[TextPart(text) for text in parts],
        model_name=model,
        provider_name=provider,
        usage=RequestUsage(**used),
        state=state,
    )


def test_reading_and_writing_a_cache_have_their_own_prices():
    def cost(**cache):
        return usage_of(response(input_tokens=10_000, output_tokens=100, **cache)).cost

    assert cost(cache_read_tokens=9_000) < cost() < cost(cache_write_tokens=9_000)


@pytest.mark.parametrize(
    ("address", "known"),
    [(None, True), ("https://api.anthropic.com", True), ("https://gateway.example/anthropic", False)],
)
def test_price_is_that_of_the_address_and_not_of_the_name_a_server_gives_itself(address, known):
    got = replace(response(input_tokens=10, output_tokens=10), provider_url=address)
    used = usage_of(got)
    assert (used.cost is not None, used.unpriced_requests) == (known, 0 if known else 1)


@pytest.mark.parametrize("address", ["https://me--vllm.modal.run/v1/", "https://openrouter.ai/api/v1/"])
def test_price_is_not_that_of_the_name_where_another_provider_has_the_address(address):
    got = ModelResponse(
        [TextPart("Hi")],
        usage=RequestUsage(input_tokens=10, output_tokens=10),
        model_name="gpt-4o",
        provider_name="openai",
        provider_url=address,
    )
    assert usage_of(replace(got, provider_url="https://api.openai.com/v1/")).cost is not None
    assert usage_of(got).cost is None


def test_model_that_names_no_provider_is_unpriced():
    got = response(input_tokens=10, output_tokens=10)
    assert usage_of(replace(got, provider_name=None, provider_url=None)).cost is None


def test_price_that_the_user_gives_replaces_any_other():
    got = response(input_tokens=1_000_000, output_tokens=100_000)
    assert usage_of(got, [1, 20]).cost == pytest.approx(3)


def test_cost_that_a_gateway_tells_is_taken():
    got = replace(
        response(input_tokens=10, output_tokens=10), provider_url="https://gateway-eu.pydantic.dev/proxy/openai"
    )
    got.usage.cost = Decimal("0.25")
    assert usage_of(got).cost == 0.25


def test_reasoning_is_priced_as_output():
    few = usage_of(response("o3", "openai", input_tokens=10, output_tokens=100))
    many = usage_of(response("o3", "openai", input_tokens=10, output_tokens=1100, output_reasoning_tokens=1000))
    assert many.cost > 5 * few.cost > 0


def test_prices_are_added_request_by_request_and_not_that_of_the_added_tokens():
    def cost(tokens):
        return usage_of(response("gemini-2.5-pro", "google", input_tokens=tokens, output_tokens=1)).cost

    requests = ModelRequests()
    for _ in range(2):
        requests.begin("a")
        requests.end(response("gemini-2.5-pro", "google", input_tokens=150_000, output_tokens=1))
    assert requests.usage.cost == pytest.approx(2 * cost(150_000))
    assert cost(300_000) > 1.5 * requests.usage.cost  # the price of a long context is that of a single request


@pytest.mark.parametrize(
    "got",
    [
        response(),
        response(unmeasured_requests=1),
        response(input_tokens=10),
        response(input_tokens=10, output_tokens=1, state="interrupted"),
        response(input_tokens=10, output_tokens=1, state="incomplete"),
    ],
    ids=["no tokens", "no usage", "no output", "stopped", "cut off"],
)
def test_cost_of_a_response_without_readable_usage_is_unknown_and_not_zero(got):
    assert (usage_of(got).unmeasured_requests, usage_of(got).cost) == (1, None)


def test_empty_answer_is_measured():
    assert usage_of(response(parts=[], input_tokens=10)).unmeasured_requests == 0


@pytest.mark.parametrize(
    ("error", "unmeasured"),
    [
        (RunCancelled("stopped"), 1),
        (TurnTimeoutError("late"), 1),
        (ModelConnectionError("m", "lost", phase="read"), 1),
        (ModelConnectionError("m", "refused", phase="connect"), 0),
        (ModelHTTPError(401, "m"), 0),
    ],
)
def test_request_without_a_response_costs_nothing_if_it_was_refused_and_else_is_of_unknown_cost(error, unmeasured):
    requests = ModelRequests()
    requests.begin("a")
    requests.close([], error)
    assert requests.usage == Usage(unmeasured_requests=unmeasured)


def used(*costs, **tokens):
    return [
        Usage(input_tokens=10, output_tokens=1, cost=cost, unpriced_requests=int(cost is None), **tokens)
        for cost in costs
    ]


STOPPED = Usage(input_tokens=5, unmeasured_requests=1)


@pytest.mark.parametrize(
    ("usages", "cost"),
    [
        ([], None),
        (used(None), None),
        (used(0.5, 0.25), 0.75),
        (used(0.5, None), 0.5),
        ([*used(0.5), Usage()], 0.5),
        ([Usage(cost=0.0)], 0.0),
        ([STOPPED], None),
        ([*used(0.5), STOPPED], 0.5),
        ([*used(None), STOPPED], None),
    ],
)
def test_total_has_the_known_cost(usages, cost):
    assert total(usages).cost == cost


@pytest.mark.parametrize(
    ("usages", "words"),
    [
        (used(0.12), "$0.1200"),
        (used(None), "unpriced"),
        (used(0.00002), "less than $0.0001"),
        ([Usage(cost=0.0)], "$0.0000"),
        ([STOPPED], "unknown"),
        ([*used(0.12), STOPPED], "at least $0.1200; 1 request of unknown cost"),
        ([*used(0.12), STOPPED, STOPPED], "at least $0.1200; 2 requests of unknown cost"),
        ([*used(0.00002), STOPPED], "unknown"),
        (used(0.0, None), "unpriced"),
        (used(0.12, None), "at least $0.1200; 1 request without a price"),
        ([*used(0.12, None, None), STOPPED], "at least $0.1200; 1 request of unknown cost, 2 requests without a price"),
    ],
)
def test_cost_in_words_says_what_is_missing(usages, words):
    assert money(total(usages)) == words
    assert words in footer(Transcript(session="chat", usage=total(usages)))


def test_tokens_of_a_stopped_request_are_a_lower_bound():
    assert tokens(total([*used(0.5), STOPPED])) == "at least 15 → 1"
    assert tokens(Usage(unmeasured_requests=1)) == "unknown"
    assert "tokens" not in footer(Transcript(usage=Usage(unmeasured_requests=1)))


def test_footer_of_a_refused_request_names_no_cost():
    assert footer(Transcript(session="chat", model="m", usage=Usage())) == "chat · m"


def test_request_that_was_open_when_the_process_ended_is_of_unknown_cost():
    prompt, answer = {"kind": "request", "parts": []}, {"kind": "response", "parts": []}

    def after_a_crash(*messages):
        turn = replace(sessions()[1].turns[0], messages=list(messages))
        return total(
            each.usage
            for each in with_interrupted_turns(replace(sessions()[1], turns=(turn,)), {"1"}).turns[0].requests
        )

    assert after_a_crash(prompt).unmeasured_requests == 1
    assert after_a_crash(prompt, answer | {"state": "interrupted"}).unmeasured_requests == 1
    assert after_a_crash(prompt, answer).unmeasured_requests == 0


def test_total_adds_every_kind_of_token():
    added = total(used(0.5, 0.5, cached_tokens=4, cache_write_tokens=3, reasoning_tokens=1))
    assert added == Usage(
        input_tokens=20, cached_tokens=8, cache_write_tokens=6, output_tokens=2, reasoning_tokens=2, cost=1.0
    )


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
        (entry.model, entry.turns, entry.requests, entry.input_tokens, entry.cost)
        for entry in usage_by(sessions(), "model")
    ]
    assert rows == [("x", 2, 3, 30, 1.5), ("y", 2, 2, 20, 1.0), ("asked", 1, 1, 10, 0.5)]


def test_usage_by_day_starts_with_the_earliest():
    rows = [(entry.day, entry.turns, entry.requests) for entry in usage_by(reversed(sessions()), "day")]
    assert rows == [("1970-01-21", 2, 4), ("1970-01-22", 1, 2)]


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        ("session", [("s", "", "", "", 2, 5, 2.5), ("t", "1", "y", "1970-01-21", 1, 1, 0.5)]),
        (
            "turn",
            [
                ("s", "1", "", "1970-01-21", 1, 3, 1.5),
                ("s", "2", "", "1970-01-22", 1, 2, 1.0),
                ("t", "1", "y", "1970-01-21", 1, 1, 0.5),
            ],
        ),
        ("agent", [("", "", "", "", 3, 6, 3.0)]),
    ],
)
def test_entry_names_what_all_its_requests_have_in_common(by, rows):
    one, other = sessions()
    found = usage_by([one, replace(other, name="t")], by)
    names = ("session", "turn", "model", "day", "turns", "requests", "cost")
    assert [tuple(getattr(entry, name) for name in names) for entry in found] == rows


def test_each_request_has_an_entry():
    found = usage_by(sessions(), "request")
    assert [(entry.turn, entry.model, entry.requests) for entry in found][:3] == [
        ("1", "x", 1),
        ("1", "y", 1),
        ("1", "x", 1),
    ]
    assert len(found) == 6


def test_every_division_adds_up_to_the_same():
    sums = [total(usage_by(sessions(), by)) for by in BY]
    assert all(each == sums[0] for each in sums)


def test_unknown_usage_of_an_entry_is_not_zero():
    turn = replace(
        sessions()[0].turns[0], requests=[RequestRecord(agent="a", model=None, usage=Usage(unmeasured_requests=1))]
    )
    [entry] = usage_by([replace(sessions()[0], turns=(turn,))], "turn")
    assert (tokens(entry), money(entry), entry.cost, entry.unmeasured_requests) == ("unknown", "unknown", None, 1)
