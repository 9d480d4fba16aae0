"""A server that refuses a conversation as too long gets a summary of its older turns instead."""

import asyncio
import json

import pytest

from sessionmagic import MemoryStore, Models, SessionManager
from sessionmagic.conversation.events import HistoryCompacted
from sessionmagic.turns.quotation import CONVERSATION, SUMMARY
from tests import strict
from tests.provider import ScriptedProvider, answers, call_delta, calls, never_answers, refuses, streams
from tests.turns import ask, events_of, on_a_loop, until, whole

TOO_LONG = refuses(400, "This model's maximum context length is 4096 tokens.", "context_length_exceeded")
TOO_LONG_IN_STREAM = streams(
    {"error": {"message": "the request exceeds the available context size", "code": 400}}, finish=None, done=False
)


def manager_of(server, **limits):
    return SessionManager(MemoryStore(), Models("lab:some-model", endpoints={"lab": server.url}, context_limits=limits))


def contents(request):
    return [message.get("content") for message in request["messages"]]


def is_valid(request):
    return [refusal for check in strict.FAMILIES if (refusal := check(request["messages"]))] == []


def read(at: int) -> str:
    """Return the data."""
    return f"data {at}"


@pytest.mark.parametrize("refusal", [TOO_LONG, TOO_LONG_IN_STREAM], ids=["status", "event"])
@on_a_loop
async def test_refused_request_is_asked_again_after_one_summary(refusal):
    with ScriptedProvider(answers("Fine."), answers("Good."), refusal, answers("In short."), answers("Yes.")) as server:
        manager = manager_of(server)
        await ask(manager, "first " * 100)
        await ask(manager, "second")
        turn = await manager.run("third", session="chat")
        events = whole(await events_of(turn))
        assert (await turn.result()).text == "Yes."
    assert len([event for event in events if isinstance(event, HistoryCompacted)]) == 1
    summary, last = server.requests[-2:]
    assert contents(summary)[-1].startswith(CONVERSATION)
    assert contents(last) == [f"{SUMMARY}\n\n> In short.\n\nsecond", "Good.", "third"]
    assert all(map(is_valid, server.requests))
    assert [len(turn.requests) for turn in manager.sessions.load("chat").turns] == [1, 1, 1, 1]


@on_a_loop
async def test_refusal_after_a_call_keeps_the_call_and_its_result():
    wants = calls(call_delta(0, "c1", "read", json.dumps({"at": 1})))
    again = calls(call_delta(0, "c2", "read", json.dumps({"at": 2})))
    scripts = [answers("Fine."), wants, TOO_LONG, answers("In short."), again, answers("Done.")]
    with ScriptedProvider(*scripts) as server:
        manager = manager_of(server)
        await ask(manager, "first", tools=[read])
        turn = await manager.run("read", session="chat", tools=[read], yes=True)
        whole(await events_of(turn))
        assert (await turn.result()).text == "Done."
    assert all(map(is_valid, server.requests))
    assert all(contents(request)[0].startswith(f"{SUMMARY}\n\n> In short.\n\nread") for request in server.requests[-2:])
    assert [message["role"] for message in server.requests[-1]["messages"]] == [
        "user",
        *["assistant", "tool"] * 2,
    ]
    assert server.requests[-3].get("tools") is None
    assert server.requests[-1]["tools"]


@on_a_loop
async def test_second_refusal_ends_the_turn_with_the_providers_words():
    with ScriptedProvider(answers("Fine."), TOO_LONG, answers("In short."), TOO_LONG) as server:
        manager = manager_of(server)
        await ask(manager, "first")
        result = await ask(manager, "second")
    assert "maximum context length is 4096 tokens" in str(result.error)
    assert len(server.requests) == 4


@on_a_loop
async def test_refused_summary_ends_the_turn_with_the_providers_words():
    with ScriptedProvider(answers("Fine."), TOO_LONG) as server:
        manager = manager_of(server)
        await ask(manager, "first")
        result = await ask(manager, "second")
    assert "maximum context length is 4096 tokens" in str(result.error)
    assert len(server.requests) == 3
    [warning] = [text for turn in manager.sessions.load("chat").turns for text in turn.warnings]
    assert warning == "the history was not compacted: its summary was refused too"


@on_a_loop
async def test_summary_that_was_cut_off_is_not_used():
    with ScriptedProvider(answers("Fine."), answers("In sho", finish="length")) as server:
        manager = manager_of(server)
        await ask(manager, "first")
        turn = await manager.compact("chat")
        result = await turn.result()
    assert "the summary was cut off at the model's token limit" in str(result.error)
    assert manager.sessions.load("chat").head == "1"


@pytest.mark.parametrize(("counted", "compacted"), [(880, False), (920, True)])
@on_a_loop
async def test_providers_own_count_decides_when_the_context_is_nearly_full(counted, compacted):
    long = "word " * 400
    scripts = [answers("Fine.", tokens=(counted - 10, 5)), answers("In short."), answers("Yes.")]
    with ScriptedProvider(*scripts) as server:
        manager = manager_of(server, lab=1_000)
        await ask(manager, long)
        await ask(manager, "second")
    assert any(contents(request)[-1].startswith(CONVERSATION) for request in server.requests) == compacted


@on_a_loop
async def test_stop_during_the_summary_of_a_refused_turn_closes_its_request():
    with ScriptedProvider(answers("Fine."), TOO_LONG, never_answers("In ")) as server:
        manager = manager_of(server)
        await ask(manager, "first")
        turn = await manager.run("second", session="chat")
        await until(lambda: len(server.requests) == 3)
        turn.cancel()
        result = await asyncio.wait_for(turn.result(), 30)
        assert result.status == "interrupted"
    session = manager.sessions.load("chat")
    assert [(turn.kind, turn.status) for turn in session.turns] == [
        ("ask", "completed"),
        ("ask", "interrupted"),
        ("compaction", "interrupted"),
    ]
    assert [turn.id for turn in session.path()] == ["1", "2"]
