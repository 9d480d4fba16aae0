"""Fallbacks through the real SDK: which server is asked, how often, and what the user is told."""

import asyncio
import json

import pytest

from sessionmagic import AgentDefinition, Fallback, MemoryStore, Models, SessionManager, register_model
from sessionmagic.conversation.events import ModelFellBack, TextDelta, Warned
from sessionmagic.exceptions import ModelRefusedError, TurnFailedError, TurnTimeoutError
from sessionmagic.models.compatible import endpoint
from sessionmagic.turns import fallback
from tests.clock import on_a_clock, passes
from tests.provider import (
    ScriptedProvider,
    answers,
    call_delta,
    calls,
    echoes_the_key,
    is_cut_off,
    never_answers,
    refuses,
    replies,
    streams,
    talks_nonsense,
)
from tests.turns import events_of, on_a_loop, until

NO_MODEL = "The model `m` does not exist"
LATER = replies(json.dumps({"error": {"message": "Later."}}), status=503, retry_after="60")


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(fallback, "FIRST_WAIT", 0.001)


def look() -> str:
    """Look."""
    return "seen"


def manager_of(left, right, model="left:m", **numbers):
    agent = AgentDefinition(name="assistant", model=model, fallback=Fallback(("right:n",), **numbers))
    models = Models(endpoints={"left": left.url, "right": right.url})
    return SessionManager(MemoryStore(), models, {"assistant": agent})


async def ask(manager, **options):
    turn = await manager.run("Go", session="chat", **options)
    events = await events_of(turn)
    return await turn.result(), events


def fell_back(events):
    return [(each.failed, each.reason, each.attempt) for each in events if isinstance(each, ModelFellBack)]


def warnings(events):
    return [each.text for each in events if isinstance(each, Warned)]


FAILURES = {
    "429": (refuses(429, "Slow down."), "HTTP 429", 1),
    "no credit": (refuses(429, "You have no credit.", "insufficient_quota"), "HTTP 429", 1),
    "500": (refuses(500, "Out of order."), "HTTP 500", 3),
    "503": (refuses(503, "Overloaded."), "HTTP 503", 3),
    "529": (refuses(529, "Overloaded."), "HTTP 529", 3),
    "408": (refuses(408, "Too late."), "HTTP 408", 3),
    "401": (refuses(401, "Invalid key."), "HTTP 401", 1),
    "404": (refuses(404, NO_MODEL), "HTTP 404", 1),
    "400": (refuses(400, "Unknown field."), "HTTP 400", 1),
    "cut before anything": (is_cut_off(), "connection failed or lost", 3),
    "cut after an empty text": (is_cut_off(""), "connection failed or lost", 3),
    "nothing at all": (streams(finish=None, done=False), "the answer was empty", 1),
    "only [DONE]": (streams(finish=None), "the answer was empty", 1),
    "an empty text": (answers(""), "the answer was empty", 1),
    "an error in the stream": (streams({"error": {"message": "Upstream died.", "code": 500}}), "HTTP 500", 3),
    "a web page": (replies("<html>down</html>", "text/html"), "the server answered with a web page instead of", 1),
    "no JSON": (talks_nonsense(), "Failed to decode response as JSON", 1),
}


@pytest.mark.parametrize("case", FAILURES)
@on_a_loop
async def test_another_server_answers_when_one_fails_before_it_says_anything(case):
    failing, reason, times = FAILURES[case]
    with ScriptedProvider(failing) as left, ScriptedProvider(answers("Right.")) as right:
        manager = manager_of(left, right)
        result, events = await ask(manager)
    assert (result.status, result.text, result.model) == ("completed", "Right.", "right:n")
    assert (len(left.requests), len(right.requests)) == (times, 1)
    [(failed, told, attempt)] = fell_back(events)
    assert (failed, attempt) == ("left:m", times)
    assert told.startswith(reason)
    record = manager.sessions.load("chat").turns[0]
    assert [each.model for each in record.requests] == [None] * times + ["right:n"]
    assert warnings(events) == []


@on_a_loop
async def test_empty_answer_is_paid_for_but_has_not_answered():
    with ScriptedProvider(answers("", tokens=(5, 1))) as left, ScriptedProvider(answers("R.")) as right:
        manager = manager_of(left, right)
        manager.models.prices |= {"left:m": [1e6, 0.0], "right:n": [1e6, 0.0]}
        result, _ = await ask(manager, budget=100.0)
    assert (result.model, result.usage.input_tokens, result.cost) == ("right:n", 12, 12.0)
    account = manager.sessions.load("chat").usage
    assert (account.input_tokens, account.cost) == (12, 12.0)


