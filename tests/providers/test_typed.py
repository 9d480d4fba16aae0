"""How servers are asked for a structured answer, also those that take no tools, no formats, or ignore both."""

import json

import pytest
from pydantic import BaseModel

from sessionmagic import MemoryStore, Models, SessionManager, TurnLimitError
from sessionmagic.conversation.events import Warned
from sessionmagic.conversation.usage import Usage
from sessionmagic.turns.account import KERNEL
from tests import strict
from tests.chat_server import ChatServer, Reply
from tests.provider import ScriptedProvider, answers, call_delta, calls, refuses
from tests.turns import events_of, on_a_loop, whole


class Person(BaseModel):
    name: str
    age: int = 3


TEXT = '{"name": "Ada", "age": 36}'
ADA = Person(name="Ada", age=36)
gives = calls(call_delta(0, "call_1", "final_result", TEXT))


def look(path: str) -> str:
    """Look."""
    return f"saw {path}"


def manager_of(provider):
    return SessionManager(MemoryStore(), Models("test", endpoints={"lab": provider.url}))


async def run(manager, **options):
    options = {"model": "lab:m", "output_type": Person, "yes": True, "system": "Be brief."} | options
    turn = await manager.run("Who?", session="chat", **options)
    warnings = [event.text for event in whole(await events_of(turn)) if isinstance(event, Warned)]
    return await turn.result(), warnings


def tools_in(body):
    return [tool["function"]["name"] for tool in body.get("tools", [])]


def refusing(*ways):
    """Return a script that refuses requests in these ways, and otherwise gives the answer."""

    def script(handler):
        body = handler.body
        if "tools" in ways and body.get("tools"):
            return refuses(400, "registry.ollama.ai/library/gemma3:4b does not support tools")(handler)
        if "response_format" in ways and body.get("response_format"):
            return refuses(400, "response_format is not supported by this model")(handler)
        return (gives if "final_result" in tools_in(body) else answers(TEXT))(handler)

    return script


@on_a_loop
async def test_server_with_tools_is_given_one_for_the_answer():
    with ScriptedProvider(gives) as provider:
        result, warnings = await run(manager_of(provider), tools=[look])
    (body,) = provider.requests
    assert (result.value, warnings) == (ADA, [])
    assert tools_in(body) == ["look", "final_result"]
    schema = body["tools"][1]["function"]["parameters"]
    assert (schema["properties"]["name"]["type"], schema["required"]) == ("string", ["name"])
    assert "response_format" not in body


@pytest.mark.parametrize("ways", [["tools"], ["response_format", "tools"]], ids=" and ".join)
@pytest.mark.parametrize("tools", [[], [look]], ids=["alone", "with a function"])
@on_a_loop
async def test_server_that_refuses_a_way_is_asked_in_words_and_never_again_in_that_way(ways, tools):
    with ScriptedProvider(refusing(*ways)) as provider:
        manager = manager_of(provider)
        result, warnings = await run(manager, tools=tools)
        assert result.value == ADA
        assert any("refuses a tool for the answer" in text for text in warnings)
        before = len(provider.requests)
        again, _ = await run(manager, tools=tools)
    assert again.value == ADA
    (body,) = provider.requests[before:]
    assert tools_in(body) == []
    assert ("response_format" in body) == ("response_format" not in ways)
    (system,) = [message["content"] for message in body["messages"] if message["role"] == "system"]
    assert system.startswith("Be brief.")
    assert '"required": ["name"]' in system


@on_a_loop
async def test_refused_output_tool_does_not_take_the_functions_away():
    def script(handler):
        if "final_result" in tools_in(handler.body):
            refuses(400, "Invalid schema for function 'final_result'")(handler)
        else:
            answers(TEXT)(handler)

    with ScriptedProvider(script) as provider:
        result, _ = await run(manager_of(provider), tools=[look])
    assert result.value == ADA
    assert tools_in(provider.requests[-1]) == ["look"]


@pytest.mark.parametrize(("status", "words"), [(401, "tools need another key"), (400, "Out of cheese"), (429, "tools")])
@on_a_loop
async def test_other_refusals_are_errors_at_once(status, words, monkeypatch):
    monkeypatch.setattr("sessionmagic.turns.rate_limits.LONGEST", 0.0)
    with ScriptedProvider(refuses(status, words)) as provider:
        result, _ = await run(manager_of(provider))
    assert (result.status, result.value) == ("failed", None)
    assert all("final_result" in tools_in(body) for body in provider.requests)


