"""Models and connections are kept from one turn to the next, and only as long as nothing they depend on changes."""

import asyncio
import os
from unittest.mock import AsyncMock

import pytest
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.providers.openai import OpenAIProvider

from sessionmagic import Models
from sessionmagic.exceptions import ModelReferenceError
from sessionmagic.models import connections
from sessionmagic.models.clients import ask_directly
from sessionmagic.models.configured import configured
from sessionmagic.models.connections import OpenConnections, shared_client, tls
from sessionmagic.models.kept import KEPT, KeptModels
from tests.chat_server import ChatServer
from tests.turns import on_a_loop

URL = "http://127.0.0.1:1/v1"
BODY = {"messages": [{"role": "user", "content": "Go"}]}


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


def resolved(models, reference="lab:m"):
    return models.resolve(reference, asyncio.get_running_loop()).model


@on_a_loop
async def test_model_is_kept_while_nothing_changes():
    models = Models(endpoints={"lab": URL})
    assert resolved(models) is resolved(models)
    assert resolved(models) is not resolved(models, "lab:other")


def test_model_is_made_anew_without_a_loop():
    models = Models(endpoints={"lab": URL})
    assert models.resolve("lab:m").model is not models.resolve("lab:m").model


@pytest.mark.parametrize(("reference", "variable"), [("lab:m", "LAB_API_KEY"), ("openai:gpt-5.2", "OPENAI_API_KEY")])
@on_a_loop
async def test_key_that_was_changed_in_the_environment_is_sent(reference, variable, monkeypatch):
    models = Models(endpoints={"lab": URL})
    monkeypatch.setenv(variable, "one-key-123456789")
    assert resolved(models, reference).client.api_key == "one-key-123456789"
    monkeypatch.setenv(variable, "two-key-123456789")
    assert resolved(models, reference).client.api_key == "two-key-123456789"


@on_a_loop
async def test_endpoint_that_was_changed_is_asked(monkeypatch):
    monkeypatch.setattr(configured, "endpoints", configured.endpoints.copy())
    models = Models()
    models.endpoints.maps.append(configured.endpoints)
    for port in (1, 2):
        configured.change("local", {"lab": f"http://127.0.0.1:{port}/v1"}, {})
        assert resolved(models).client.base_url.port == port


@on_a_loop
async def test_model_whose_variable_was_unset_cannot_be_used(monkeypatch):
    models = Models()
    monkeypatch.setenv("OPENAI_API_KEY", "one-key-123456789")
    resolved(models, "openai:gpt-5.2")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ModelReferenceError, match="OPENAI_API_KEY, which is not set"):
        resolved(models, "openai:gpt-5.2")


def test_each_loop_has_its_own_model():
    models = Models(endpoints={"lab": URL})

    async def made():
        return resolved(models)

    assert asyncio.run(made()) is not asyncio.run(made())


@on_a_loop
async def test_model_behind_a_proxy_has_a_client_of_its_own_and_is_not_kept(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_API_KEY", "one-key-123456789")
    models = Models()
    assert resolved(models, "openai:gpt-5.2") is not resolved(models, "openai:gpt-5.2")
    assert resolved(models, "openai:gpt-5.2").client._client is not shared_client()


@on_a_loop
async def test_all_models_share_their_connections(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "one-key-123456789")
    models = Models(endpoints={"lab": URL})
    for reference in ("lab:m", "openai:gpt-5.2", "openai-chat:gpt-5.2", "ollama:m"):
        assert resolved(models, reference).client._client is shared_client()


def test_server_is_asked_on_each_loop_also_after_another_was_closed():
    async def ask(url):
        return [(await shared_client().post(f"{url}/chat/completions", json=BODY)).status_code for _ in range(2)]

    with ChatServer() as server:
        for _ in range(3):
            assert asyncio.run(ask(server.url)) == [200, 200]


def test_connections_are_closed_with_their_loop():
    transport = OpenConnections()

    async def opened():
        return await transport._of_this_loop("http")

    asyncio.run(opened())
    assert transport._open == {}


def test_certificates_are_read_once(monkeypatch, tmp_path):
    made = []
    monkeypatch.setattr(connections, "create_ssl_context", lambda: made.append(1) or object())
    connections._tls.cache_clear()
    assert tls() is tls()
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    tls()
    assert len(made) == 2
    connections._tls.cache_clear()


@on_a_loop
async def test_the_oldest_of_many_models_is_made_anew():
    kept, loop = KeptModels(), asyncio.get_running_loop()
    first = kept.made(loop, ("0",), TestModel)
    assert kept.made(loop, ("0",), TestModel) is first
    for number in range(1, KEPT + 1):
        kept.made(loop, (str(number),), TestModel)
    assert kept.made(loop, ("0",), TestModel) is not first


def test_a_client_of_a_provider_asks_this_machine_without_a_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url="http://127.0.0.1:1/v1", api_key="x"))
    before = model.client._client
    ask_directly(model)
    assert model.client._client is not before
    assert not model.client._client._mounts


@on_a_loop
async def test_requests_that_begin_together_share_their_connections():
    of_this_loop = OpenConnections()._of_this_loop
    first, second = await asyncio.gather(of_this_loop("https"), of_this_loop("https"))
    assert first is second


@pytest.mark.parametrize(("platform", "options"), [("linux", {"verify", "limits"}), ("emscripten", set())])
@on_a_loop
async def test_connections_of_a_browser_have_no_options(monkeypatch, platform, options):
    made = []
    monkeypatch.setattr(connections.sys, "platform", platform)
    monkeypatch.setattr(connections, "AsyncHTTPTransport", lambda **given: made.append(given) or AsyncMock())
    await OpenConnections()._of_this_loop("http")
    assert [set(given) for given in made] == [options]
