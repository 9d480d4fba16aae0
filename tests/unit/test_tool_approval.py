"""Tool calls that ask before they run, and what the answers do."""

import asyncio
import threading
from pathlib import Path

import pytest

from sessionmagic import TinyStore
from sessionmagic.conversation.event_json import event_from_json, event_to_json
from sessionmagic.conversation.events import (
    ApprovalRequested,
    ApprovalResolved,
    ResponseBegan,
    ToolBegan,
    ToolCalled,
    ToolReturned,
    UsageReported,
)
from sessionmagic.exceptions import ApprovalNotOpenError, SessionBusyError, StoreError
from sessionmagic.notebook.captions import status_line
from tests.turns import acted, acting, ask, asked, events_of, manager_on, on_a_loop, orphans, returned, until, whole


def resolved(events):
    return {event.call_id: event.decision for event in events if isinstance(event, ApprovalResolved)}


@on_a_loop
async def test_read_only_tool_runs_without_asking(manager, tools):
    result, events, _ = await acted(manager, [("look", {"at": "a"})], "Done", tools=tools.all, attended=True)
    assert (result.status, result.text) == ("completed", "Done")
    assert returned(events) == [("look", "success", "saw a")]
    assert not any(isinstance(event, ApprovalRequested | ApprovalResolved) for event in events)


@on_a_loop
async def test_status_line_says_what_was_used_and_that_a_call_waits(manager, tools):
    turn, _ = await acting(manager, [("run", {"code": "1"})], "Done", tools=tools.all, attended=True)
    await asked(turn)
    used = turn.transcript.usage.output_tokens
    assert used
    assert status_line(turn.transcript, "", "", 0).endswith(f"{used} tokens · turn 1 waits for your answer")
    turn.cancel()
    await turn.result()


@on_a_loop
async def test_other_tool_asks_and_runs_when_approved(manager, tools):
    turn, model = await acting(manager, [("run", {"code": "1"})], "Done", tools=tools.all, attended=True)
    [question] = (await asked(turn)).values()
    assert (question.tool, question.args, question.why) == ("run", {"code": "1"}, "the tool may change something")
    [block] = turn.transcript.blocks
    assert (block.approval_id, block.outcome, tools.ran) == (question.id, None, [])
    turn.approvals.resolve(question.id, "once")
    events = whole(await events_of(turn))
    assert [type(event) for event in events[1:-2] if "delta" not in event.type] == [
        ResponseBegan,
        ToolCalled,
        UsageReported,
        ApprovalRequested,
        ApprovalResolved,
        ToolBegan,
        ToolReturned,
    ]
    assert returned(events) == [("run", "success", "ran 1")]
    assert tools.ran == ["run 1"]
    assert model.sent[1][-1].parts[0].content == "ran 1"
    session = manager.sessions.load("chat")
    assert (session.permissions, session.safety) == ({}, "balanced")


@on_a_loop
async def test_who_finds_the_session_busy_is_told_that_it_waits_for_an_answer(manager, tools):
    turn, _ = await acting(manager, [("run", {"code": "1"})], "Done", tools=tools.all, attended=True)
    await asked(turn)
    with pytest.raises(SessionBusyError, match="and waits for your answer; %agent approve answers it"):
        await manager.run("Second", session="chat")
    turn.cancel()
    await turn.result()


@on_a_loop
async def test_approval_for_once_asks_again_the_next_time(manager, tools):
    steps = [("run", {"code": "1"})], [("run", {"code": "2"})], "Done"
    turn, _ = await acting(manager, *steps, tools=tools.all, attended=True)
    for count, code in enumerate("12", start=1):
        await until(lambda code=code: [each.args for each in turn.approvals.open] == [{"code": code}])
        assert len(tools.ran) == count - 1
        turn.approvals.resolve(turn.approvals.open[0].id, "once")
    assert (await turn.result()).status == "completed"
    assert tools.ran == ["run 1", "run 2"]


@pytest.mark.parametrize("reason", ["", "not on a Friday:\nask me on Monday"])
@on_a_loop
async def test_rejected_call_does_not_run_and_the_model_sees_the_reason(manager, tools, reason):
    turn, model = await acting(manager, [("run", {"code": "1"})], "A pity.", tools=tools.all, attended=True)
    [question] = (await asked(turn)).values()
    turn.approvals.resolve(question.id, "reject", reason)
    events = whole(await events_of(turn))
    words = "The user rejected this call." + (f" Reason: {reason}" if reason else "")
    assert returned(events) == [("run", "denied", words)]
    assert model.sent[1][-1].parts[0].content == words
    assert tools.ran == []
    [answer] = [event for event in events if isinstance(event, ApprovalResolved)]
    assert (answer.decision, answer.reason) == ("reject", reason)
    assert (await turn.result()).text == "A pity."


