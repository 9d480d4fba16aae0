"""Settings that a model's library does not send: each is named in a warning."""

import asyncio
from contextlib import suppress

import pytest
from pydantic_ai import Agent
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.models.wrapper import WrapperModel

from sessionmagic.conversation.events import Warned
from sessionmagic.models.settings import NAMES, checked, for_model, ignored, in_words_of_library
from tests.provider import ScriptedProvider, replies
from tests.turns import ask, events_of, on_a_loop

EVERY = checked(
    {
        "temperature": 0.5,
        "top_p": 0.5,
        "top_k": 3,
        "max_tokens": 9,
        "seed": 7,
        "effort": "low",
        "stop": ["END"],
        "presence_penalty": 0.5,
        "frequency_penalty": 0.5,
        "logit_bias": {"5": 1},
        "parallel_tool_calls": False,
        "service_tier": "flex",
    }
)
FIELDS = {
    "max_tokens": {"max_tokens", "max_completion_tokens", "max_output_tokens"},
    "effort": {"reasoning_effort", "reasoning"},
}
"""The fields of a request that carry a setting under another name."""


def openai(kind, name, url):
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    kinds = {"chat": OpenAIChatModel, "responses": OpenAIResponsesModel}
    return kinds[kind](name, provider=OpenAIProvider(base_url=url, api_key="none"))


def ollama(name, url):
    from pydantic_ai.models.ollama import OllamaModel
    from pydantic_ai.providers.ollama import OllamaProvider

    return OllamaModel(name, provider=OllamaProvider(base_url=url))


def openrouter(name, url):
    from pydantic_ai.models.openrouter import OpenRouterModel
    from pydantic_ai.providers.openrouter import OpenRouterProvider

    provider = OpenRouterProvider(api_key="none")
    provider.client.base_url = url
    return OpenRouterModel(name, provider=provider)


def elsewhere(provider, name, url):
    """Return a model of a provider that is asked by OpenAI's protocol."""
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers import infer_provider_class

    found = infer_provider_class(provider)(**({"base_url": url} if provider == "vllm" else {}), api_key="none")
    found.client.base_url = url
    return OpenAIChatModel(name, provider=found)


BUILT = {
    "chat gpt-4o": lambda url: openai("chat", "gpt-4o", url),
    "chat o3": lambda url: openai("chat", "o3", url),
    "chat gpt-5.2": lambda url: openai("chat", "gpt-5.2", url),
    "chat unknown": lambda url: openai("chat", "my-own", url),
    "responses gpt-4o": lambda url: openai("responses", "gpt-4o", url),
    "responses o3": lambda url: openai("responses", "o3", url),
    "ollama": lambda url: ollama("qwen3", url),
    "openrouter": lambda url: openrouter("qwen/qwen3-32b", url),
    "deepseek": lambda url: elsewhere("deepseek", "deepseek-chat", url),
    "together": lambda url: elsewhere("together", "qwen", url),
    "fireworks": lambda url: elsewhere("fireworks", "accounts/fireworks/models/qwen3", url),
    "vllm": lambda url: elsewhere("vllm", "qwen3", url),
}


def sent_by(model, settings, provider):
    """Return the names of our settings that are in the request which the model makes with settings of pydantic-ai."""

    def look() -> str:
        """Look around, so that parallel_tool_calls has a meaning."""
        return ""

    async def ask_once():
        agent = Agent(model, tools=[look], model_settings=settings, retries=0)
        with suppress(Exception):  # only the request counts
            await agent.run("Hello")

    asyncio.run(ask_once())
    body = provider.requests[0]
    return {name for name in NAMES if not FIELDS.get(name, {name}).isdisjoint(body)}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", BUILT)
