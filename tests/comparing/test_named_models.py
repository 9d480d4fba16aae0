"""Grids and judges ask the named models of the agents file in use, with their settings and prices."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from sessionmagic import Agents, Models, Request, SessionManager, UsageError
from sessionmagic.comparing.contestants import contestants
from sessionmagic.comparing.judge import Judge
from sessionmagic.testing import script
from tests.chat_server import ChatServer, Reply, prompt_of
from tests.turns import on_a_loop


@pytest.fixture
def server():
    with ChatServer(lambda body: Reply(f"{body['model']}: {prompt_of(body)}")) as server:
        yield server


@pytest.fixture
def grid(manager, server):
    """Return a function that runs a grid with the named models of a file."""
    lab = {"provider": "openai", "base_url": server.url, "temperature": 0.25, "cost": {"input": 1, "output": 1}}
    models = {
        "quick": {**lab, "model": "a"},
        "slow": {**lab, "model": "b", "provider_opts": {"top_k": 20}},
        "told": {"provider": "campus", "model": "c"},
    }
    providers = {"campus": {"base_url": server.url, "headers": {"X-Course": "stats"}}}
    file = {"models": models, "providers": providers, "agents": {"root": {"model": "quick"}}}
    manager = SessionManager(manager.store, Models("calm"), Agents(file))
    return lambda *references, **options: manager.grid_sync(["Hi"], list(references), **options)


def sent(server):
    return {request["model"]: (request.get("temperature"), request.get("top_k")) for request in server.requests}


def test_named_models_are_asked_with_their_settings_and_prices(grid, server):
    results = grid("quick", "slow")
    assert {row.model: row.answer for row in results} == {"quick": "a: Hi", "slow": "b: Hi"}
    assert sent(server) == {"a": (0.25, None), "b": (0.25, 20)}
    assert all(row.cost for row in results)


def test_settings_of_the_grid_come_before_those_of_a_name_and_defaults_after(grid, server):
    grid("quick", settings={"temperature": 0.75}, name="one")
    grid("slow", defaults={"temperature": 0.5, "seed": 7}, name="two")
    assert sent(server) == {"a": (0.75, None), "b": (0.25, 20)}
    assert server.requests[1]["seed"] == 7


def test_workers_of_an_executor_ask_named_models_too(grid, server):
    with ThreadPoolExecutor(1) as executor:
        results = grid("slow", executor=executor, name="elsewhere")
        assert [row.answer for row in results] == ["b: Hi"]
        assert sent(server) == {"b": (0.25, 20)}
        with pytest.raises(UsageError, match=r"^told is sent headers, which workers of an executor do not get; "):
            grid("told", executor=executor, name="told")
    assert [row.answer for row in grid("told", name="told")] == ["c: Hi"]


@on_a_loop
async def test_a_named_model_judges_a_comparison(manager):
    script("one", "short")
    script("two", "a longer one")
    script("third", '{"better": "1"}')
    file = {"models": {"referee": {"model": "third"}}, "agents": {"root": {"model": "one"}}}
    manager = SessionManager(manager.store, manager.models, Agents(file))
    comparison = await manager.compare(
        Request(prompt="Hi", session="chat"), contestants(["one", "two"]), judge="referee"
    )
    await comparison.answers()
    turns = await manager.comparisons.judge("chat", Judge("referee"))
    assert {verdict.judge for verdict in turns[0].verdicts} == {"referee"}