@on_a_loop
async def test_server_that_is_well_again_answers_itself():
    with ScriptedProvider(refuses(503, "Busy."), answers("Left.")) as left, ScriptedProvider(answers("R")) as right:
        result, events = await ask(manager_of(left, right))
    assert (result.text, len(left.requests), len(right.requests)) == ("Left.", 2, 0)
    assert (fell_back(events), warnings(events)) == ([], [])


@pytest.mark.parametrize(
    "script",
    [
        is_cut_off("Half"),
        talks_nonsense("Half"),
        streams("Half", {"error": {"message": "Upstream died.", "code": 500}}, finish=None),
    ],
    ids=["cut", "nonsense", "error"],
)
@on_a_loop
async def test_answer_that_breaks_off_after_its_first_word_is_not_said_again(script):
    with ScriptedProvider(script) as left, ScriptedProvider(answers("Right.")) as right:
        result, events = await ask(manager_of(left, right))
    assert (result.status, result.text, len(right.requests)) == ("failed", "Half", 0)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Half"
    assert fell_back(events) == []
    assert str(result.error).startswith("left:m: ")


@pytest.mark.parametrize(
    "delta", [{"reasoning_content": "Hm"}, {"tool_calls": [call_delta(0, "c1", "look", "")]}], ids=["reasoning", "call"]
)
@on_a_loop
async def test_reasoning_or_a_call_that_has_begun_is_not_asked_of_another_server(delta):
    def breaks(handler):
        handler.stream()
        handler.send_chunk(delta)

    with ScriptedProvider(breaks) as left, ScriptedProvider(answers("Right.")) as right:
        result, _ = await ask(manager_of(left, right), tools=[look], yes=True)
    assert (result.status, len(right.requests)) == ("failed", 0)


@on_a_loop
async def test_server_that_does_not_answer_in_time_is_asked_three_times():
    with ScriptedProvider(never_answers()) as left, ScriptedProvider(answers("Right.")) as right:
        register_model("slow", endpoint("left", "m", left.url, None), {"timeout": 0.05})
        result, events = await ask(manager_of(left, right, model="slow"))
    assert (result.text, fell_back(events)) == ("Right.", [("slow", "no answer in time", 3)])


@on_a_loop
async def test_each_server_gets_its_own_key_and_call_ids_that_it_takes(monkeypatch):
    monkeypatch.setenv("LEFT_API_KEY", "sk-left-0123456789")
    monkeypatch.setenv("RIGHT_API_KEY", "sk-right-0123456789")
    looks = calls(call_delta(0, "functions.look:0", "look", "{}"))
    with ScriptedProvider(looks, refuses(429, "No.")) as left, ScriptedProvider(answers("Right.")) as right:
        result, _ = await ask(manager_of(left, right), tools=[look], yes=True)
    assert (result.text, left.keys, right.keys) == ("Right.", ["sk-left-0123456789"] * 2, ["sk-right-0123456789"])
    assert (left.requests[0]["model"], right.requests[0]["model"]) == ("m", "n")
    [_, said, tool] = right.requests[0]["messages"]
    assert said["tool_calls"][0]["id"] == tool["tool_call_id"]
    assert tool["tool_call_id"].isalnum()


@on_a_loop
async def test_server_that_takes_no_tools_is_asked_without_them_in_place_of_another_one():
    with (
        ScriptedProvider(refuses(400, "m does not support tools"), answers("Left.")) as left,
        ScriptedProvider(answers("Right.")) as right,
    ):
        result, events = await ask(manager_of(left, right), tools=[look], yes=True)
    assert (result.text, len(left.requests), len(right.requests)) == ("Left.", 2, 0)
    assert warnings(events) == ["left:m takes no tools, so it was asked without look"]


@on_a_loop
async def test_when_all_servers_fail_one_line_says_why_for_each():
    with ScriptedProvider(refuses(503, "Busy.")) as left, ScriptedProvider(refuses(401, "Bad key.")) as right:
        result, _ = await ask(manager_of(left, right))
    assert type(result.error) is TurnFailedError
    assert str(result.error) == (
        "no model has answered: left:m (503: Busy., asked 3 times); right:n (401: Bad key.); try again later, or name "
        "another model with --model"
    )


