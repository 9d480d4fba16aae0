"""Whose an answer was: the user's own servers keep their names, and cost what the user says."""

import math

import pytest
from openai import AsyncOpenAI
from pydantic_ai.models.test import TestModel
from traitlets import TraitError

from sessionmagic import MemoryStore, Models, SessionManager, register_model
from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models.compatible import with_mended_streams
from sessionmagic.models.configured import configured
from sessionmagic.models.sources import key_variable
from sessionmagic.models.usual_servers import USUAL, UsualServer
from sessionmagic.notebook.settings import Settings
from sessionmagic.sessions.usage import usage_by
from tests.provider import ScriptedProvider, call_delta, calls, chunk, refuses, streams, usage
from tests.turns import ask, on_a_loop


def look(path: str) -> str:
    """Look."""
    return f"saw {path}"


def call_delta_of(path):
    return {"tool_calls": [call_delta(0, path, "look", f'{{"path": "{path}"}}')]}


SAYS_GPT = streams(
    chunk({"content": "Hi"}, model="gpt-4o"),
    chunk({}, "stop", model="gpt-4o", usage=usage(1_000_000, 2_000)),
    finish=None,
)


@pytest.mark.parametrize("name", ["lab", "openai", "groq", "anthropic"])
@pytest.mark.parametrize("model", ["gpt-4o", "my-alias"])
@on_a_loop
async def test_answer_of_an_endpoint_is_named_as_it_was_asked_and_unpriced(name, model):
    with ScriptedProvider(SAYS_GPT) as provider:
        manager = SessionManager(MemoryStore(), Models("test", endpoints={name: provider.url}))
        result = await ask(manager, model=f"{name}:{model}")
    assert (result.model, result.cost) == (f"{name}:{model}", None)
    session = manager.sessions.load("chat")
    assert session.turns[0].answered_by == f"{name}:{model}"
    assert [(entry.model, entry.cost) for entry in usage_by([session], "model")] == [(f"{name}:{model}", None)]
    assert provider.requests[0]["model"] == model


@pytest.mark.parametrize(
    "prices", [{"lab": [2, 10]}, {"lab:m": [2, 10], "lab": [7, 7]}, {"lab/m": [7, 7], "lab": [2, 10]}]
)
@on_a_loop
async def test_own_server_costs_what_the_user_says(prices):
    with ScriptedProvider(SAYS_GPT) as provider:
        manager = SessionManager(MemoryStore(), Models("test", endpoints={"lab": provider.url}, prices=prices))
        result = await ask(manager, model="lab:m")
    assert result.cost == pytest.approx(2 + 0.02)


@pytest.mark.parametrize("price", [[1], [1, "a"], 5, "12", [1, -1], [1, 2, 3]])
def test_price_that_is_not_two_numbers_is_refused_before_sending(price):
    models = Models("test", endpoints={"lab": "http://127.0.0.1:1/v1"}, prices={"lab": price})
    with pytest.raises(ModelReferenceError, match="the price of 'lab' is "):
        models.resolve("lab:m")


@pytest.mark.parametrize("address", ["127.0.0.1:8000/v1", "localhost:8000/v1", ""])
def test_base_url_without_a_scheme_is_refused_before_anything_is_sent(address):
    with pytest.raises(ModelReferenceError, match=r"base URL of 'lab'.*write it with http:// or https://"):
        Models("test", endpoints={"lab": address}).check("lab:m")


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("http://[lab]/v1", r"is not an address \(.*lab.*\); correct it$"),
        ("http://lab:eighty/v1", r"is not an address \(.*eighty.*\); correct it$"),
        ("http://:8000/v1", "names no host; correct it$"),
    ],
)
def test_text_that_is_no_address_is_refused_before_anything_is_sent(monkeypatch, address, problem):
    with pytest.raises(ModelReferenceError, match=f"the base URL of 'lab' is .*, which {problem}"):
        Models("test", endpoints={"lab": address}).check("lab:m")
    monkeypatch.setenv("OPENAI_API_KEY", "k-1234")
    for variable, reference in [("OPENAI_BASE_URL", "openai-chat:m"), ("OLLAMA_BASE_URL", "ollama:m")]:
        monkeypatch.setenv(variable, address)
        with pytest.raises(ModelReferenceError, match=f"{variable} is .*, which {problem}"):
            Models("test").check(reference)


