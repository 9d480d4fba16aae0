"""Which tools a model is offered: not those that a rule denies, and not those that its provider refuses."""

import json

import pytest
from pydantic_ai.models.fallback import FallbackModel

from sessionmagic import MemoryStore, Models, SessionManager, register_model
from sessionmagic.conversation.events import LimitReached, Warned
from sessionmagic.testing import ScriptedModel
from sessionmagic.tools.permissions import Limits
from sessionmagic.tools.schemas import mended
from tests.provider import ScriptedProvider, answers, call_delta, calls, refuses
from tests.scripted import Pausing
from tests.turns import acted, events_of, on_a_loop, returned, whole


def look(path: str) -> str:
    """Look."""
    return f"saw {path}"


def send(to: str) -> str:
    """Send."""
    return f"sent {to}"


def takes(*names, words, status=400):
    """Return a script that refuses requests that offer other tools than these."""

    def script(handler):
        offered = offered_in(handler.body)
        answer = answers("Fine.") if set(offered) <= set(names) else refuses(status, words)
        answer(handler)

    return script


def offered_in(body):
    return [entry["function"]["name"] for entry in body.get("tools", [])]


async def run(manager, **options):
    turn = await manager.run(
        "Hello", session="chat", **({"model": "lab:m", "tools": [look, send], "yes": True} | options)
    )
    events = whole(await events_of(turn))
    return await turn.result(), [event.text for event in events if isinstance(event, Warned)]


def manager_of(provider):
    return SessionManager(MemoryStore(), Models("test", endpoints={"lab": provider.url}))


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("registry.ollama.ai/library/gemma3:4b does not support tools", 400),
        ("No endpoints found that support tool use. Try disabling look.", 404),
        ('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', 400),
        ("tools param requires --jinja flag", 500),
        ("Function calling is not enabled for models/gemma-3-27b-it", 400),
        ("`tools` is not supported with this model", 400),
        ("tool calling is not supported with this model", 400),
        ("This model doesn't support tool use in streaming mode.", 400),
        ("deepseek-reasoner does not support Function Calling", 400),
        ("Unsupported parameter: 'tools' is not supported with this model.", 400),
        ("Unrecognized request argument supplied: tools", 400),
        ("Model m currently does not support function calling", 422),
    ],
)
@on_a_loop
async def test_model_without_tools_is_asked_again_without_them_and_never_again_with_them(words, status):
    with ScriptedProvider(takes(words=words, status=status)) as provider:
        manager = manager_of(provider)
        result, warnings = await run(manager)
        assert (result.status, result.text) == ("completed", "Fine.")
        assert warnings == ["lab:m takes no tools, so it was asked without look, send"]
        before = len(provider.requests)
        result, warnings = await run(manager, model="")
    assert result.text == "Fine."
    assert [offered_in(request) for request in provider.requests[before:]] == [[]]
    assert warnings == ["lab:m cannot call tools, so it is not offered look, send"]
    assert manager.models.resolve("lab:other").takes_tools


@pytest.mark.parametrize(
    "words",
    [
        "Invalid schema for function 'send': In context=('properties', 'to'), array schema missing items.",
        "tools.1.custom.input_schema: JSON schema is invalid.",
        "Invalid value at 'tools[1].function_declarations[0].parameters'",
        "The tool `send` has a bad schema",
    ],
)
@on_a_loop
async def test_tool_that_a_provider_refuses_is_left_out_with_a_warning(words):
    with ScriptedProvider(takes("look", words=words)) as provider:
        manager = manager_of(provider)
        result, warnings = await run(manager)
        assert result.text == "Fine."
        assert warnings == ["the provider of lab:m refuses the tool send, so it was asked without it"]
        _, warnings = await run(manager, model="")
    assert [offered_in(request) for request in provider.requests] == [["look", "send"], ["look"], ["look"]]
    assert warnings == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "Out of cheese"),
        (401, "m does not support tools"),
        (400, "m does not support images in tool messages"),
        (400, "m does not support parallel tool calls"),
        (400, "Function tools with reasoning_effort are not supported for gpt-5.4 in /v1/chat/completions."),
        (400, "reasoning_effort with tools is not supported"),
        (400, "Tool call validation failed: parameters for tool send did not match schema"),
    ],
)
@on_a_loop
async def test_other_refusals_fail_the_turn(status, words):
    with ScriptedProvider(refuses(status, words)) as provider:
        result, _ = await run(manager_of(provider))
    assert result.status == "failed"
    assert words in str(result.error)
    assert len(provider.requests) == 1


