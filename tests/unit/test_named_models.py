"""Models that have a name of their own: what the name stands for, and what it adds."""

import pytest

from sessionmagic import Agents, MemoryStore, Models, SessionManager
from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models import serving
from sessionmagic.models.configured import configured
from sessionmagic.models.named import Named, Names, Server
from sessionmagic.models.providers import Provider
from sessionmagic.testing import script

HERE = Server(base_url="http://127.0.0.1:9/v1")


@pytest.fixture
def models():
    script("calm", "fine")
    script("wild", "no")
    return Models("calm")


def named(models, servers=None, **entries):
    return models.within(Names(models=entries, servers=servers or {}))


def test_a_name_comes_before_all_other_meanings_of_a_reference(models):
    model = named(models, wild=Named(references=("calm",))).resolve("wild")
    assert (model.reference, model.model.model_name) == ("wild", "calm")


def test_a_name_adds_settings_and_a_price_and_what_it_can_see(models):
    entry = Named(references=("calm",), settings={"seed": 1}, price=(1, 2), sees_images=False)
    model = named(models, quick=entry).resolve("quick")
    assert (model.named_settings, model.price, model.sees_images) == ({"seed": 1}, (1, 2), False)
    assert models.resolve("calm").sees_images


def test_the_outer_name_is_nearer_than_the_inner_one(models):
    inner = Named(references=("calm",), settings={"seed": 1, "top_p": 0.5}, price=(1, 1))
    outer = Named(references=("inner",), settings={"seed": 2})
    model = named(models, inner=inner, outer=outer).resolve("outer")
    assert (model.reference, model.named_settings, model.price) == ("outer", {"seed": 2, "top_p": 0.5}, (1, 1))


def test_a_name_for_several_references_is_an_alloy_of_named_and_other_models(models):
    quick = Named(references=("calm",), settings={"seed": 1})
    both = Named(references=("quick", "wild"), settings={"top_p": 0.5}, price=(3, 4))
    model = named(models, quick=quick, both=both).resolve("both")
    assert model.reference == "both"
    assert [(each.reference, each.named_settings) for each in model.members] == [
        ("quick", {"seed": 1, "top_p": 0.5}),
        ("wild", {"top_p": 0.5}),
    ]
    assert [each.price for each in model.members] == [(3, 4), (3, 4)]


def test_a_name_adds_its_settings_also_where_a_recording_answers(models):
    SessionManager(MemoryStore(), models).run_sync("Hello", session="chat")
    configured.change("calm", {}, {}, replay="chat")
    inner = Named(references=("nobody:x",), settings={"seed": 1, "top_p": 0.5})
    outer = Named(references=("inner",), settings={"seed": 2})
    model = named(models, inner=inner, outer=outer).resolve("outer")
    assert (model.reference, model.named_settings) == ("outer", {"seed": 2, "top_p": 0.5})
    assert model.model.system == "replay"


def test_names_can_be_joined_to_an_alloy_where_they_are_used(models):
    names = named(models, quick=Named(references=("calm",), settings={"seed": 1}))
    assert [each.named_settings for each in names.resolve("quick,wild").members] == [{"seed": 1}, {}]


def test_the_first_that_can_be_used_is_meant(models):
    names = named(models, any=Named(references=("openai:gpt-5.2", "lab/x", "wild", "calm"), first=True))
    assert names.resolve("any").model.model_name == "wild"
    names.check("any")
    none = named(models, any=Named(references=("openai:gpt-5.2", "lab/x"), first=True))
    with pytest.raises(ModelReferenceError, match=r"none of these models can be used here: .*OPENAI_API_KEY.*; .*lab"):
        none.check("any")


def test_the_users_own_price_and_limit_come_before_those_of_the_name(models):
    models.prices["quick"] = [7, 8]
    models.context_limits["quick"] = 1_000
    model = named(models, quick=Named(references=("calm",), price=(1, 2))).resolve("quick")
    assert (model.price, model.context_limit) == ([7, 8], 1_000)


def test_a_misspelled_name_is_told_the_right_one(models):
    with pytest.raises(ModelReferenceError, match="did you mean 'quick'"):
        named(models, quick=Named(references=("calm",))).check("qick")


def test_names_are_offered_first(models):
    names = named(models, {"lab": HERE}, quick=Named(references=("calm",)))
    assert [offer.model for offer in names.offers()][:1] == ["quick"]
    assert "lab:" in names.known()
    assert "quick" not in models.known()


@pytest.mark.parametrize(
    ("server", "problem"),
    [
        (Server(base_url="ftp://lab"), "the base_url of 'm' is 'ftp://lab'; write it with http:// or https://"),
        (Server(base_url="http://lab:x/v1"), "the base_url of 'm' is 'http://lab:x/v1', which is not an address"),
        (Server(key="LAB_KEY"), "'m' needs LAB_KEY, which is not set"),
        (Server(), "'m' needs OPENAI_API_KEY, which is not set"),
        (Server(provider="opnai"), "'m' has the provider 'opnai', which is unknown; did you mean 'openai'?"),
        (Server(provider="groq", base_url="http://x"), "'m' needs an SDK that is not installed; run `pip install"),
        (Server(base_url="http://x", refusal="would send K to x; confirm it"), "'m' would send K to x; confirm it"),
    ],
)
def test_a_server_that_cannot_be_asked_is_an_error_in_one_line(models, server, problem):
    names = named(models, m=Named(references=("x",), server=server))
    for use in (names.check, names.resolve):
        with pytest.raises(ModelReferenceError) as caught:
            use("m")
        assert str(caught.value).startswith(problem)


