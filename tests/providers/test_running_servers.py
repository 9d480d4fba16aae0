"""`Models.look_around` asks the servers that run for their models, at most for a moment, and trusts none of them."""

import gzip
import json
import socket
import time

import pytest

from sessionmagic import MemoryStore, Models, SessionManager
from sessionmagic.loop import in_thread
from sessionmagic.models import running
from sessionmagic.models.named import Named, Names, Server
from sessionmagic.models.offers import MOST
from sessionmagic.models.running import BYTES
from sessionmagic.models.usual_servers import USUAL, UsualServer
from tests.provider import ScriptedProvider, chunk, streams
from tests.turns import ask, on_a_loop

DEAD = "http://127.0.0.1:1/v1"


@pytest.fixture(autouse=True)
def _none_runs(monkeypatch):
    """Keep the servers that may run on this machine out of the tests."""
    for name in USUAL:
        runs_at(monkeypatch, name, DEAD)


def runs_at(monkeypatch, name, url):
    monkeypatch.setitem(USUAL, name, UsualServer(f"{name.upper()}_BASE_URL", url))


def replies(content, status=200, **headers):
    body = content if isinstance(content, str) else json.dumps(content)
    return lambda handler: handler.reply(status, body, **headers)


def models_named(*names):
    return replies({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})


def found(models):
    models.look_around()
    return {offer.model: offer for offer in models.offers() if offer.kind == "server"}


def remark(lists):
    """Return what is said about a server that answers so, and the references that it gets."""
    with ScriptedProvider(lists=lists) as server:
        listed = found(Models(endpoints={"lab": server.url}))
    return listed["lab:"].note, [name for name in listed if name.startswith("lab:")][1:]


@pytest.mark.parametrize("name", list(USUAL))
@on_a_loop
async def test_reference_of_a_found_model_can_be_pasted(monkeypatch, name):
    hello = streams(chunk({"content": "Hi"}), finish="stop")
    with ScriptedProvider(hello, lists=models_named("org/some-model:8b")) as server:
        runs_at(monkeypatch, name, server.url)
        models = Models("test")
        listed = await in_thread(found, models)
        assert f"{name}:org/some-model:8b" in listed
        result = await ask(SessionManager(MemoryStore(), models), model=f"{name}:org/some-model:8b")
    assert (result.text, result.model) == ("Hi", f"{name}:org/some-model:8b")
    assert server.requests[0]["model"] == "org/some-model:8b"


def test_servers_are_asked_at_the_same_time_and_a_silent_one_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(running, "SECONDS", 2.0)
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        models = Models(endpoints={f"lab{number}": f"{url}{number}" for number in range(20)})
        began = time.monotonic()
        listed = found(models)
        seconds = time.monotonic() - began
    assert listed["lab0:"].note == listed["lab19:"].note == "no answer within 2 s"
    assert listed["ollama:"].note == "not running"
    assert seconds < 20 * 2.0 / 2


def test_nothing_is_asked_before_or_by_completion():
    with ScriptedProvider(lists=models_named("m")) as server:
        models = Models(endpoints={"lab": server.url})
        assert "lab:m" not in models.known()
        assert server.asked == []
        models.look_around()
        assert "lab:m" in models.known()
        assert len(server.asked) == 1


def test_servers_are_looked_for_anew_each_time():
    models = Models()
    with ScriptedProvider(lists=models_named("m")) as server:
        models.endpoints["lab"] = server.url
        assert "lab:m" in found(models)
    assert "lab:m" not in found(models)
    assert models.within(models._names).known() == models.known()


def test_usual_server_that_is_an_endpoint_of_the_user_is_listed_once(monkeypatch):
    with ScriptedProvider(lists=models_named("m")) as server:
        runs_at(monkeypatch, "vllm", server.url.replace("127.0.0.1", "localhost"))
        listed = found(Models(endpoints={"lab": server.url}))
    assert "lab:m" in listed
    assert "vllm:m" not in listed


@pytest.mark.parametrize(
    ("facts", "context"),
    [
        ({"max_model_len": 32768}, 32768),
        ({"meta": {"n_ctx_train": 4096}}, 4096),
        ({"context_length": 8192, "max_model_len": "many"}, 8192),
        ({"max_model_len": True}, None),
        ({"max_model_len": -1, "meta": []}, None),
        ({}, None),
    ],
)
def test_context_is_what_the_server_says(facts, context):
    with ScriptedProvider(lists=replies({"data": [{"id": "m", **facts}]})) as server:
        models = Models(endpoints={"lab": server.url}, prices={"lab": [1, 2]})
        offer = models.with_prices(found(models)["lab:m"])
    assert (offer.context, offer.input_price, offer.output_price) == (context, 1, 2)