@pytest.mark.parametrize(
    ("key", "advice"),
    [(None, "wants an API key; set LAB_API_KEY"), ("k-1234", "refused the API key; check LAB_API_KEY")],
)
@on_a_loop
async def test_refused_key_is_named(monkeypatch, key, advice):
    monkeypatch.delenv("LAB_API_KEY", raising=False)
    if key:
        monkeypatch.setenv("LAB_API_KEY", key)
    with ScriptedProvider(refuses(401, "Invalid key.")) as provider:
        manager = SessionManager(MemoryStore(), Models("test", endpoints={"lab": provider.url}))
        result = await ask(manager, model="lab:m")
    assert advice in str(result.error)


@pytest.mark.parametrize(
    ("reference", "variable"),
    [
        ("openai:gpt-4o", "OPENAI_API_KEY"),
        ("google:gemini", "GEMINI_API_KEY"),
        ("lab-2:m", "LAB_2_API_KEY"),
        ("ollama:m", None),
        ("vllm:m", "VLLM_API_KEY"),
        ("lmstudio:m", "LMSTUDIO_API_KEY"),
        ("local", None),
        ("mine:m", None),
    ],
)
def test_key_of_a_reference_is_read_from_a_variable(monkeypatch, reference, variable):
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    register_model("mine:m", TestModel())
    assert key_variable(reference) == variable


@pytest.mark.parametrize("price", [["x", 1], [1], [-1, 2], 3, [1, 2, 3], [math.nan, 1], [1, math.inf], "12"])
def test_price_that_is_not_two_amounts_is_refused(price):
    with pytest.raises(TraitError, match=r"the price of 'lab' is .*; write \[dollars for a million input tokens"):
        Settings(prices={"lab": price})


def test_price_may_be_of_whole_numbers():
    assert Settings(prices={"lab": [0, 2], "other": (0.5, 1.5)}).prices == {"lab": [0.0, 2.0], "other": [0.5, 1.5]}


@pytest.mark.parametrize("variable", [True, False])
@on_a_loop
async def test_every_ollama_is_ollama(monkeypatch, variable):
    with ScriptedProvider(SAYS_GPT) as provider:
        if variable:
            monkeypatch.setenv("OLLAMA_BASE_URL", provider.url)
        else:
            monkeypatch.setitem(USUAL, "ollama", UsualServer("OLLAMA_BASE_URL", provider.url))
        result = await ask(SessionManager(MemoryStore(), Models()), model="ollama:llama3.2")
    assert (result.text, result.model, result.cost) == ("Hi", "ollama:llama3.2", None)


@pytest.mark.parametrize(("prices", "cost"), [({}, None), ({"openai-chat": [2, 10]}, 2.02), ({"vllm": [7, 7]}, None)])
@on_a_loop
async def test_server_on_this_machine_that_stands_for_a_provider_is_unpriced_unless_given_a_price(
    monkeypatch, prices, cost
):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with ScriptedProvider(SAYS_GPT) as provider:
        monkeypatch.setenv("OPENAI_BASE_URL", provider.url)
        result = await ask(SessionManager(MemoryStore(), Models(prices=prices)), model="openai-chat:gpt-4o")
    assert result.cost == pytest.approx(cost)


@pytest.mark.parametrize("name", ["lmstudio", "llamacpp", "vllm"])
@on_a_loop
async def test_answer_of_a_usual_server_is_named_as_it_was_asked_and_unpriced(monkeypatch, name):
    with ScriptedProvider(SAYS_GPT) as provider:
        monkeypatch.setitem(USUAL, name, UsualServer(f"{name.upper()}_BASE_URL", provider.url))
        result = await ask(SessionManager(MemoryStore(), Models()), model=f"{name}:gpt-4o")
    assert (result.text, result.model, result.cost) == ("Hi", f"{name}:gpt-4o", None)