def test_a_model_that_needs_what_is_not_understood_is_an_error(models):
    names = named(models, m=Named(references=("calm",), refusal="needs the key routing; remove it"))
    with pytest.raises(ModelReferenceError, match=r"^.m. needs the key routing; remove it$"):
        names.resolve("m")


def test_a_server_needs_no_key_and_its_models_keep_its_name(models):
    model = named(models, {"lab": HERE}).resolve("lab/some-model")
    assert (model.model.system, model.model.model_name, model.model.base_url) == (
        "lab",
        "some-model",
        "http://127.0.0.1:9/v1/",
    )


def test_an_account_has_the_key_of_its_own_variable_at_the_providers_address(models, monkeypatch):
    monkeypatch.setenv("CLASS_KEY", "sk-of-the-class-0123456789")
    names = named(
        models, {"class": Server(key="CLASS_KEY")}, m=Named(references=("gpt-5.2",), server=Server(key="CLASS_KEY"))
    )
    for reference in ("class:gpt-5.2", "m"):
        model = names.resolve(reference).model
        assert "api.openai.com" in model.base_url
        assert model.client.api_key == "sk-of-the-class-0123456789"


@pytest.mark.parametrize(
    ("server", "kind"),
    [
        (HERE, "CompatibleModel"),
        (Server(provider="openai-responses", base_url="http://127.0.0.1:9/v1"), "OpenAIResponsesModel"),
        (Server(provider="ollama", base_url="http://127.0.0.1:9/v1"), "OllamaModel"),
    ],
)
def test_a_server_is_asked_in_the_protocol_of_its_provider(models, server, kind):
    model = named(models, {"lab": server}).resolve("lab/x").model
    assert type(model).__name__ == kind
    assert model.base_url == "http://127.0.0.1:9/v1/"


def test_headers_of_a_server_go_with_each_request(models):
    server = Server(base_url="http://127.0.0.1:9/v1", headers={"x-class": "stats"})
    assert named(models, {"lab": server}).resolve("lab/x").settings == {"extra_headers": {"x-class": "stats"}}


def test_a_provider_that_takes_no_address_is_an_error_in_one_line(models, monkeypatch):
    monkeypatch.setenv("K", "sk-0123456789abcdef")
    server = Server(provider="google", base_url="http://127.0.0.1:9", key="K")
    monkeypatch.setattr(serving, "infer_provider_class", lambda _: type("WithoutAddress", (), {}))
    monkeypatch.setitem(serving.PROVIDERS, "google", Provider(module="json", install="json"))
    with pytest.raises(ModelReferenceError, match=r"^lab: the provider google takes no base_url; leave it out$"):
        named(models, {"lab": server}).resolve("lab/x")


def test_an_account_with_another_provider_has_the_key_of_its_own_variable(models, monkeypatch):
    monkeypatch.setenv("K", "sk-0123456789abcdef")
    model = named(models, {"deep": Server(provider="deepseek", key="K")}).resolve("deep/deepseek-chat").model
    assert (model.system, model.client.api_key) == ("deepseek", "sk-0123456789abcdef")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (Named(references=("calm", "wild")), "calm, wild"),
        (Named(references=("calm", "wild"), first=True), "the first of calm, wild"),
        (Named(references=("m",), server=HERE), "openai:m at http://127.0.0.1:9/v1"),
        (Named(references=("m",), server=Server(key="K")), "openai:m"),
    ],
)
def test_a_listing_says_what_a_name_stands_for(models, entry, words):
    assert named(models, it=entry).offers()[0].note == f"named: {words}"


def test_an_address_or_a_key_of_a_model_comes_before_that_of_its_provider(monkeypatch):
    monkeypatch.setenv("TWO", "sk-two-0123456789abcdef")
    file = {
        "providers": {"lab": {"base_url": "http://127.0.0.1:1/v1", "token_key": "ONE"}},
        "models": {
            "far": {"provider": "lab", "model": "m", "base_url": "http://127.0.0.1:2/v1", "token_key": "TWO"},
            "runner": {"provider": "dmr", "model": "ai/qwen3"},
            "own": {"provider": "dmr", "model": "ai/qwen3", "base_url": "http://127.0.0.1:3/v1"},
        },
        "agents": {"root": {"model": "far"}},
    }
    agents = Agents(file)
    names = agents.current().names
    assert agents.answering().names == names
    found = {name: Models().within(names).resolve(name).model for name in ("far", "runner", "own")}
    assert {name: model.base_url for name, model in found.items()} == {
        "far": "http://127.0.0.1:2/v1/",
        "runner": "http://127.0.0.1:12434/engines/v1/",
        "own": "http://127.0.0.1:3/v1/",
    }
    assert found["far"].client.api_key == "sk-two-0123456789abcdef"