@pytest.mark.parametrize(
    ("lists", "words"),
    [
        (replies("<!DOCTYPE html>", kind="text/html"), "it has no list of models"),
        (replies([1, 2]), "it has no list of models"),
        (replies({"data": {"id": "m"}}), "it has no list of models"),
        (replies("[" * 100_000), "it has no list of models"),
        (replies('{"data": []}' + " " * BYTES), "it has no list of models"),
        (replies("no", 500), "it answers HTTP 500"),
        (replies("", 302, location="http://127.0.0.1:1/"), "it answers HTTP 302"),
        (replies("no", 401), "it wants a key; set LAB_API_KEY"),
        (models_named("a\x1b[31m", "b,c", "d e", "{f}", "$g", "", "x" * 201, 7), "8 models left out"),
    ],
)
def test_answer_that_is_no_list_of_names_is_one_remark(lists, words):
    assert remark(lists) == (words, [])


def test_list_that_is_compressed_unasked_is_not_read():
    body = gzip.compress(b" " * 50_000_000)

    def bomb(handler):
        handler.begin(200, "application/json", content_encoding="gzip", content_length=str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    assert remark(bomb) == ("it has no list of models", [])


def test_answer_that_comes_drop_by_drop_is_left():
    def drips(handler):
        handler.stream()
        while not handler.closing.wait(0.05):
            handler.send(" ")

    assert remark(drips) == ("no answer within 0.3 s", [])


def test_no_more_than_a_thousand_models_of_a_server_are_listed():
    note, names = remark(models_named(*(f"m{number}" for number in range(MOST + 5))))
    assert (note, len(names)) == ("5 models left out", MOST)


@pytest.mark.parametrize(
    "address", ["ftp://127.0.0.1/v1", "http://[::1", "127.0.0.1:8000", "", "http://127.0.0.1:99999/"]
)
def test_address_that_is_none_is_no_error(address):
    assert found(Models(endpoints={"lab": address}))["lab:"].note == "not running"


def test_server_here_is_asked_without_the_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", DEAD)
    with ScriptedProvider(lists=models_named("m")) as server:
        assert "lab:m" in found(Models(endpoints={"lab": server.url}))


def test_server_elsewhere_is_asked_through_the_proxy(monkeypatch):
    with ScriptedProvider(lists=models_named("m")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
        assert "lab:m" in found(Models(endpoints={"lab": "http://models.example/v1"}))


def test_key_is_sent_only_to_an_address_that_the_user_has_given(monkeypatch):
    monkeypatch.setenv("VLLM_API_KEY", "k-0123456789")
    with ScriptedProvider(lists=models_named("m")) as server:
        runs_at(monkeypatch, "vllm", server.url)
        found(Models())
        monkeypatch.setenv("VLLM_BASE_URL", server.url)
        found(Models())
        found(Models(endpoints={"vllm": server.url}))
    assert server.asked == ["", "Bearer k-0123456789", "Bearer k-0123456789"]


@pytest.mark.parametrize(("key", "words"), [("k-0123456789", "it refuses the key"), ("kä\n", "not running")])
def test_key_that_does_not_fit_is_a_remark(monkeypatch, key, words):
    monkeypatch.setenv("LAB_API_KEY", key)
    assert remark(replies("no", 403)) == (words, [])


@pytest.mark.parametrize(
    ("server", "asked"),
    [
        ({}, [""]),
        ({"key": "CLUSTER_KEY"}, ["Bearer k-0123456789"]),
        ({"key": "CLUSTER_KEY", "refusal": "would send CLUSTER_KEY"}, []),
    ],
)
def test_server_of_this_machine_that_an_agents_file_names_is_asked_unless_that_needs_a_yes(monkeypatch, server, asked):
    monkeypatch.setenv("CLUSTER_KEY", "k-0123456789")
    with ScriptedProvider(lists=models_named("m")) as provider:
        names = Names(servers={"cluster": Server(base_url=provider.url, **server)})
        models = Models().within(names)
        assert ("cluster:m" in found(models)) == bool(asked)
    assert provider.asked == asked


@pytest.mark.parametrize(
    ("lists", "context", "remark"),
    [
        (replies({"data": [{"id": "m", "max_model_len": 4096}]}), 4096, ""),
        (models_named("other"), None, " (its server does not list it)"),
        (replies("no", 500), None, " (it answers HTTP 500)"),
    ],
)
def test_server_of_a_named_model_is_asked_about_it(lists, context, remark):
    with ScriptedProvider(lists=lists) as server:
        own = Server(base_url=server.url)
        names = {"quick": Named(references=("m",), server=own), "slow": Named(references=("m",), server=own)}
        models = Models().within(Names(models=names))
        models.look_around()
        offer = {each.model: each for each in models.offers()}["quick"]
    assert (offer.kind, offer.context) == ("named", context)
    assert offer.note == f"named: openai:m at {server.url}{remark}"
    assert len(server.asked) == 1


@pytest.mark.parametrize("address", ["http://models.example/v1", "http://[", ""])
def test_server_elsewhere_that_an_agents_file_names_is_not_asked(monkeypatch, address):
    with ScriptedProvider(lists=models_named("m")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
        found(Models().within(Names(servers={"cluster": Server(base_url=address)})))
        own = Named(references=("m",), server=Server(base_url=address))
        found(Models().within(Names(models={"quick": own})))
    assert proxy.asked == []
