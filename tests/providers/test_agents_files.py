"""Models and servers of an agents file, asked over HTTP."""

import pytest

from sessionmagic import Agents, MemoryStore, Models, Request, SessionManager
from sessionmagic.comparing.contestants import contestants
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.notebook.captions import footer
from tests.provider import ScriptedProvider, answers, chunk, refuses, streams, usage
from tests.turns import ask, on_a_loop, until


@pytest.fixture
def lab():
    with ScriptedProvider(answers("Hi", tokens=(1_000_000, 2_000))) as provider:
        yield provider


def manager_of(content):
    return SessionManager(MemoryStore(), Models("test"), Agents(content))


def shown(manager):
    session = manager.sessions.load("chat")
    return footer(transcript_of(session.name, session.turns[-1]))


@on_a_loop
async def test_a_named_model_asks_its_own_address_with_its_settings_key_and_price(lab, monkeypatch):
    monkeypatch.setenv("LAB_KEY", "sk-lab-0123456789abcdef")
    model = {
        "provider": "openai",
        "model": "qwen3",
        "base_url": lab.url,
        "token_key": "LAB_KEY",
        "temperature": 0.3,
        "max_tokens": 50,
        "thinking_budget": "low",
        "cost": {"input": 2, "output": 10},
    }
    manager = manager_of({"models": {"quick": model}, "agents": {"tutor": {"model": "quick", "instruction": "Help."}}})
    result = await ask(manager)
    [request] = lab.requests
    assert (request["model"], request["temperature"], request["reasoning_effort"]) == ("qwen3", 0.3, "low")
    assert request.get("max_completion_tokens", request.get("max_tokens")) == 50
    assert request["messages"][0] == {"role": "system", "content": "Help."}
    assert lab.keys == ["sk-lab-0123456789abcdef"]
    assert (result.model, result.cost) == ("quick:qwen3", pytest.approx(2.02))
    assert shown(manager).startswith("chat · turn 1 · tutor · quick:qwen3 · ")
    assert manager.sessions.load("chat").turns[0].model == "quick"


