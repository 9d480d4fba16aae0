"""What `%agent models` lists: each reference once, marked, with prices that are those of the bill."""

import pytest
from pydantic_ai.messages import ModelResponse
from pydantic_ai.usage import RequestUsage

from sessionmagic import MemoryStore, Models, SessionManager
from sessionmagic.models.named import Named, Names
from sessionmagic.models.offers import Offer, once
from sessionmagic.sessions.choices import RECENT, choices
from sessionmagic.testing import script
from sessionmagic.turns.model_requests import usage_of
from tests.turns import ask, on_a_loop

URLS = {"openai": "https://api.openai.com/v1/", "anthropic": "https://api.anthropic.com"}


def rows(manager, session=None, **options):
    stored = manager.sessions.load(session) if session else None
    return {offer.model: offer for offer in choices(manager.sessions, manager.models, stored, **options)}


def quick(**about):
    return Names(models={"quick": Named(**about)})


@pytest.fixture
def manager():
    script("hello", "Hello")
    script("other", "Other")
    return SessionManager(MemoryStore(), Models("hello"))


@on_a_loop
async def test_what_is_in_use_and_was_used_lately_comes_before_the_rest_and_is_marked(manager):
    await ask(manager, model="other", session="first")
    await ask(manager, model="test", session="second")
    listed = rows(manager, "second")
    assert [name for name, offer in listed.items() if offer.kind == "recent"] == ["test", "hello", "other"]
    marks = {name: offer.mark for name, offer in listed.items() if offer.mark}
    assert marks == {"test": "current", "hello": "default"}
    assert listed["test"].note == "answers without a model, for trying things out"
    assert rows(manager)["hello"].mark == "default"


@on_a_loop
async def test_session_without_a_model_of_its_own_has_the_default(manager):
    await ask(manager, session="plain")
    assert rows(manager, "plain")["hello"].mark == "current, default"


@on_a_loop
async def test_model_that_can_no_longer_be_used_is_listed_as_unresolved(manager, monkeypatch):
    monkeypatch.setenv("LAB_API_KEY", "k")
    manager.models.endpoints["lab"] = "http://127.0.0.1:1/v1"
    await ask(manager, session="chat")
    manager.sessions.set_model("chat", "lab:m")
    assert rows(manager, "chat")["lab:m"].mark == "current"
    del manager.models.endpoints["lab"]
    for session in ("chat", None):
        assert "unresolved" in rows(manager, session)["lab:m"].mark


@on_a_loop
async def test_only_the_latest_references_are_listed_as_used(manager):
    for number in range(RECENT + 2):
        script(f"m{number}", "Hi")
        await ask(manager, model=f"m{number}", session=f"s{number}")
    recent = [name for name, offer in rows(manager).items() if offer.kind == "recent"]
    assert len(recent) == RECENT
    assert recent[1] == f"m{RECENT + 1}"


@on_a_loop
async def test_references_of_the_session_come_first(manager):
    await ask(manager, session="chat")
    manager.models.endpoints["lab"] = "http://127.0.0.1:1/v1"
    for reference in ("lab:a", "lab:b", "default"):
        manager.sessions.set_model("chat", reference)
    recent = [name for name, offer in rows(manager, "chat").items() if offer.kind == "recent"]
    assert recent == ["hello", "lab:b", "lab:a"]


def test_named_models_come_first_with_what_they_stand_for_and_their_price(manager):
    manager.models = manager.models.within(quick(references=("anthropic:claude-sonnet-4-5",), price=(1.5, 6)))
    first, *_ = choices(manager.sessions, manager.models)
    assert first == Offer(
        model="quick",
        kind="named",
        context=manager.models.with_prices(Offer(model="anthropic:claude-sonnet-4-5", kind="catalog")).context,
        input_price=1.5,
        output_price=6,
        note="named: anthropic:claude-sonnet-4-5",
    )


def test_price_of_a_name_is_that_of_its_model_unless_the_user_gives_another():
    reference = "openai:gpt-5-mini"
    known = Models().with_prices(Offer(model=reference, kind="provider"))
    assert known.input_price
    for about, price in (
        ({"references": (reference,)}, known.input_price),
        ({"references": (reference, reference)}, None),
        ({"references": (reference,), "first": True}, None),
    ):
        models = Models().within(quick(**about))
        assert models.with_prices(Offer(model="quick", kind="named")).input_price == price
    models = Models(prices={"quick": [7, 8]}, context_limits={"openai": 99}).within(quick(references=(reference,)))
    offer = models.with_prices(Offer(model="quick", kind="named"))
    assert (offer.input_price, offer.output_price, offer.context) == (7, 8, 99)


@pytest.mark.parametrize("provider", list(URLS))
def test_listed_price_is_the_one_that_is_charged(provider):
    offers = [Models().with_prices(each) for each in Models().catalog() if each.model.startswith(f"{provider}:")]
    priced = [offer for offer in offers if offer.input_price is not None]
    assert priced
    for offer in priced:
        usage = RequestUsage(input_tokens=300, output_tokens=200)
        name = offer.model.partition(":")[2]
        response = ModelResponse(
            parts=[], model_name=name, provider_name=provider, provider_url=URLS[provider], usage=usage
        )
        expected = (300 * offer.input_price + 200 * offer.output_price) / 1_000_000
        assert usage_of(response, None).cost == pytest.approx(expected)
        assert offer.context is None or offer.context > 1000


@pytest.mark.parametrize(
    "reference", ["lab:gpt-5-mini", "ollama:gpt-5-mini", "local", "auto", "test", "a,b", "openai:"]
)
def test_what_no_list_knows_has_no_price(reference):
    offer = Models(endpoints={"lab": "http://127.0.0.1:1/v1"}).with_prices(Offer(model=reference, kind="recent"))
    assert (offer.context, offer.input_price, offer.output_price) == (None, None, None)


def test_provider_that_is_asked_elsewhere_has_no_price(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert Models().with_prices(Offer(model="openai-chat:gpt-5-mini", kind="provider")).input_price is None
    assert Models().with_prices(Offer(model="anthropic:claude-sonnet-4-5", kind="provider")).input_price is not None


def test_wrong_price_of_the_user_is_not_listed():
    models = Models(prices={"openai": [1]}, context_limits={"openai": "many"})
    offer = models.with_prices(Offer(model="openai:gpt-5-mini", kind="provider"))
    assert offer.input_price is not None


@pytest.mark.parametrize(
    ("words", "fits"),
    [([], True), (["gpt"], True), (["MINI", "provider"], True), (["gpt", "claude"], False), (["cheap"], True)],
)
def test_each_word_must_be_found(words, fits):
    assert Offer(model="openai:gpt-5-mini", kind="provider", note="cheap").fits(words) == fits


def test_reference_is_listed_once_for_its_first_reason():
    offers = [Offer(model="a", kind="provider"), Offer(model="b", kind="local"), Offer(model="a", kind="named")]
    assert once(offers) == [offers[2], offers[1]]


def test_models_that_need_a_key_are_listed_only_with_everything(manager):
    assert not [name for name in rows(manager) if name.startswith("anthropic:")]
    everything = rows(manager, everything=True)
    [note, *_] = [offer.note for name, offer in everything.items() if name.startswith("openai:")]
    assert note == "needs OPENAI_API_KEY"
