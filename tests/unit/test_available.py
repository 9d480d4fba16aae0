"""`auto` and `first_available`: the first model that has a key and an SDK here."""

import importlib.util
import re

import pytest
from pydantic_ai.models import known_model_names

from sessionmagic import Models, register_model
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models import providers
from sessionmagic.models.available import CANDIDATES, first_available
from sessionmagic.models.providers import PROVIDERS
from sessionmagic.notebook.captions import footer
from sessionmagic.testing import ScriptedModel, call, script
from tests.turns import ask, on_a_loop

ANTHROPIC, OPENAI, *_ = CANDIDATES


@pytest.fixture
def _all_sdks(monkeypatch):
    monkeypatch.setattr(providers, "find_spec", lambda name: name)


def stands_for(models):
    return [each.reference for each in models.resolve("auto").members]


def test_candidates_are_models_that_lists_know_and_whose_key_tells_that_they_can_be_used():
    assert set(CANDIDATES) <= set(known_model_names())
    assert all(PROVIDERS[each.partition(":")[0]].key for each in CANDIDATES)
    assert (ANTHROPIC.partition(":")[0], OPENAI.partition(":")[0]) == ("anthropic", "openai")


def test_auto_is_the_first_model_with_a_key_and_an_sdk(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-0123456789")
    assert stands_for(Models()) == [OPENAI]
    monkeypatch.delenv("OPENAI_API_KEY")
    assert stands_for(Models()) == ["deepseek:deepseek-flash"]


@pytest.mark.usefixtures("_all_sdks")
def test_auto_prefers_the_earlier_candidate(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-0123456789")
    offer = Models().offers()[0]
    assert (offer.model, offer.note) == ("auto", f"here {ANTHROPIC}, the first with a key and an SDK")


def test_auto_passes_over_a_provider_whose_sdk_is_missing(monkeypatch):
    monkeypatch.setattr(providers, "find_spec", lambda name: None if name == "anthropic" else name)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-0123456789")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    assert stands_for(Models()) == [OPENAI]


def test_auto_is_the_embedded_model_where_there_is_no_key(monkeypatch):
    monkeypatch.setattr(Models, "check", lambda _, reference: refuse(reference) if reference != "local" else None)
    assert Models()._members("auto") == ["local"]


def refuse(reference):
    raise ModelReferenceError(f"{reference} has no key")


def test_auto_that_finds_nothing_says_what_to_set_and_is_listed_so(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModelReferenceError) as raised:
        Models().check("auto")
    words = str(raised.value)
    assert words.startswith("auto finds neither a key and an SDK of anthropic, openai, google, ")
    assert 'pip install "sessionmagic[local]"' in words
    assert "\n" not in words
    assert Models().offers()[0].note == f"not ready: {words}"


def test_auto_can_be_a_member_of_an_alloy_and_a_registered_name(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    assert [each.reference for each in Models().resolve("test,auto").members] == ["test", OPENAI]
    register_model("auto", ScriptedModel("mine"))
    assert Models().resolve("auto").members == ()


def test_mistyped_auto_is_suggested():
    with pytest.raises(ModelReferenceError, match="did you mean 'auto'"):
        Models().check("autoo")


@on_a_loop
async def test_session_keeps_auto_as_typed_and_the_footer_names_the_model_that_answered(manager, monkeypatch):
    script("one", ["I look.", call("look")], "Done.")
    monkeypatch.setattr("sessionmagic.models.available.CANDIDATES", ("nobody:x", "one"))
    result = await ask(manager, model="auto", tools=[look], yes=True)
    assert (str(result), result.model) == ("I look.\n\nDone.", "one")
    session = manager.sessions.load("chat")
    assert (session.agent_model_overrides, session.turns[0].model) == ({"assistant": "auto"}, "auto")
    assert " · one · " in footer(transcript_of("chat", session.turns[0]))
    script("two", "Two.")
    monkeypatch.setattr("sessionmagic.models.available.CANDIDATES", ("two", "one"))
    assert (await ask(manager)).model == "two"


def look() -> str:
    """Look."""
    return "seen"


def test_first_available_is_the_first_that_can_be_used(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    models = Models(endpoints={"lab": "http://127.0.0.1:9/v1"})
    assert first_available(models, ["groq:x", "openai:y", "test"]) == "openai:y"
    assert first_available(models, ["lab:m"]) == "lab:m"


def test_first_available_says_of_each_why_it_cannot_be_used():
    with pytest.raises(ModelReferenceError) as raised:
        first_available(Models(), ["openai:x", "furst"])
    assert re.fullmatch(
        r"none of these models can be used here: 'openai:x' needs OPENAI_API_KEY.*; 'furst' is not a model ref.*",
        str(raised.value),
    )
    with pytest.raises(ModelReferenceError, match="none is named"):
        first_available(Models(), [])