@on_a_loop
async def test_a_provider_of_the_file_is_asked_with_its_headers_and_without_a_key_of_others(lab, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine-0123456789abcdef")
    monkeypatch.setenv("COURSE", "stats")
    campus = {"base_url": lab.url, "headers": {"X-Course": "$COURSE"}}
    seen = []
    lab.scripts = [lambda handler: (seen.append(handler.headers["x-course"]), answers("Hi")(handler))]
    manager = manager_of({"providers": {"campus": campus}, "agents": {"root": {"model": "campus/llama-3:8b"}}})
    result = await ask(manager)
    assert (result.model, lab.requests[0]["model"]) == ("campus:llama-3:8b", "llama-3:8b")
    assert seen == ["stats"]
    assert lab.keys == ["not-needed"]


@on_a_loop
async def test_a_provider_that_speaks_responses_is_asked_in_them(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine-0123456789abcdef")
    with ScriptedProvider(refuses(404, "no such path")) as server:
        campus = {"base_url": server.url, "api_type": "openai_responses"}
        manager = manager_of({"providers": {"campus": campus}, "agents": {"root": {"model": "campus/m"}}})
        result = await ask(manager)
    assert result.status == "failed"
    assert "input" in server.requests[0]
    assert "messages" not in server.requests[0]
    assert server.keys == ["not-needed"]


@on_a_loop
async def test_what_is_read_from_the_cache_costs_what_the_file_says():
    cached = usage(1_000_000, 0) | {"prompt_tokens_details": {"cached_tokens": 400_000}, "completion_tokens": 1}
    says = streams(chunk({"content": "Hi"}), chunk({}, "stop", usage=cached), finish=None)
    with ScriptedProvider(says) as server:
        cost = {"input": 10, "output": 0, "cache_read": 1}
        model = {"provider": "openai", "model": "m", "base_url": server.url, "cost": cost}
        result = await ask(manager_of({"models": {"m": model}, "agents": {"root": {"model": "m"}}}))
    assert result.cost == pytest.approx(6 + 0.4)


@on_a_loop
async def test_the_members_of_a_named_alloy_keep_their_servers_settings_and_prices(lab):
    with ScriptedProvider(answers("Ho", tokens=(1_000_000, 1))) as other:
        models = {
            "one": {"provider": "openai", "model": "a", "base_url": lab.url, "cost": {"input": 1}},
            "two": {"provider": "openai", "model": "b", "base_url": other.url, "temperature": 1, "cost": {"input": 5}},
            "both": {"model": "one,two", "top_p": 0.5},
        }
        manager = manager_of({"models": models, "agents": {"root": {"model": "both"}}})
        turns = iter([0, 1])
        manager.models.choose = lambda members: members[next(turns)]
        costs = [(await ask(manager)).cost for _ in range(2)]
    assert costs == [pytest.approx(1), pytest.approx(5)]
    assert [lab.requests[0].get("temperature"), lab.requests[0]["top_p"]] == [None, 0.5]
    assert [other.requests[0]["temperature"], other.requests[0]["top_p"]] == [1, 0.5]
    assert shown(manager).startswith("chat · turn 2 · root · two:b · ")


@on_a_loop
async def test_a_server_of_ones_own_gets_the_options_of_a_model_as_fields_of_each_request(lab):
    options = {"top_k": 20, "min_p": 0.1, "guided": {"deep": [1]}, "model": "other", "stream": False}
    models = {
        "first": {"provider": "openai", "model": "a", "base_url": lab.url, "provider_opts": options},
        "second": {"provider": "openai", "model": "b", "base_url": lab.url},
        "both": {"model": "first,second"},
    }
    manager = manager_of({"models": models, "agents": {"root": {"model": "both"}}})
    turns = iter([0, 1])
    manager.models.choose = lambda members: members[next(turns)]
    await ask(manager)
    await ask(manager)
    first, second = lab.requests
    assert (first["top_k"], first["min_p"], first["guided"], first["model"], first["stream"]) == (
        20, 0.1, {"deep": [1]}, "a", True,
    )  # fmt: skip
    assert "top_k" not in second
    await ask(manager, session="alone", model="first", settings={"temperature": 0})
    assert (lab.requests[-1]["top_k"], lab.requests[-1]["temperature"]) == (20, 0)
    assert manager.sessions.load("chat").turns[0].warnings == [
        "agents: model, stream in the provider_opts of the model first have no effect"
    ]


@on_a_loop
async def test_a_named_model_that_the_server_does_not_know_is_switched_back():
    with ScriptedProvider(refuses(404, "model not found", "model_not_found")) as server:
        model = {"provider": "openai", "model": "gone", "base_url": server.url}
        manager = manager_of({"models": {"quick": model}, "agents": {"root": {"model": "test"}}})
        result = await ask(manager, model="quick")
    assert result.status == "failed"
    assert str(result.error).startswith("quick: ")
    session = manager.sessions.load("chat")
    assert session.agent_model_overrides == {}
    assert "session 'chat' was switched back to the default model" in session.turns[0].warnings


@on_a_loop
async def test_a_named_model_makes_the_title(lab):
    with ScriptedProvider(answers("A fine title")) as titles:
        models = {
            "quick": {"provider": "openai", "model": "m", "base_url": lab.url, "title_model": "titler"},
            "titler": {"provider": "openai", "model": "t", "base_url": titles.url},
        }
        manager = manager_of({"models": models, "agents": {"root": {"model": "quick"}}})
        await ask(manager, titles=True)
        await until(lambda: manager.sessions.load("chat").title == "A fine title")
    assert [request["model"] for request in titles.requests] == ["t"]


@on_a_loop
async def test_a_comparison_asks_named_models(lab):
    models = {name: {"provider": "openai", "model": name, "base_url": lab.url} for name in ("a", "b")}
    manager = manager_of({"models": models, "agents": {"root": {"model": "a", "instruction": "Help."}}})
    comparison = await manager.compare(Request(prompt="Hi", session="chat"), contestants(["a", "b"]))
    await comparison.answers()
    assert sorted(request["model"] for request in lab.requests) == ["a", "b"]
    assert {request["messages"][0]["content"] for request in lab.requests} == {"Help."}


@on_a_loop
async def test_the_fallbacks_of_an_agent_are_named_models_with_their_own_settings(lab):
    with ScriptedProvider(refuses(429, "too many requests")) as busy:
        models = {
            "first": {"provider": "openai", "model": "a", "base_url": busy.url, "temperature": 0.1},
            "second": {"provider": "openai", "model": "b", "base_url": lab.url, "temperature": 0.9, "top_p": 0.5},
        }
        agent = {"model": "first", "fallback": {"models": ["second"], "cooldown": "5m"}}
        manager = manager_of({"models": models, "agents": {"root": agent}})
        result = await ask(manager)
        await ask(manager)
    assert (result.status, result.model) == ("completed", "second:b")
    assert [(request["temperature"], request["top_p"]) for request in lab.requests] == [(0.9, 0.5)] * 2
    assert [request["temperature"] for request in busy.requests] == [0.1]  # left out while it cools down
    assert shown(manager).startswith("chat · turn 2 · root · second:b · ")
    assert manager.sessions.load("chat").turns[0].settings == {"temperature": 0.1}


@on_a_loop
async def test_a_model_whose_address_was_corrected_is_asked_without_waiting_for_its_cooldown(lab):
    def file(address):
        models = {name: {"provider": "openai", "model": name, "base_url": lab.url} for name in ("first", "second")}
        models["first"]["base_url"] = address
        return {"models": models, "agents": {"root": {"model": "first", "fallback": {"models": ["second"]}}}}

    with ScriptedProvider(refuses(404, "no such page")) as wrong:
        manager = manager_of(file(wrong.url))
        assert (await ask(manager)).model == "second:second"
        manager.agents.load(file(lab.url))
        assert (await ask(manager)).model == "first:first"


@on_a_loop
async def test_a_model_of_a_file_may_be_auto(lab, monkeypatch):
    from sessionmagic.models import available

    monkeypatch.setattr(available, "CANDIDATES", ("openai:gpt-5.2", "lab:m"))
    manager = manager_of({"providers": {"lab": {"base_url": lab.url}}, "agents": {"root": {"model": "auto"}}})
    assert (await ask(manager)).model == "lab:m"