def test_configured_servers_hold_for_every_manager_of_the_process():
    before = SessionManager(MemoryStore())
    configured.change("lab:m", {"lab": "http://127.0.0.1:1/v1"}, {"lab": [1, 2]})
    for models in (before.models, SessionManager(MemoryStore()).models, Models(endpoints={"other": "http://x"})):
        assert models.default == "lab:m"
        assert models.resolve("lab:m").price == [1, 2]
    models = Models("test", endpoints={"lab": "http://127.0.0.1:2/v1"})
    assert models.default == "test"
    assert models.resolve("lab:m").model.base_url == "http://127.0.0.1:2/v1/"
    models.endpoints["mine"] = "http://127.0.0.1:3/v1"
    assert "mine" not in configured.endpoints


@on_a_loop
async def test_deepseek_gets_its_reasoning_back():
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.deepseek import DeepSeekProvider

    thinks = streams(
        {"reasoning_content": "Hm, "}, {"reasoning_content": "so."}, call_delta_of("a"), finish="tool_calls"
    )
    with ScriptedProvider(thinks, streams("Done.")) as provider:
        client = AsyncOpenAI(base_url=provider.url, api_key="k")
        deepseek = OpenAIChatModel("deepseek-reasoner", provider=DeepSeekProvider(openai_client=client))
        register_model("mine", with_mended_streams(deepseek))
        result = await ask(SessionManager(MemoryStore(), Models("mine")), tools=[look], yes=True)
    assert result.text == "Done."
    sent_back = [message.get("reasoning_content") for message in provider.requests[1]["messages"]]
    assert sent_back == [None, "Hm, so.", None]


@on_a_loop
async def test_stream_of_a_provider_with_its_own_class_is_mended_too():
    from pydantic_ai.models.openrouter import OpenRouterModel
    from pydantic_ai.providers.openrouter import OpenRouterProvider

    twice = [each for name in "ab" for each in call_delta_of(name)["tool_calls"]]
    last = streams("My plan\n", "</think>", "\n\nHi", chunk({}, "stop", usage=usage(7, 3)), finish=None)
    with ScriptedProvider(calls(twice), last) as provider:
        client = AsyncOpenAI(base_url=provider.url, api_key="k")
        register_model(
            "mine", with_mended_streams(OpenRouterModel("v/m", provider=OpenRouterProvider(openai_client=client)))
        )
        manager = SessionManager(MemoryStore(), Models("mine"))
        result = await ask(manager, tools=[look], yes=True)
    assert (result.text, result.usage.input_tokens) == ("Hi", 14)
    sent = [message for message in provider.requests[1]["messages"] if message["role"] == "tool"]
    assert [message["content"] for message in sent] == ["saw a", "saw b"]


@pytest.mark.parametrize(
    ("reference", "key"),
    [
        ("openrouter:vendor/m", "OPENROUTER_API_KEY"),
        ("deepseek:m", "DEEPSEEK_API_KEY"),
        ("openai-chat:m", "OPENAI_API_KEY"),
        ("together:v/m", "TOGETHER_API_KEY"),
    ],
)
def test_other_providers_keep_their_own_class_and_profile(monkeypatch, reference, key):
    from pydantic_ai.models import infer_model

    monkeypatch.setenv(key, "k")
    ours, theirs = Models().resolve(reference).model, infer_model(reference)
    assert isinstance(ours, type(theirs))
    assert (ours.system, ours.base_url, ours.profile) == (theirs.system, theirs.base_url, theirs.profile)
    assert issubclass(ours._streamed_response_cls, theirs._streamed_response_cls)
    assert not ours.is_own


@pytest.mark.parametrize("reference", ["openai:gpt-5", "test", "mine"])
def test_price_may_be_given_for_any_model(monkeypatch, reference):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    register_model("mine", TestModel())
    assert Models(prices={reference: [1, 2]}).resolve(reference).price == [1, 2]


def test_openai_itself_is_left_as_it_is(monkeypatch):
    from pydantic_ai.models.openai import OpenAIResponsesModel

    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert type(Models().resolve("openai:m").model) is OpenAIResponsesModel
