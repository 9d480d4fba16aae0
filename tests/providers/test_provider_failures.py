"""A provider's failures through the real SDK, against a scripted server on loopback."""

import asyncio

import pytest
from pydantic_ai.exceptions import ModelTimeoutError

from sessionmagic import Models, SessionManager, TinyStore
from sessionmagic.conversation.event_json import event_to_json
from sessionmagic.conversation.events import TextDelta, UsageReported
from sessionmagic.conversation.usage import Usage
from sessionmagic.exceptions import ModelRefusedError, TurnFailedError, TurnTimeoutError
from sessionmagic.testing import call, script
from sessionmagic.turns.failures import failure
from tests.clock import on_a_clock, passes
from tests.provider import (
    ScriptedProvider,
    answers,
    echoes_the_key,
    is_cut_off,
    never_answers,
    refuses,
    replies,
    talks_nonsense,
)
from tests.turns import events_of, on_a_loop, said

KEY = "sk-lab-0123456789abcdef"


@pytest.fixture
def home(tmp_path):
    return tmp_path / "store"


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("LAB_API_KEY", KEY)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    monkeypatch.setattr("sessionmagic.turns.rate_limits.LONGEST", 0.0)


def manager_of(provider, home):
    return SessionManager(TinyStore(home), Models("test", endpoints={"lab": provider.url}))


async def ask(manager, prompt="Hello", model="lab:some-model", **options):
    turn = await manager.run(prompt, session="chat", model=model, **options)
    events = await events_of(turn)
    return await turn.result(), events


def everything_shown_or_stored(result, events, home):
    shown = [repr(result), str(result.error), repr(result.error), *map(event_to_json, events)]
    stored = [path.read_text(errors="replace") for path in home.rglob("*") if path.is_file()]
    assert stored
    return "\n".join(shown + stored)


@on_a_loop
async def test_answer_of_a_provider_is_streamed_counted_and_attributed(home):
    with ScriptedProvider(answers("Hello", " there", tokens=(11, 5))) as provider:
        result, events = await ask(manager_of(provider, home))
    assert result.status == "completed"
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == result.text == "Hello there"
    assert (result.usage.input_tokens, result.usage.output_tokens) == (11, 5)
    assert "some-model" in result.model
    assert provider.requests[0]["messages"] == [{"role": "user", "content": "Hello"}]
    assert provider.keys == [KEY]
    assert KEY not in everything_shown_or_stored(result, events, home)


@on_a_loop
async def test_answer_whose_usage_is_not_reported_is_of_unknown_cost(home):
    with ScriptedProvider(answers("Hello", tokens=None)) as provider:
        result, events = await ask(manager_of(provider, home))
    assert (result.status, result.cost, result.usage) == ("completed", None, Usage(unmeasured_requests=1))
    assert [event.usage for event in events if isinstance(event, UsageReported)] == [result.usage]


@on_a_loop
async def test_second_turn_sends_the_whole_conversation(home):
    with ScriptedProvider(answers("It is ", "fine.")) as provider:
        manager = manager_of(provider, home)
        await ask(manager, "How is it?")
        await ask(manager, "And now?", model="")
    assert provider.requests[1]["messages"] == [
        {"role": "user", "content": "How is it?"},
        {"role": "assistant", "content": "It is fine."},
        {"role": "user", "content": "And now?"},
    ]


@pytest.mark.parametrize(
    ("script", "kind", "code", "words"),
    [
        (refuses(401, "Invalid key."), ModelRefusedError, "auth", "refused the API key; check LAB_API_KEY"),
        (
            refuses(404, "No such model.", "model_not_found"),
            ModelRefusedError,
            "model_not_found",
            "does not have this model",
        ),
        (refuses(429, "Slow down."), TurnFailedError, "rate_limited", "too many requests"),
        (
            refuses(400, "This is too long.", "context_length_exceeded"),
            TurnFailedError,
            "context_exceeded",
            "longer than the model can read",
        ),
        (
            refuses(500, "Out of order."),
            TurnFailedError,
            "model_error",
            "the provider failed; try again later, or choose another model (500: Out of order.)",
        ),
        (replies("<html>down for maintenance</html>", "text/html"), TurnFailedError, None, "lab:some-model"),
        (replies("not JSON at all"), TurnFailedError, None, "lab:some-model"),
        (replies(""), TurnFailedError, None, "lab:some-model"),
        (replies("data: nonsense\n\n", "text/event-stream"), TurnFailedError, None, "lab:some-model"),
    ],
    ids=["401", "404", "429", "too long", "500", "a page", "no JSON", "nothing", "no SSE"],
)
@on_a_loop
async def test_failure_before_the_first_word_is_one_line_and_keeps_the_record_off_the_path(
    home, script, kind, code, words
):
    with ScriptedProvider(script) as provider:
        manager = manager_of(provider, home)
        result, events = await ask(manager)
    assert result.status == events[-1].status == "failed"
    assert type(result.error) is kind
    assert words in str(result.error)
    assert "\n" not in str(result.error)
    assert code is None or events[-1].error_code == code
    session = manager.sessions.load("chat")
    assert [(turn.status, turn.error) for turn in session.turns] == [("failed", str(result.error))]
    assert session.head is None
    assert KEY not in everything_shown_or_stored(result, events, home)