@on_a_loop
async def test_approved_tool_is_not_asked_for_again_in_this_session(manager, tools):
    steps = [("run", {"code": "1"})], [("run", {"code": "2"})], [("send", {"to": "a"})], "Done"
    turn, _ = await acting(manager, *steps, tools=tools.all, attended=True)
    [question] = (await asked(turn)).values()
    turn.approvals.resolve(question.id, "tool")
    await until(lambda: [each.tool for each in turn.approvals.open] == ["send"])
    assert tools.ran == ["run 1", "run 2"]
    turn.approvals.resolve(turn.approvals.open[0].id, "reject")
    await turn.result()
    session = manager.sessions.load("chat")
    assert (session.permissions, session.safety) == ({"allow": ["run"]}, "balanced")
    _, events, _ = await acted(manager, [("run", {"code": "3"})], "Done", tools=tools.all)
    assert returned(events) == [("run", "success", "ran 3")]


@on_a_loop
async def test_several_calls_of_one_step_are_answered_one_by_one_in_any_order(manager, tools):
    calls = [("run", {"code": code}, code) for code in "abc"]
    turn, model = await acting(manager, calls, "Done", tools=tools.all, attended=True)
    questions = await asked(turn, 3)
    assert {call_id: question.args["code"] for call_id, question in questions.items()} == {c: c for c in "abc"}
    turn.approvals.resolve(questions["b"].id, "once")
    await until(lambda: tools.ran == ["run b"])
    turn.approvals.resolve(questions["c"].id, "reject", "not c")
    await until(lambda: len(turn.approvals.open) == 1)
    assert tools.ran == ["run b"]
    turn.approvals.resolve(questions["a"].id, "once")
    events = whole(await events_of(turn))
    assert tools.ran == ["run b", "run a"]
    assert {event.call_id: event.outcome for event in events if isinstance(event, ToolReturned)} == {
        "a": "success",
        "b": "success",
        "c": "denied",
    }
    assert [part.content for part in model.sent[1][-1].parts] == [
        "ran a",
        "ran b",
        "The user rejected this call. Reason: not c",
    ]


@on_a_loop
async def test_answer_for_the_tool_also_answers_the_open_calls_of_that_tool(manager, tools):
    calls = [("run", {"code": "1"}, "1"), ("run", {"code": "2"}, "2"), ("send", {"to": "a"}, "3")]
    turn, _ = await acting(manager, calls, "Done", tools=tools.all, attended=True)
    questions = await asked(turn, 3)
    turn.approvals.resolve(questions["2"].id, "tool")
    await until(lambda: sorted(tools.ran) == ["run 1", "run 2"])
    assert [each.id for each in turn.approvals.open] == [questions["3"].id]
    with pytest.raises(ApprovalNotOpenError):
        turn.approvals.resolve(questions["1"].id, "reject")
    turn.approvals.resolve(questions["3"].id, "reject")
    assert resolved(whole(await events_of(turn))) == {"1": "once", "2": "tool", "3": "reject"}


@on_a_loop
async def test_answer_for_the_session_also_answers_all_open_calls(manager, tools):
    calls = [("run", {"code": "1"}, "1"), ("send", {"to": "a"}, "2"), ("run", {"code": "2"}, "3")]
    turn, _ = await acting(manager, calls, "Done", tools=tools.all, attended=True)
    questions = await asked(turn, 3)
    turn.approvals.resolve(questions["1"].id, "all")
    assert resolved(whole(await events_of(turn))) == {"1": "all", "2": "once", "3": "once"}
    assert sorted(tools.ran) == ["run 1", "run 2", "send a"]


@on_a_loop
async def test_grant_of_a_tool_is_on_disk_before_it_runs(home):
    manager = manager_on(home)
    found = []

    def peek():
        store = TinyStore(home)
        session = store.load(store.find("chat"))
        found.append((session.permissions, session.safety))

    turn, _ = await acting(manager, [("peek", {})], "Done", tools=[peek], attended=True)
    [question] = (await asked(turn)).values()
    turn.approvals.resolve(question.id, "tool")
    await turn.result()
    assert found == [({"allow": ["peek"]}, "balanced")]