@on_a_loop
async def test_server_that_ignores_the_tool_is_asked_in_words_the_second_time():
    with ScriptedProvider(answers("It is Ada, who is 36."), answers(TEXT)) as provider:
        result, _ = await run(manager_of(provider))
    assert (result.value, result.usage.input_tokens) == (ADA, 14)
    first, second = provider.requests
    assert (tools_in(first), tools_in(second)) == (["final_result"], [])
    assert '"required": ["name"]' in second["messages"][0]["content"]


@pytest.mark.parametrize("way", ["tool", "text"])
@on_a_loop
async def test_answer_that_reaches_the_token_limit_is_not_asked_for_again(way):
    begun = '{"name": "A'
    cut = calls(call_delta(0, "call_1", "final_result", begun), finish="length")
    with ScriptedProvider(cut if way == "tool" else answers(begun, finish="length")) as provider:
        result, _ = await run(manager_of(provider))
    assert "the answer reached the token limit before its JSON was complete; raise max_tokens" in str(result.error)
    assert len(provider.requests) == 1


@pytest.mark.parametrize("family", strict.FAMILIES, ids=lambda family: family.__name__)
@on_a_loop
async def test_history_with_structured_answers_is_valid_for_the_strictest_server(family):
    refusals = []

    def script(handler):
        refusals.append(family(handler.body["messages"]))
        steps.pop(0)(handler)

    bad = calls(call_delta(0, "call_1", "final_result", '{"age": "x"}'))
    both = calls([call_delta(0, "call_1", "look", '{"path": "a"}'), call_delta(1, "call_2", "final_result", TEXT)])
    steps = [bad, gives, both, answers("prose"), gives, answers("Fine."), gives, answers("Fine.")]
    with ScriptedProvider(script) as provider:
        manager = manager_of(provider)
        for options in [
            {},
            {"tools": [look]},
            {},
            {"output_type": None},
            {"model": "lab:other"},
            {"output_type": None, "model": "lab:third"},
        ]:
            result, _ = await run(manager, **options)
            assert result.status == "completed"
    assert refusals == [None] * 8
    assert tools_in(provider.requests[-1]) == []


def reply_to(body):
    if body["model"] == "refuses" and body.get("tools"):
        return Reply("this model does not support tools", status=400)
    return Reply(TEXT if body["model"] != "prose" else "It is Ada.")


def test_grid_asks_each_server_in_the_way_that_it_takes():
    with ChatServer(reply_to) as server:
        models = Models("test", endpoints={"lab": server.url}, prices={"lab:prose": (1, 1)})
        manager = SessionManager(MemoryStore(), models)
        results = manager.grid_sync(["Who?"], ["lab:takes", "lab:refuses", "lab:prose"], output_type=Person)
    assert [row.value for row in results] == [ADA, ADA, None]
    assert "the answer does not fit Person" in results[2].error
    assert results.spent == pytest.approx(4 * 10 / 1_000_000)  # what the answers that do not fit have cost
    assert results.asked == len(server.requests) == 1 + 2 + 4
    assert json.loads(results[0].answer) == {"name": "Ada", "age": 36}


def test_grid_counts_what_an_answer_that_does_not_fit_has_cost_if_the_next_try_is_refused():
    def answer(_):
        if len(server.requests) % 2:
            return Reply('{"nobody": 1}', tokens=(1_000_000, 1))
        return Reply("slow down", status=429, headers={"retry-after-ms": "1"})

    with ChatServer(answer) as server:
        manager = SessionManager(MemoryStore(), Models("test", endpoints={"lab": server.url}, prices={"lab": (2, 0)}))
        results = manager.grid_sync(["Who?"], "lab:m", output_type=Person, max_cost=5.0)
    assert "has spent $6.0000 of its max_cost of $5.0000" in results.stopped
    assert (results.spent, results.asked, len(server.requests)) == (pytest.approx(6.0), 5, 5)


@pytest.mark.parametrize("limit", [{"max_cost": 3.0}, {}], ids=["max_cost", "the budget of the kernel"])
def test_grid_does_not_ask_again_for_an_answer_that_fits_when_its_budget_is_spent(monkeypatch, limit):
    monkeypatch.setattr(KERNEL, "used", Usage())
    monkeypatch.setattr(KERNEL, "budget", None if limit else 3.0)
    with ChatServer(lambda _: Reply('{"nobody": 1}', tokens=(1_000_000, 1))) as server:
        manager = SessionManager(MemoryStore(), Models("test", endpoints={"lab": server.url}, prices={"lab": (2, 0)}))
        results = manager.grid_sync(["Who?"], "lab:m", output_type=Person, **limit)
    assert len(server.requests) == results.asked == 2
    assert results.spent == KERNEL.used.cost == pytest.approx(4.0)
    assert "has spent $4.0000" in results.stopped
    assert isinstance(results.error, TurnLimitError)
