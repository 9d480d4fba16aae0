"""Model references: how they are read, and what is said of those that cannot be used, without any network."""

import pytest

from sessionmagic import Models, register_model
from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models import providers
from sessionmagic.models.references import ModelRef, readings
from sessionmagic.testing import script


@pytest.fixture
def models():
    return Models("test", endpoints={"lab": "http://127.0.0.1:1/v1", "my-lab": "http://127.0.0.1:1/v1"})


def refusal(models, reference):
    with pytest.raises(ModelReferenceError) as caught:
        models.check(reference)
    with pytest.raises(ModelReferenceError) as resolving:
        models.resolve(reference)
    message = str(caught.value)
    assert str(resolving.value) == message
    assert message.isprintable()
    return message


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("local", []),
        ("openai:gpt-5.2", [("openai", "gpt-5.2")]),
        ("openai/gpt-5.2", [("openai", "gpt-5.2")]),
        ("openrouter:vendor/name", [("openrouter", "vendor/name"), ("openrouter:vendor", "name")]),
        ("openrouter/vendor/name:free", [("openrouter/vendor/name", "free"), ("openrouter", "vendor/name:free")]),
        ("ollama:llama3:8b", [("ollama", "llama3:8b")]),
        ("openai:", []),
        ("openai:a,openai:b", []),
    ],
)
def test_reference_is_read_as_one_name_and_then_as_a_provider_with_its_model(text, parts):
    assert readings(text) == [ModelRef(text, text), *(ModelRef(text, *part) for part in parts)]


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("opnai:gpt-5.2", ["unknown provider 'opnai'", "did you mean 'openai'?"]),
        ("nope:x", ["unknown provider 'nope' in 'nope:x'; %agent models lists"]),
        ("lib:x", ["unknown provider 'lib'", "did you mean 'lab'?"]),
        ("vendor/name", ["unknown provider 'vendor'"]),
        ("gpt-5.2", ["'gpt-5.2' is not a model reference", "provider:model"]),
        ("locl", ["'locl' is not a model reference", "did you mean 'local'?"]),
        ("openai:", ["'openai:' is not a model reference"]),
        ("openai", ["'openai' is not a model reference; write provider:model"]),
        ("lab:a,opnai:b", ["unknown provider 'opnai' in 'opnai:b'", "did you mean 'openai'?"]),
        ("lab:a,", ["'lab:a,' has nothing before or after a comma; write it as MODEL,MODEL"]),
        (", lab:a", ["has nothing before or after a comma"]),
        (",", ["has nothing before or after a comma"]),
        ("default,lab:a", ["'default,lab:a' mixes the default with other models"]),
        (":x", ["unknown provider ''"]),
        ("   ", ["is not a model reference"]),
        ("local:/no/such/file.gguf", ["/no/such/file.gguf"]),
        ("two\nlines:x", ["unknown provider"]),
    ],
)
def test_reference_that_cannot_be_used_is_one_line_that_says_why(models, reference, words):
    message = refusal(models, reference)
    for word in words:
        assert word in message


def test_nothing_is_suggested_for_a_provider_without_its_model(models):
    for reference in ("openai", "openai:", "lab/"):
        assert "did you mean" not in refusal(models, reference)


def test_registered_name_that_is_mistyped_is_suggested(models):
    script("calm", "It is fine.")
    assert refusal(models, "clam").endswith("did you mean 'calm'?")


def test_long_reference_is_cut_in_the_message(models):
    assert len(refusal(models, "x" * 10_000)) < 500
    assert len(refusal(models, "x" * 10_000 + ":y")) < 500


@pytest.mark.parametrize(
    ("reference", "variable"),
    [
        ("openai:gpt-5.2", "OPENAI_API_KEY"),
        ("openrouter:a/b", "OPENROUTER_API_KEY"),
        ("deepseek:x", "DEEPSEEK_API_KEY"),
    ],
)
def test_missing_key_is_named(models, monkeypatch, reference, variable):
    assert f"needs {variable}, which is not set" in refusal(models, reference)
    monkeypatch.setenv(variable, "")
    assert f"needs {variable}" in refusal(models, reference)
    monkeypatch.setenv(variable, "sk-0123456789")
    models.check(reference)


@pytest.mark.parametrize(
    ("reference", "install"),
    [
        ("openai:x", "sessionmagic[openai]"),
        ("lab:x", "sessionmagic[openai]"),
        ("anthropic:x", "sessionmagic[anthropic]"),
        ("google:x", "sessionmagic[google]"),
        ("mistral:x", "pydantic-ai-slim[mistral]"),
    ],
)
def test_missing_sdk_says_the_line_that_installs_it(models, monkeypatch, reference, install):
    monkeypatch.setattr(providers, "find_spec", lambda _: None)
    assert f'pip install "{install}"' in refusal(models, reference)


def test_any_provider_that_pip_can_complete_is_an_extra_that_exists():
    from importlib.metadata import metadata

    extras = {name: metadata(name).get_all("Provides-Extra") for name in ("sessionmagic", "pydantic-ai-slim")}
    for provider in providers.PROVIDERS.values():
        package, _, extra = provider.install.removesuffix("]").partition("[")
        assert extra in extras[package]


def test_named_model_comes_before_any_other_reading(models):
    model = script("test", "mine")
    register_model("openai:gpt-5.2", model)
    for reference in ("test", "openai:gpt-5.2"):
        models.check(reference)
        assert models.resolve(reference).model is model


def test_endpoint_is_asked_with_its_own_key(models, monkeypatch):
    monkeypatch.setenv("MY_LAB_API_KEY", "sk-my-lab-0123")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai-0123")
    resolved = models.resolve("my-lab:vendor/name")
    assert (resolved.reference, resolved.model.model_name) == ("my-lab:vendor/name", "vendor/name")
    assert str(resolved.model.client.base_url) == "http://127.0.0.1:1/v1/"
    assert resolved.model.client.api_key == "sk-my-lab-0123"
    assert models.resolve("lab/name").model.client.api_key == "not-needed"


def test_ollama_needs_no_key(models):
    resolved = models.resolve("ollama:llama3:8b")
    assert resolved.model.model_name == "llama3:8b"
    assert str(resolved.model.client.base_url) == "http://localhost:11434/v1/"


def test_name_that_no_list_knows_is_a_warning_and_no_refusal(models, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    listed = next(name for name in models.known() if name.startswith("openai:gpt"))
    [warning] = models.resolve(listed + "x").warnings
    assert f"{listed}x is not in any known list of models, but is tried anyway; did you mean 'gpt" in warning
    assert models.resolve(listed).warnings == []
    assert models.resolve("lab:anything").warnings == []


def test_reference_is_checked_without_a_request(models, monkeypatch):
    import socket

    def no_network(*_):
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    for reference in ("openai:gpt-5.2", "lab:x", "ollama:x", "test"):
        models.check(reference)
        assert models.resolve(reference).reference == reference


def test_references_to_offer_are_those_that_can_be_used(models, monkeypatch):
    script("mine", "hello")
    offered = models.known()
    assert {"mine", "local", "test", "lab:", "my-lab:", "ollama:"} <= set(offered)
    assert not [reference for reference in offered if reference.startswith("openai:")]
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    assert "openai:" in models.known()
    assert len([reference for reference in models.known() if reference.startswith("openai:")]) > 5
