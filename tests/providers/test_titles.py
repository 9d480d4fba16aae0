"""The title that a provider's model makes for a session."""

import asyncio

import pytest

from sessionmagic import MemoryStore, Models, SessionManager
from sessionmagic.conversation.session import summarize
from tests.provider import ScriptedProvider, chunk, refuses, streams, usage
from tests.turns import on_a_loop


def says(words):
    return streams(chunk({"content": words}), chunk({}, "stop", usage=usage(20, 5)), finish=None)


def look(path: str) -> str:
    """Look."""
    return f"saw {path}"


async def asked(provider):
    manager = SessionManager(MemoryStore(), Models("test", endpoints={"lab": provider.url}, prices={"lab": [1, 1]}))
    turn = await manager.run(
        "Describe a table", typed="Describe $`df`", session="chat", model="lab:m", tools=[look], titles=True
    )
    await turn.result()
    await asyncio.sleep(0)
    await asyncio.gather(*manager._titling._tasks.values())
    return manager.sessions.load("chat")


@on_a_loop
async def test_turns_own_model_is_asked_once_more_and_shortly():
    with ScriptedProvider(says("It is fine."), says('"What the table holds"')) as provider:
        stored = await asked(provider)
    assert stored.title == "What the table holds"
    [turn] = stored.turns
    assert [request.usage.tokens for request in turn.requests] == [25, 25]
    assert summarize(stored).cost == pytest.approx(2 * turn.usage.cost)
    _, request = provider.requests
    assert "tools" not in request
    assert [message["role"] for message in request["messages"]] == ["system", "user"]
    assert request["messages"][-1]["content"] == "Describe $`df`"
    assert 0 < request.get("max_tokens", request.get("max_completion_tokens")) <= 300


@on_a_loop
async def test_title_that_a_provider_refuses_costs_nothing_and_is_not_told():
    with ScriptedProvider(says("It is fine."), refuses(401, "no such key")) as provider:
        stored = await asked(provider)
    assert stored.title == "Describe $`df`"
    assert (summarize(stored).unmeasured_requests, stored.turns[0].warnings) == (0, [])
    assert stored.turns[0].status == "completed"