@pytest.mark.parametrize(
    ("finish", "words"), [("length", "token limit"), ("content_filter", "filter"), (None, "may be incomplete")]
)
@on_a_loop
async def test_answer_that_ends_early_without_an_error_says_so(home, finish, words):
    with ScriptedProvider(answers("Half an", " answer", finish=finish)) as provider:
        manager = manager_of(provider, home)
        result, _ = await ask(manager)
    assert (result.status, result.text) == ("completed", "Half an answer")
    assert [words in text for text in manager.sessions.load("chat").turns[0].warnings] == [True]


@on_a_loop
async def test_whole_answer_has_no_warning(home):
    with ScriptedProvider(answers("A whole answer")) as provider:
        manager = manager_of(provider, home)
        await ask(manager, model="lab:some-model")
    assert manager.sessions.load("chat").turns[0].warnings == []


@pytest.mark.parametrize(
    "script", [is_cut_off("Half an", " answer"), talks_nonsense("Half an", " answer")], ids=["cut", "nonsense"]
)
@on_a_loop
async def test_stream_that_breaks_in_the_middle_keeps_what_was_said(home, script):
    with ScriptedProvider(script) as provider:
        manager = manager_of(provider, home)
        result, events = await ask(manager)
        provider.scripts = [answers("Whole.")]
        after, _ = await ask(manager, "Go on", model="")
    assert (result.status, result.text) == ("failed", "Half an answer")
    assert type(result.error) is TurnFailedError
    assert "\n" not in str(result.error)
    first = manager.sessions.load("chat").turns[0]
    assert first.messages[-1]["parts"][0]["content"] == "Half an answer"
    assert after.text == "Whole."
    assert [message["content"] for message in provider.requests[-1]["messages"]] == [
        "Hello",
        "Half an answer",
        "Go on",
    ]
    assert events[-1].status == "failed"


@on_a_loop
async def test_overload_that_passes_is_not_noticed(home):
    with ScriptedProvider(refuses(500, "Out of order."), answers("Here I am.")) as provider:
        result, _ = await ask(manager_of(provider, home))
    assert (result.status, result.text) == ("completed", "Here I am.")
    assert len(provider.requests) == 2


@on_a_loop
async def test_key_that_a_provider_repeats_is_masked_everywhere(home):
    with ScriptedProvider(echoes_the_key()) as provider:
        result, events = await ask(manager_of(provider, home))
    assert isinstance(result.error, ModelRefusedError)
    assert "Incorrect API key provided" in str(result.error)
    assert provider.keys == [KEY]
    assert KEY not in everything_shown_or_stored(result, events, home)


@pytest.mark.parametrize("chunks", [(), ("So far",)], ids=["silent", "after some words"])
@on_a_clock
async def test_provider_that_says_nothing_for_ever_ends_with_the_timeout(home, chunks):
    with ScriptedProvider(never_answers(*chunks)) as provider:
        turn = await manager_of(provider, home).run("Hello", session="chat", model="lab:some-model", timeout=60)
        await (said(turn) if chunks else asyncio.to_thread(provider.arrived.wait, 30))
        await passes(60.2)
        events, result = await events_of(turn), await turn.result()
    assert isinstance(result.error, TurnTimeoutError)
    assert (events[-1].status, events[-1].error_code) == ("failed", "timeout")
    assert result.text == "".join(chunks)


@pytest.mark.parametrize("chunks", [(), ("So far",)], ids=["silent", "after some words"])
@on_a_loop
async def test_waiting_for_a_silent_provider_can_be_stopped(home, chunks):
    with ScriptedProvider(never_answers(*chunks)) as provider:
        turn = await manager_of(provider, home).run("Hello", session="chat", model="lab:some-model")
        await (said(turn) if chunks else asyncio.to_thread(provider.arrived.wait, 30))
        turn.cancel()
        result = await asyncio.wait_for(turn.result(), 30)
    assert (result.status, result.text, result.error) == ("interrupted", "".join(chunks), None)
    assert (result.cost, result.usage.unmeasured_requests) == (None, 1)


@on_a_loop
async def test_server_that_is_not_there_is_named_with_its_reference(home):
    with ScriptedProvider(answers("Hello")) as provider:
        pass
    result, events = await ask(manager_of(provider, home))
    assert type(result.error) is TurnFailedError
    assert str(result.error).startswith(f"lab:some-model: the connection to {provider.url}/ failed")
    assert events[-1].error_code == "connection"


@pytest.mark.parametrize("message", ["red \x1b[31malert", "two\nlines", "x" * 5_000, ""])
@on_a_loop
async def test_providers_words_are_shown_on_one_short_printable_line(home, message):
    with ScriptedProvider(refuses(400, message)) as provider:
        result, _ = await ask(manager_of(provider, home))
    assert isinstance(result.error, TurnFailedError)
    assert str(result.error).isprintable()
    assert len(str(result.error)) < 500


class OddError(BaseException):
    """Nothing that a model should raise."""


@on_a_loop
async def test_what_was_stored_stays_when_a_model_fails_as_nothing_should(manager):
    def look() -> str:
        return "seen"

    script("odd", call("look"), OddError("gone"))
    turn = await manager.run("Hello", session="chat", model="odd", tools=[look], yes=True)
    result = await turn.result()
    assert (result.status, str(result.error)) == ("failed", "odd: OddError: gone")
    [turn] = manager.sessions.load("chat").path()
    assert [message["kind"] for message in turn.messages] == ["request", "response", "request"]


def test_provider_that_gives_up_waiting_is_named_with_its_reference():
    code, error = failure("lab:some-model", ModelTimeoutError("some-model", "Request timed out."))
    assert (code, type(error)) == ("timeout", TurnFailedError)
    assert str(error) == "lab:some-model: the provider did not answer in time; try again later (Request timed out.)"