@pytest.mark.parametrize("effort", ["none", "low"])
def test_ignored_settings_are_those_that_no_request_has(kind, effort):
    settings = EVERY | {"effort": effort}
    with ScriptedProvider(replies('{"error": "enough"}')) as provider:
        model = BUILT[kind](provider.url)
        sent = sent_by(model, in_words_of_library(model, {}, settings), provider)
        names = set(ignored(model, {}, settings))
    missing = set(NAMES) - sent
    if effort == "none":  # nothing is lost when a model that does not reason is asked not to
        missing, names = missing - {"effort"}, names - {"effort"}
    assert names == missing


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", BUILT)
def test_ignored_settings_are_left_out_so_that_no_library_warns_of_them(kind):
    with ScriptedProvider(replies('{"error": "enough"}')) as provider:
        model = BUILT[kind](provider.url)
        sent = sent_by(model, for_model(model, {}, EVERY), provider)
        assert sent == set(NAMES) - set(ignored(model, {}, EVERY))


def test_other_settings_that_a_model_was_registered_with_stay():
    assert for_model(TestModel(), {"seed": 1, "top_k": 3}, {"seed": 7, "top_p": 0.5}) == {"top_k": 3}


def test_fallback_is_sent_what_one_of_its_models_takes():
    both = FallbackModel(FunctionModel(lambda *_: None), TestModel())
    assert for_model(both, {}, {"seed": 7}) == {"seed": 7}


def test_test_model_ignores_everything():
    assert ignored(TestModel(), {}, EVERY) == list(NAMES)


def test_every_declaration_of_the_installed_models_is_honoured():
    class Declares(FunctionModel):
        unsupported_settings = frozenset({"seed", "stop_sequences"})

    assert ignored(Declares(lambda *_: None), {}, EVERY) == ["seed", "effort", "stop"]


def test_wrapped_models_and_fallbacks_are_looked_into():
    plain, test = FunctionModel(lambda *_: None), TestModel()
    assert ignored(WrapperModel(test), {}, EVERY) == list(NAMES)
    assert ignored(FallbackModel(plain, WrapperModel(test)), {}, {"seed": 7}) == ["seed"]
    assert ignored(FallbackModel(plain, plain), {}, {"seed": 7}) == []


@pytest.mark.parametrize(("tier", "names"), [("flex", ["service_tier"]), ("priority", ["service_tier"]), ("auto", [])])
def test_tiers_that_anthropics_class_leaves_out_are_named(tier, names):
    class AnthropicModel(FunctionModel):
        """Named like the class of an SDK that is not installed here."""

    assert ignored(AnthropicModel(lambda *_: None), {}, {"service_tier": tier}) == names


def test_sampling_that_newer_models_of_anthropic_refuse_is_named():
    model = FunctionModel(lambda *_: None, profile={"anthropic_disallows_sampling_settings": True})
    assert ignored(model, {}, {"temperature": 0, "top_k": 3, "max_tokens": 9}) == ["temperature", "top_k"]


def test_model_without_a_profile_ignores_nothing_but_effort():
    class Odd(FunctionModel):
        @property
        def profile(self):
            raise RuntimeError("none")

    assert ignored(Odd(lambda *_: None), {}, {"seed": 7, "effort": "low"}) == ["effort"]


async def warnings_of(manager, **options):
    turn = await manager.run("Hello", session="chat", **options)
    return [event.text for event in await events_of(turn) if isinstance(event, Warned)]


@on_a_loop
async def test_warning_names_what_is_ignored_until_something_changes(manager):
    assert await warnings_of(manager, model="test", settings={"seed": 7, "top_k": 3}) == [
        "test ignores top_k, seed: its library does not send them"
    ]
    assert await warnings_of(manager, settings={"seed": 7}) == []
    assert await warnings_of(manager, settings={"seed": 8}) == ["test ignores seed: its library does not send it"]
    assert await warnings_of(manager, model="calm", settings={"seed": 8}) == []
    assert await warnings_of(manager, model="test", settings={"seed": 8}) != []


@on_a_loop
async def test_setting_a_session_returns_the_warning(manager):
    await ask(manager, model="test")
    assert manager.sessions.set_settings("chat", {"seed": 7}) == ["test ignores seed: its library does not send it"]
    assert manager.sessions.set_settings("chat", {"seed": None}) == []


def test_local_model_ignores_what_its_requests_do_not_hold():
    from sessionmagic.models.local import LocalModel, _body

    model = LocalModel("weights.gguf")
    sent = _body(for_model(model, {}, EVERY), ModelRequestParameters())
    assert ignored(model, {}, EVERY) == [name for name in NAMES if name not in sent]
