"""The kinds of model: which references are theirs, what they build, and what they list."""

import importlib.util
from importlib.machinery import ModuleSpec

import pytest

from sessionmagic import Models, register_model
from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models import providers, sources
from sessionmagic.models.local import LocalModel
from sessionmagic.testing import ScriptedModel

URL = "http://127.0.0.1:1/v1"


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file of weights in the home, and an engine that seems to be installed."""
    monkeypatch.setattr(importlib.util, "find_spec", {"xllamacpp": ModuleSpec("xllamacpp", None)}.get)
    path = tmp_path / "models" / "small.gguf"
    path.parent.mkdir()
    path.write_bytes(b"GGUF and the rest")
    return path


def url_of(models, reference):
    return str(models.resolve(reference).model.client.base_url).rstrip("/")


def notes(models):
    return {offer.model: offer.note for offer in models.offers()}


def test_endpoint_comes_before_the_provider_of_the_same_name():
    models = Models(endpoints={"openai": URL, "ollama": URL, "anthropic": URL})
    for reference in ("openai:gpt-5.2", "openai/gpt-5.2", "ollama:llama3", "anthropic:x"):
        assert url_of(models, reference) == URL


@pytest.mark.usefixtures("weights")
def test_endpoint_named_local_leaves_the_local_model_its_name(tmp_path):
    models = Models(endpoints={"local": URL}, home=tmp_path)
    assert url_of(models, "local:small") == URL
    assert isinstance(models.resolve("local").model, LocalModel)


def test_endpoints_can_be_changed_at_any_time():
    models = Models()
    models.endpoints["lab"] = URL
    assert url_of(models, "lab:x") == URL
    models.endpoints = {"other": URL}
    assert url_of(models, "other:x") == URL
    with pytest.raises(ModelReferenceError, match="unknown provider 'lab'"):
        models.check("lab:x")


def test_whole_reference_is_tried_with_a_colon_before_a_slash():
    models = Models(endpoints={"a": URL, "a:b": URL})
    assert models.resolve("a:b/c").model.model_name == "b/c"


def test_registered_name_may_have_any_form():
    model = ScriptedModel("hello")
    for name in ("a,b", "openai:", "nope:x", "vendor/name"):
        register_model(name, model)
        assert Models().resolve(name).model is model


def test_registered_name_is_not_a_provider():
    register_model("mine", ScriptedModel("hello"))
    with pytest.raises(ModelReferenceError, match="unknown provider 'mine'"):
        Models().check("mine:x")


@pytest.mark.parametrize("reference", ["local", "local:small", "local/small"])
def test_local_model_is_built_from_the_weights_that_are_named(weights, tmp_path, reference):
    model = Models(home=tmp_path).resolve(reference).model
    assert (type(model), model.path) == (LocalModel, weights)


def test_weights_that_are_not_weights_are_an_error_when_the_model_is_built(weights, tmp_path):
    weights.write_bytes(b"<!DOCTYPE html>")
    models = Models(home=tmp_path)
    models.check("local")
    with pytest.raises(ModelReferenceError, match="not a GGUF file"):
        models.resolve("local")


def test_test_model_answers_to_its_name_with_or_without_a_model():
    for reference in ("test", "test:anything"):
        resolved = Models().resolve(reference)
        assert (resolved.model.model_name, resolved.warnings) == ("test", [])


def test_error_of_an_sdk_is_one_line_with_the_reference(monkeypatch):
    def breaks(*_):
        raise ValueError("wrong\n  in two ways")

    monkeypatch.setattr(sources.TestSource, "build", breaks)
    with pytest.raises(ModelReferenceError, match=r"^test: wrong in two ways$"):
        Models().resolve("test")


def test_ollama_is_asked_where_its_variable_says(monkeypatch):
    monkeypatch.setenv("OLLAMA_BASE_URL", URL)
    assert url_of(Models(), "ollama:llama3") == URL


@pytest.mark.parametrize("name", ["lmstudio", "llamacpp", "vllm"])
def test_usual_server_is_asked_at_its_usual_address_or_where_its_variable_says(monkeypatch, name):
    models = Models()
    models.check(f"{name}:org/some-model")
    assert url_of(models, f"{name}:m").startswith("http://localhost:")
    monkeypatch.setenv(f"{name.upper()}_BASE_URL", URL)
    assert url_of(models, f"{name}:m") == URL
    assert url_of(Models(endpoints={name: "http://127.0.0.1:2/v1"}), f"{name}:m") == "http://127.0.0.1:2/v1"


def test_no_warning_about_unlisted_models_of_a_server_in_openai_base_url(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    monkeypatch.setenv("OPENAI_BASE_URL", URL)
    assert Models().resolve("openai:anything").warnings == []


def test_sdk_in_a_namespace_package_that_is_missing_says_how_to_install_it(monkeypatch):
    def find_spec(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(providers, "find_spec", find_spec)
    with pytest.raises(ModelReferenceError, match=r"sessionmagic\[google\]"):
        Models().check("google:x")


@pytest.mark.usefixtures("weights")
def test_offers_are_listed_with_a_note(tmp_path):
    register_model("mine", ScriptedModel("hello"))
    listed = notes(Models(endpoints={"lab": URL}, home=tmp_path))
    assert list(listed)[:7] == ["auto", "mine", "local", "local:small", "test", "replay:", "lab:"]
    assert listed["auto"] == "here local, the first with a key and an SDK"
    assert listed["mine"] == ""
    assert listed["lab:"] == listed["ollama:"] == "any model of this provider"
    assert listed["local"] == "demo model, runs in this kernel"
    assert listed["test"] == "answers without a model, for trying things out"


def test_local_model_that_is_not_ready_is_listed_with_what_it_needs(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    note = notes(Models())["local"]
    assert note.startswith("demo model, not ready: ")
    assert 'pip install "sessionmagic[local]"' in note


def test_models_that_lack_a_key_or_an_sdk_are_listed_apart_with_what_they_need(monkeypatch):
    monkeypatch.setitem(providers.PROVIDERS, "groq", providers.Provider(module="no_such_sdk", install="an-sdk"))
    needs = {offer.model: offer.note for offer in Models().catalog()}
    assert {note for name, note in needs.items() if name.startswith("groq:")} == {'needs pip install "an-sdk"'}
    [openai] = {note for name, note in needs.items() if name.startswith("openai:")}
    assert openai == "needs OPENAI_API_KEY"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123 456789 ")
    assert {offer.note for offer in Models().catalog() if offer.model.startswith("openai:")} == {
        "needs another OPENAI_API_KEY"
    }
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    assert not [offer for offer in Models().catalog() if offer.model.startswith("openai:")]


def test_references_to_type_are_those_that_are_offered():
    models = Models(endpoints={"lab": URL})
    assert models.known() == [offer.model for offer in models.offers()]
