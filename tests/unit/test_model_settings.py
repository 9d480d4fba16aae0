"""The settings of a model, from its registration to each of its requests."""

import pytest
from pydantic_ai.models.function import FunctionModel

from sessionmagic import Models, register_model
from tests.provider import ScriptedProvider, answers
from tests.turns import acts, ask, on_a_loop


@pytest.fixture
def seen():
    """The settings of each request to the model `notes`."""
    return []


@pytest.fixture
def note(seen):
    """A function that registers the model `notes` with settings, and with settings of the model's own."""

    def register(settings=None, own=None):
        async def stream(_messages, info):
            thinking = info.model_request_parameters.thinking  # pydantic-ai moves it there
            seen.append(info.model_settings if thinking is None else info.model_settings | {"thinking": thinking})
            yield "Noted."

        profile = {"supports_thinking": True}
        register_model("notes", FunctionModel(stream_function=stream, settings=own, profile=profile), settings)

    return register


@on_a_loop
async def test_registered_model_is_asked_with_its_settings_in_every_turn(manager, note, seen):
    settings = {"temperature": 0.1, "max_tokens": 50, "thinking": "low"}
    note(settings)
    await ask(manager, model="notes")
    await ask(manager)
    assert seen == [settings, settings]


@on_a_loop
async def test_model_without_settings_is_asked_without_any(manager, note, seen):
    note()
    await ask(manager, model="notes")
    note({})
    await ask(manager)
    assert seen == [None, None]


@on_a_loop
async def test_settings_of_a_reference_override_those_of_its_model(manager, note, seen):
    note({"temperature": 0.1}, own={"temperature": 0.9, "seed": 1})
    await ask(manager, model="notes")
    assert seen == [{"temperature": 0.1, "seed": 1}]


@on_a_loop
async def test_settings_reach_the_requests_that_follow_a_tool_call(manager):
    seen = []
    model = acts([("look", {})], "Done.")
    step = model.stream_function

    async def stream(messages, info):
        seen.append(info.model_settings)
        async for part in step(messages, info):
            yield part

    def look() -> str:
        return "nothing"

    model.stream_function = stream
    register_model("looks", model, {"temperature": 0.3})
    await ask(manager, model="looks", tools=[look], yes=True)
    assert seen == [{"temperature": 0.3}] * 2


@on_a_loop
async def test_settings_are_in_the_request_to_a_provider(manager):
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    with ScriptedProvider(answers("Yes")) as provider:
        model = OpenAIChatModel("some-model", provider=OpenAIProvider(base_url=provider.url, api_key="none"))
        register_model("cool", model, {"temperature": 0.2, "max_tokens": 9})
        await ask(manager, model="cool")
    assert provider.requests[0]["temperature"] == 0.2
    assert 9 in (provider.requests[0].get("max_tokens"), provider.requests[0].get("max_completion_tokens"))


def test_settings_are_copied_at_registration(note):
    settings = {"temperature": 0.1}
    note(settings)
    settings["temperature"] = 0.9
    assert Models().resolve("notes").settings == {"temperature": 0.1}


def test_other_kinds_of_model_have_no_settings_of_their_own():
    models = Models(endpoints={"lab": "http://127.0.0.1:1/v1"})
    for reference in ("test", "lab:x", "ollama:x"):
        assert models.resolve(reference).settings == {}