@on_a_loop
async def test_key_that_a_server_repeats_is_not_in_the_error(monkeypatch):
    monkeypatch.setenv("LEFT_API_KEY", "sk-left-0123456789abcdef")
    monkeypatch.setenv("RIGHT_API_KEY", "sk-right-0123456789abcdef")
    with ScriptedProvider(echoes_the_key()) as left, ScriptedProvider(echoes_the_key(403)) as right:
        manager = manager_of(left, right)
        result, events = await ask(manager)
    shown = repr([str(result.error), result, events, manager.sessions.load("chat")])
    assert "sk-left-" not in shown
    assert "sk-right-" not in shown


@pytest.mark.parametrize("refusal", [refuses(401, "Invalid key."), refuses(404, NO_MODEL)], ids=["401", "404"])
@pytest.mark.parametrize("once", [False, True], ids=["override", "once"])
@on_a_loop
async def test_model_that_was_just_named_and_is_refused_fails_the_turn_and_is_taken_back(refusal, once):
    with ScriptedProvider(refusal) as left, ScriptedProvider(answers("Right.")) as right:
        manager = manager_of(left, right, model="right:n")
        result, events = await ask(manager, model="left:m", once=once)
        assert isinstance(result.error, ModelRefusedError)
        assert (str(result.error).startswith("left:m: "), len(right.requests)) == (True, 0)
        assert warnings(events) == ([] if once else ["session 'chat' was switched back to the default model"])
        assert manager.sessions.load("chat").agent_model_overrides == {}
        assert (await ask(manager))[0].text == "Right."


@on_a_loop
async def test_override_that_has_answered_before_falls_back_when_its_key_is_refused_later():
    with ScriptedProvider(answers("Left."), refuses(401, "Expired.")) as left, ScriptedProvider(answers("R.")) as right:
        manager = manager_of(left, right)
        assert (await ask(manager, model="left:m"))[0].text == "Left."
        result, events = await ask(manager, model="left:m")
    assert (result.text, fell_back(events)) == ("R.", [("left:m", "HTTP 401", 1)])
    assert manager.sessions.load("chat").agent_model_overrides == {"assistant": "left:m"}


@on_a_loop
async def test_stop_ends_a_wait_that_the_last_provider_has_asked_for():
    with ScriptedProvider(refuses(404, NO_MODEL)) as left, ScriptedProvider(LATER) as right:
        turn = await manager_of(left, right).run("Go", session="chat")
        await until(lambda: turn.transcript.warnings[1:])
        assert turn.transcript.warnings[1].startswith("right:n: the provider is not available (503); asked again after")
        turn.cancel()
        result = await asyncio.wait_for(turn.result(), 30)
    assert (result.status, result.error, len(right.requests)) == ("interrupted", None, 1)
    assert len(turn.transcript.warnings) == 2


@on_a_clock
async def test_time_limit_holds_during_a_wait():
    with ScriptedProvider(refuses(404, NO_MODEL)) as left, ScriptedProvider(LATER) as right:
        turn = await manager_of(left, right).run("Go", session="chat", timeout=20)
        await until(lambda: turn.transcript.warnings[1:])
        await passes(21)
        result = await turn.result()
    assert (type(result.error), len(right.requests)) == (TurnTimeoutError, 1)


@on_a_loop
async def test_stop_ends_the_wait_for_the_first_word_of_a_server():
    with ScriptedProvider(never_answers("")) as left, ScriptedProvider(answers("Right.")) as right:
        manager = manager_of(left, right)
        turn = await manager.run("Go", session="chat")
        await asyncio.to_thread(left.arrived.wait, 30)
        turn.cancel()
        result = await asyncio.wait_for(turn.result(), 30)
    assert (result.status, len(right.requests)) == ("interrupted", 0)
    [request] = manager.sessions.load("chat").turns[0].requests
    assert request.usage.unmeasured_requests == 1


@on_a_loop
async def test_sdk_of_another_agent_still_tries_again_by_itself(monkeypatch):
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    with ScriptedProvider(refuses(429, "No."), refuses(503, "No."), answers("Left.")) as left:
        models = Models(endpoints={"left": left.url})
        manager = SessionManager(MemoryStore(), models, {"plain": AgentDefinition(name="plain", model="left:m")})
        result, _ = await ask(manager)
    assert (result.text, len(left.requests)) == ("Left.", 3)