@on_a_loop
async def test_question_shows_the_arguments_as_the_model_wrote_them_whatever_the_tool_does_with_them(manager):
    def file(path: Path, lines: list[int]):  # noqa: ARG001  the model gives it
        lines.clear()

    args = {"path": "a.csv", "lines": [1, 2]}
    turn, _ = await acting(manager, [("file", args)], "Done", tools=[file], attended=True)
    [question] = (await asked(turn)).values()
    turn.approvals.resolve(question.id, "once")
    events = whole(await events_of(turn))
    assert [event_from_json(event_to_json(event)) for event in events] == events
    [event] = [event for event in events if isinstance(event, ApprovalRequested)]
    assert event.args == question.args == turn.transcript.blocks[0].args == args


@on_a_loop
async def test_grant_that_cannot_be_written_runs_nothing(manager, tools, monkeypatch):
    turn, _ = await acting(manager, [("run", {"code": "1"})], "Done", tools=tools.all, attended=True)
    [question] = (await asked(turn)).values()
    update = manager.store.update

    def full(session_id, change):
        before = manager.store.load(session_id)
        after = change(before)
        if (after.permissions, after.safety) != (before.permissions, before.safety):
            raise StoreError("the disk is full")
        return update(session_id, change)

    monkeypatch.setattr(manager.store, "update", full)
    turn.approvals.resolve(question.id, "tool")
    whole(await events_of(turn))
    await turn.result()
    assert tools.ran == []
    assert turn.approvals.open == []
    assert (await ask(manager, "Next", model="calm")).status == "completed"


@on_a_loop
async def test_change_made_while_a_call_waits_survives_the_grant(manager, tools):
    turn, _ = await acting(manager, [("run", {"code": "1"})], "Done", tools=tools.all, attended=True)
    [question] = (await asked(turn)).values()
    manager.sessions.rename("chat", "talk")
    manager.sessions.star("talk")
    turn.approvals.resolve(question.id, "tool")
    await turn.result()
    session = manager.sessions.load("talk")
    assert (session.starred, session.permissions) == (True, {"allow": ["run"]})


@on_a_loop
async def test_cancel_while_calls_wait_for_an_answer_closes_them_all(manager, tools):
    calls = [("look", {"at": "a"}, "0"), ("run", {"code": "1"}, "1"), ("send", {"to": "a"}, "2")]
    turn, _ = await acting(manager, calls, "Done", tools=tools.all, attended=True)
    questions = await asked(turn, 2)
    await until(lambda: any(getattr(block, "outcome", None) for block in turn.transcript.blocks))
    turn.cancel()
    events = whole(await events_of(turn))
    assert {event.call_id: event.outcome for event in events if isinstance(event, ToolReturned)} == {
        "0": "success",
        "1": "interrupted",
        "2": "interrupted",
    }
    assert (await turn.result()).status == "interrupted"
    assert turn.approvals.open == []
    assert not any(block.approval_id for block in turn.transcript.blocks)
    for question in questions.values():
        with pytest.raises(ApprovalNotOpenError):
            turn.approvals.resolve(question.id, "once")
    _, _, model = await acted(manager, "Next", tools=tools.all)
    assert tools.ran == ["look a"]
    assert orphans(model.sent[0]) == []


@on_a_loop
async def test_question_may_be_answered_from_another_thread(manager, tools):
    turn, _ = await acting(manager, [("run", {"code": "1"})], "Done", tools=tools.all, attended=True)
    [question] = (await asked(turn)).values()
    thread = threading.Thread(target=turn.approvals.resolve, args=(question.id, "once"))
    thread.start()
    assert (await turn.result()).status == "completed"
    await asyncio.to_thread(thread.join)
    assert tools.ran == ["run 1"]


@on_a_loop
async def test_answer_after_the_turn_has_ended_is_refused(manager, tools):
    turn, _ = await acting(manager, [("run", {"code": "1"})], "Done", tools=tools.all, attended=True)
    [question] = (await asked(turn)).values()
    turn.approvals.resolve(question.id, "reject")
    await turn.result()
    for answer in ("once", "tool", "all", "reject"):
        with pytest.raises(ApprovalNotOpenError, match="it was resolved, or its turn has ended"):
            turn.approvals.resolve(question.id, answer)
    assert tools.ran == []
    assert manager.sessions.load("chat").permissions == {}


@on_a_loop
async def test_call_with_the_id_of_an_earlier_one_has_a_result_of_its_own(manager, tools):
    started = asyncio.Event()

    async def hang() -> None:
        started.set()
        await asyncio.Event().wait()

    steps = [("look", {"at": "a"}, "same")], [("hang", {}, "same")]
    turn, _ = await acting(manager, *steps, "Done", tools=[*tools.all, hang], yes=True)
    await started.wait()
    turn.cancel()
    events = whole(await events_of(turn))
    assert returned(events) == [("look", "success", "saw a"), ("hang", "interrupted", "")]