@on_a_loop
async def test_refusal_that_the_tools_were_not_the_reason_of_is_not_remembered():
    with ScriptedProvider(refuses(400, "m does not support tools")) as provider:
        manager = manager_of(provider)
        result, _ = await run(manager)
    assert (result.status, len(provider.requests)) == ("failed", 2)
    assert manager.models.resolve("lab:m").takes_tools


@on_a_loop
async def test_models_of_a_fallback_are_each_asked_again_without_tools():
    with ScriptedProvider(takes(words="m does not support tools")) as provider:
        manager = manager_of(provider)
        member = manager.models.resolve("lab:m").model
        register_model("several", FallbackModel(member, ScriptedModel("never")))
        result, warnings = await run(manager, model="several")
    assert (result.text, result.model) == ("Fine.", "lab:m")
    assert warnings == ["several takes no tools, so it was asked without look, send"]
    assert [offered_in(request) for request in provider.requests] == [["look", "send"], []]


@on_a_loop
async def test_calls_go_on_after_a_tool_was_left_out():
    with ScriptedProvider(
        refuses(400, "Invalid schema for function 'send'"),
        calls(call_delta(0, "c", "look", '{"path": "a"}')),
        answers("Done."),
    ) as provider:
        result, _ = await run(manager_of(provider))
    assert result.text == "Done."
    assert [message["content"] for message in provider.requests[2]["messages"] if message["role"] == "tool"] == [
        "saw a"
    ]


def test_arrays_say_what_they_hold():
    schema = {
        "properties": {
            "a": {"type": "array"},
            "b": {"anyOf": [{"type": ["array", "null"]}, {"type": "string"}], "default": {"type": "array"}},
            "type": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
            "items": {"type": "object", "additionalProperties": {"type": "array"}},
        },
        "$defs": {"c": {"type": "array", "prefixItems": [{"type": "array"}]}},
    }
    before = json.dumps(schema)
    assert mended(schema) == {
        "type": "object",
        "properties": {
            "a": {"type": "array", "items": {}},
            "b": {
                "anyOf": [{"type": ["array", "null"], "items": {}}, {"type": "string"}],
                "default": {"type": "array"},
            },
            "type": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
            "items": {"type": "object", "additionalProperties": {"type": "array", "items": {}}},
        },
        "$defs": {"c": {"type": "array", "prefixItems": [{"type": "array", "items": {}}]}},
    }
    assert json.dumps(schema) == before
    assert mended({}) == mended({"type": "object"}) == {"type": "object", "properties": {}}


@on_a_loop
async def test_tool_that_is_denied_outright_is_not_offered_but_refused_if_it_is_called(manager, tools):
    manager.sessions.set_permissions("chat", {"SEN*": "deny", "run:code=rm*": "deny"}, None, new=True)
    calls = [("send", {"to": "boss"})]
    _, events, model = await acted(manager, calls, "Done.", tools=tools.all, yes=True)
    assert [sorted(offered) for offered in model.offered] == [["look", "run"]] * 2
    assert returned(events) == [("send", "denied", "This call is not allowed: the session has a deny rule for SEN*.")]


@on_a_loop
async def test_continuations_that_a_provider_asks_for_count_against_the_request_limit(manager):
    register_model("pausing", Pausing(4, "One. ", "Two. ", "Three. ", "Four."))
    turn = await manager.run("Go", session="chat", model="pausing", limits=Limits(requests=3))
    events = whole(await events_of(turn))
    result = await turn.result()
    assert result.status == "limit"
    assert result.text == "One. Two. Three. "
    stored = manager.sessions.load("chat").turns[0].messages[-1]["parts"]
    assert "".join(part["content"] for part in stored) == result.text
    assert [(event.which, event.value) for event in events if isinstance(event, LimitReached)] == [("requests", 3)]


@on_a_loop
async def test_response_that_is_continued_within_the_limit_is_whole(manager):
    register_model("pausing", Pausing(2, "One. ", "Two. ", "Three."))
    turn = await manager.run("Go", session="chat", model="pausing", limits=Limits(requests=3))
    result = await turn.result()
    assert (result.status, result.text) == ("completed", "One. Two. Three.")
