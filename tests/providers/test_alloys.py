"""An alloy of two servers: each is sent its own model, its own key and messages that it takes."""

import itertools

from sessionmagic import MemoryStore, Models, SessionManager
from tests.provider import ScriptedProvider, answers, call_delta, calls, refuses
from tests.turns import on_a_loop


def look() -> str:
    """Look."""
    return "seen"


def in_turn():
    numbers = itertools.count()
    return lambda members: members[next(numbers) % len(members)]


def manager_of(left, right):
    models = Models(endpoints={"left": left.url, "right": right.url})
    models.choose = in_turn()
    return SessionManager(MemoryStore(), models)


@on_a_loop
async def test_each_member_is_asked_with_its_own_key_and_no_ids_of_the_other(monkeypatch):
    monkeypatch.setenv("LEFT_API_KEY", "sk-left-0123456789")
    monkeypatch.setenv("RIGHT_API_KEY", "sk-right-0123456789")
    with (
        ScriptedProvider(calls(call_delta(0, "functions.look:0", "look", "{}")), answers("Left.")) as left,
        ScriptedProvider(answers("Right.")) as right,
    ):
        manager = manager_of(left, right)
        turn = await manager.run("Go", session="chat", model="left:m,right:n", tools=[look], yes=True)
        result = await turn.result()
    assert (result.text, result.model) == ("Right.", "right:n")
    assert (left.keys, right.keys) == (["sk-left-0123456789"], ["sk-right-0123456789"])
    assert (left.requests[0]["model"], right.requests[0]["model"]) == ("m", "n")
    [_, said, tool] = right.requests[0]["messages"]
    [sent] = said["tool_calls"]
    assert sent["id"] == tool["tool_call_id"]
    assert sent["id"].isalnum()
    [first, second] = manager.sessions.load("chat").turns[0].requests
    assert (first.model, second.model) == ("left:m", "right:n")


@on_a_loop
async def test_a_member_that_its_provider_does_not_have_is_named_and_the_override_taken_back():
    with (
        ScriptedProvider(refuses(404, "The model `m` does not exist")) as left,
        ScriptedProvider(answers("Right.")) as right,
    ):
        manager = manager_of(left, right)
        result = await (await manager.run("Go", session="chat", model="left:m,right:n")).result()
    assert str(result.error).startswith("left:m: the provider does not have this model")
    assert manager.sessions.load("chat").agent_model_overrides == {}
