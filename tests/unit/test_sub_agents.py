"""Agents that give tasks to others: what these see and do, how it is stored and shown, and what holds for it."""

import asyncio
import gc
import weakref
from contextlib import suppress
from itertools import pairwise

import pytest
from pydantic_ai.exceptions import ModelHTTPError

from sessionmagic import Cell, Limits, MemoryStore, Request, SessionManager, StoreError, TinyStore, Tool
from sessionmagic.agents.definition import AgentDefinition
from sessionmagic.agents.known import Agents
from sessionmagic.comparing.contestants import contestants
from sessionmagic.conversation.events import ApprovalRequested, LimitReached, SubAgentFinished, SubAgentStarted
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.transcript import TextBlock, ToolBlock
from sessionmagic.conversation.tree import running_turns, with_interrupted_turns
from sessionmagic.models.catalog import Models
from sessionmagic.sessions.formats.atif import to_atif
from sessionmagic.sessions.formats.markdown import to_markdown
from sessionmagic.sessions.formats.native import to_native
from sessionmagic.sessions.usage import usage_by
from sessionmagic.testing import call, hang, script
from sessionmagic.turns.team import DEPTH
from tests.clock import on_a_clock, passes
from tests.scripted import lists_prompts
from tests.turns import ask, asked, events_of, on_a_loop, orphans, returned, said, until, whole

TASK = {"agent": "helper", "task": "Count them.", "expected_output": "A number."}


def gives(call_id="c1", **changes):
    return call("transfer_task", {**TASK, **changes}, call_id=call_id)


def team(store=None, models=None, **helper):
    """Return a manager whose default agent `root` has the sub-agent `helper`, both with scripted models."""
    agents = {
        "root": AgentDefinition(name="root", model="boss", instructions="Lead.", sub_agents={"helper": "Counts."}),
        "helper": AgentDefinition(name="helper", model="work", instructions="Work.", **helper),
    }
    return SessionManager(store or MemoryStore(), models or Models("calm"), agents)


async def done(manager, **options):
    turn = await manager.run("Go", session="chat", **options)
    return await turn.result(), whole(await events_of(turn)), turn


def stored(manager):
    return manager.sessions.load("chat")


def _look(at: str) -> str:
    return f"saw {at}"


look = Tool(name="look", function=_look, read_only=True)


@on_a_loop
async def test_answer_of_a_sub_agent_is_the_result_of_the_call():
    boss = script("boss", [gives()], "There are 7.")
    work = script("work", "It is 7.")
    result, events, _ = await done(team())
    assert (result.status, result.text) == ("completed", "There are 7.")
    assert returned(events) == [("transfer_task", "success", "It is 7.")]
    assert orphans(result.messages) == []
    started, finished = (event for event in events if isinstance(event, SubAgentStarted | SubAgentFinished))
    assert (started.agent, started.for_calls, started.model) == ("helper", ("c1",), "work")
    assert (finished.status, finished.model, finished.error) == ("completed", "work", None)
    [tool] = boss.offered[0].values()
    assert (tool.name, "- helper: Counts." in tool.description) == ("transfer_task", True)
    assert work.offered[0] == {}


@on_a_loop
async def test_sub_agent_sees_its_task_and_not_the_conversation():
    script("boss", "Hello!", [gives()], "Done.")
    work = script("work", "7")
    manager = team()
    await ask(manager, "My secret plan", system="Be brief.", settings={"temperature": 0.5})
    await ask(manager, "Go on", system="Be brief.", settings={"temperature": 0.5})
    [messages] = work.sent
    assert [[part.content for part in message.parts] for message in messages] == [
        ["Count them.\n\nExpected output: A number."]
    ]
    assert messages[0].instructions == "Work."
    assert "temperature" not in (work.sent_settings[0] or {})


@on_a_loop
async def test_work_is_stored_apart_and_shown_the_same_after_a_restart(home):
    script("boss", ["Let me ask. ", gives()], "There are 7.")
    script("work", [call("look", {"at": "a"}), call("look", {"at": "b"})], "It is 7.")
    result, _, turn = await done(team(TinyStore(home)), tools=[look])
    session = team(TinyStore(home)).sessions.load("chat")
    first, work = session.turns
    assert [each.id for each in session.path()] == ["1"]
    assert (work.caller, work.agent, work.status, work.parent) == ("1:c1", "helper", "completed", None)
    assert (first.agent, session.current_agent) == ("root", "root")
    shown = transcript_of("chat", first, session.turns)
    assert shown.blocks == turn.transcript.blocks
    _, block, _ = shown.blocks
    assert [type(each) for each in block.work.blocks] == [ToolBlock, ToolBlock, TextBlock]
    assert (block.work.agent, block.work.model, block.work.turn_id) == ("helper", "work", "2")
    assert shown.usage == turn.transcript.usage == result.usage
    assert shown.seconds == pytest.approx(turn.transcript.seconds)
    assert result.seconds == pytest.approx(first.seconds + work.seconds)
    assert {each.agent: each.requests for each in usage_by([session], "agent")} == {"root": 2, "helper": 2}
    assert session.usage == result.usage


@on_a_loop
async def test_next_turn_sees_the_answer_of_the_sub_agent_and_not_its_work():
    boss = script("boss", [gives()], "There are 7.", "Yes.")
    script("work", "It is 7.")
    manager = team()
    await ask(manager)
    await ask(manager, "Sure?")
    parts = [part for message in boss.sent[-1] for part in message.parts]
    assert [part.content for part in parts if part.part_kind == "tool-return"] == ["It is 7."]
    assert "Count them." not in lists_prompts(boss.sent[-1])


@on_a_loop
async def test_question_about_a_call_names_the_sub_agent(tools):
    script("boss", [gives()], "Done.")
    script("work", [call("run", {"code": "1"}, call_id="r1")], "Ran.")
    manager = team()
    turn = await manager.run("Go", session="chat", tools=tools.all, attended=True)
    [approval] = (await asked(turn)).values()
    assert (approval.agent, approval.tool, approval.for_calls) == ("helper", "run", ("c1",))
    assert turn.transcript.waits_for_an_answer
    [block] = turn.transcript.blocks
    assert block.work.blocks[0].approval_id == approval.id
    turn.approvals.resolve(approval.id, "once")
    events = whole(await events_of(turn))
    [request] = (event for event in events if isinstance(event, ApprovalRequested))
    assert (request.agent, request.for_calls) == ("helper", ("c1",))
    assert tools.ran == ["run 1"]


@on_a_loop
async def test_tool_that_is_always_approved_is_so_for_the_waiting_calls_of_sub_agents(tools):
    script("boss", [gives(), call("run", {"code": "2"}, call_id="r2")], "Done.")
    script("work", [call("run", {"code": "1"}, call_id="r1")], "Ran.")
    manager = team()
    turn = await manager.run("Go", session="chat", tools=tools.all, attended=True)
    approvals = await asked(turn, 2)
    turn.approvals.resolve(approvals["r2"].id, "tool")
    assert (await turn.result()).status == "completed"
    assert sorted(tools.ran) == ["run 1", "run 2"]


@on_a_loop
async def test_rules_of_the_sub_agent_hold_for_its_calls(tools):
    script("boss", [gives(), call("look", {"at": "a"})], "Done.")
    script("work", [call("look", {"at": "b"})], "Seen.")
    await done(team(rules={"deny": ["look"]}), tools=tools.all)
    assert tools.ran == ["look a"]


@on_a_loop
async def test_sub_agent_of_a_read_only_agent_is_read_only(tools):
    script("boss", [gives()], "Done.")
    work = script("work", "Seen.")
    manager = team()
    manager.agents.define(AgentDefinition(name="root", model="boss", sub_agents={"helper": ""}, readonly=True))
    await done(manager, tools=tools.all)
    assert list(work.offered[0]) == ["look"]


@on_a_loop
async def test_sub_agent_of_a_turn_that_plans_only_reads_and_does_its_task(tools):
    script("boss", [gives()], "First, count.")
    work = script("work", "It is 7.")
    manager = team()
    result, events, _ = await done(manager, tools=tools.all, kind="plan")
    assert (result.text, returned(events)) == ("First, count.", [("transfer_task", "success", "It is 7.")])
    assert list(work.offered[0]) == ["look"]
    assert work.sent[0][0].instructions == "Work."
    assert [(each.kind, each.system) for each in stored(manager).turns][1] == ("ask", "Work.")


@on_a_loop
async def test_limits_hold_over_all_agents():
    script("boss", *([gives(task=f"Count {n}.")] for n in range(9)))
    script("work", *["It is 7."] * 9)
    result, events, _ = await done(team(), limits=Limits(requests=5))
    assert result.status == "limit"
    assert "stopped after 5 model requests" in str(result.error)
    assert [event.which for event in events if isinstance(event, LimitReached)] == ["requests"]
    assert result.usage.unpriced_requests == 5


@on_a_loop
async def test_limit_of_the_sub_agent_alone_lets_the_other_go_on():
    script("boss", [gives()], "It could not.")
    script("work", *([call("look", {"at": str(n)})] for n in range(9)))
    result, events, _ = await done(team(max_requests=2), tools=[look])
    assert result.text == "It could not."
    assert returned(events)[-1][1:] == (
        "failed",
        "ToolError: helper has reached a limit: stopped after 2 model requests; send another prompt to continue",
    )


@on_a_loop
async def test_budget_of_the_session_holds_over_all_agents():
    script("boss", [gives()], "Done.")
    script("work", "It is 7.")
    manager = team(models=Models("calm", prices={"boss": [1, 1], "work": [1_000_000, 1_000_000]}))
    result, _, _ = await done(manager, budget=1.0)
    assert result.status == "limit"
    assert result.cost > 1
    assert stored(manager).usage.cost == result.cost


@on_a_loop
async def test_failure_of_a_sub_agent_is_told_to_the_other():
    script("boss", [gives()], "It failed.")
    script("work", RuntimeError("it broke"))
    manager = team()
    result, events, _ = await done(manager)
    assert result.text == "It failed."
    [(_, outcome, content)] = returned(events)
    assert (outcome, "helper has failed" in content, "it broke" in content) == ("failed", True, True)
    assert [turn.status for turn in stored(manager).turns] == ["completed", "failed"]


@on_a_loop
async def test_full_context_of_a_sub_agent_is_an_error_that_says_what_helps():
    script("boss", [gives()], "Then not.")
    full = ModelHTTPError(400, "work", {"error": {"message": "This model's maximum context length is 4096 tokens."}})
    script("work", call("look", {"at": "a"}), full)
    manager = team()
    result, events, _ = await done(manager, tools=[look])
    assert (result.status, result.text) == ("completed", "Then not.")
    why = (
        "work: the task, and what helper has said and read for it, are longer than the model can read; "
        "give helper smaller tasks, or a model that reads more"
    )
    assert returned(events)[-1] == ("transfer_task", "failed", f"ToolError: helper has failed: {why}")
    work = stored(manager).turns[1]
    assert (work.status, work.error_code, work.error) == ("failed", "context_exceeded", why)


@on_a_loop
async def test_model_that_does_not_exist_is_told_and_nothing_is_stored_of_the_sub_agent():
    script("boss", [gives()], "It failed.")
    manager = team()
    manager.agents.define(AgentDefinition(name="helper", model="nowhere:x"))
    _, events, _ = await done(manager)
    assert "nowhere" in returned(events)[0][2]
    assert len(stored(manager).turns) == 1


@on_a_loop
async def test_sub_agent_has_the_model_that_the_session_gives_it():
    script("boss", [gives()], "Done.", [gives()], "Done.")
    script("work", "No.")
    other = script("other", "It is 7.", "It is 8.")
    manager = team()
    await done(manager, models={"helper": "other"})
    await done(manager)
    assert len(other.sent) == 2
    assert stored(manager).agent_model_overrides == {"helper": "other"}


@on_a_loop
async def test_stopped_turn_stops_its_sub_agent_and_closes_everything():
    script("boss", [gives()], "Done.")
    script("work", ["So far", hang()])
    manager = team()
    turn = await manager.run("Go", session="chat")
    await said(turn)
    turn.cancel()
    result = await turn.result()
    whole(await events_of(turn))
    assert result.status == "interrupted"
    first, work = stored(manager).turns
    assert (first.status, work.status) == ("interrupted", "interrupted")
    shown = transcript_of("chat", first, stored(manager).turns)
    assert shown.blocks == turn.transcript.blocks
    assert shown.blocks[0].work.blocks == (TextBlock("So far"),)
    assert shown.blocks[0].work.status == "interrupted"
    assert shown.warnings == ()


@on_a_loop
async def test_stopped_turn_withdraws_the_question_of_its_sub_agent(tools):
    script("boss", [gives()], "Done.")
    script("work", [call("run", {"code": "1"}, call_id="r1")], "Ran.")
    manager = team()
    turn = await manager.run("Go", session="chat", tools=tools.all, attended=True)
    await asked(turn)
    turn.cancel()
    assert (await turn.result()).status == "interrupted"
    whole(await events_of(turn))
    assert (turn.approvals.open, tools.ran) == ([], [])
    shown = transcript_of("chat", stored(manager).turns[0], stored(manager).turns)
    assert shown.blocks == turn.transcript.blocks
    assert shown.blocks[0].work.blocks[0].outcome == "interrupted"


@on_a_clock
async def test_time_that_a_sub_agent_waits_for_the_user_does_not_count(tools):
    script("boss", [gives()], "Done.")
    script("work", [call("run", {"code": "1"}, call_id="r1")], "Ran.")
    turn = await team().run("Go", session="chat", tools=tools.all, attended=True, timeout=20)
    [approval] = (await asked(turn)).values()
    await passes(60)
    turn.approvals.resolve(approval.id, "once")
    assert (await turn.result()).status == "completed"


@on_a_clock
async def test_timeout_ends_the_work_of_a_sub_agent():
    script("boss", [gives()], "Done.")
    works = asyncio.Event()

    async def work(_messages):
        yield "So far"
        works.set()
        yield hang()

    script("work", work)
    manager = team()
    turn = await manager.run("Go", session="chat", timeout=20)
    await works.wait()
    await passes(20.2)
    result = await turn.result()
    assert (result.status, "20 s" in str(result.error)) == ("failed", True)
    assert [turn.status for turn in stored(manager).turns] == ["failed", "interrupted"]


@on_a_loop
async def test_agent_that_waits_cannot_be_asked():
    script("boss", [gives()], "Done.")
    work = script("work", [call("transfer_task", {"agent": "root", "task": "You do it."})], "It is 7.")
    result, events, _ = await done(team(sub_agents={"root": "Leads."}))
    assert result.text == "Done."
    assert returned(events)[0] == (
        "transfer_task",
        "failed",
        "ToolError: root waits for this task itself (root → helper → root); do it yourself, or ask another agent",
    )
    assert len(work.sent) == 2


@on_a_loop
async def test_sub_agents_have_sub_agents_up_to_some_depth():
    names = [f"a{n}" for n in range(DEPTH + 3)]
    agents = {
        name: AgentDefinition(name=name, model=name, sub_agents={after: ""}) for name, after in pairwise([*names, "a0"])
    }
    for name, after in pairwise(names):
        script(name, [gives(call_id="c1", agent=after)], f"{name} is done.")
    manager = SessionManager(MemoryStore(), Models("calm"), agents)
    result, events, turn = await done(manager)
    assert result.text == "a0 is done."
    assert (len(stored(manager).turns), returned(events)[0][1]) == (DEPTH + 1, "failed")
    shown = transcript_of("chat", stored(manager).turns[0], stored(manager).turns)
    assert shown.blocks == turn.transcript.blocks


@on_a_loop
async def test_two_tasks_of_one_response_are_done_side_by_side():
    begun = asyncio.Event()

    async def first(_messages):
        await begun.wait()
        yield "first"

    async def second(_messages):
        begun.set()
        yield "second"

    script("boss", [gives("c1", agent="one"), gives("c2", agent="two")], "Done.")
    script("one", first)
    script("two", second)
    agents = {
        "root": AgentDefinition(name="root", model="boss", sub_agents={"one": "", "two": ""}),
        "one": AgentDefinition(name="one", model="one"),
        "two": AgentDefinition(name="two", model="two"),
    }
    manager = SessionManager(MemoryStore(), Models("calm"), agents)
    _, events, turn = await done(manager)
    assert sorted(returned(events)) == [("transfer_task", "success", "first"), ("transfer_task", "success", "second")]
    shown = transcript_of("chat", stored(manager).turns[0], stored(manager).turns)
    assert [block.work for block in shown.blocks[:2]] == [block.work for block in turn.transcript.blocks[:2]]


@on_a_loop
async def test_empty_task_and_unknown_agent_are_refused():
    script("boss", [gives(task=" ")], [gives(agent="helpr")], "Done.")
    _, events, _ = await done(team())
    assert [content for _, _, content in returned(events)] == [
        "ToolError: the task is empty; say what the agent shall do",
        "ToolError: there is no agent 'helpr' here; did you mean 'helper'?",
    ]


@on_a_loop
async def test_own_function_of_that_name_comes_before_ours():
    def transfer_task(to: str) -> str:
        return f"sent to {to}"

    script("boss", [call("transfer_task", {"to": "you"})], "Done.")
    _, events, _ = await done(team(), tools=[transfer_task], yes=True)
    assert returned(events) == [("transfer_task", "success", "sent to you")]


@on_a_loop
async def test_columns_of_a_comparison_have_sub_agents_with_comparable_tools(tools):
    script("one", [gives()], "One.")
    script("two", [gives()], "Two.")
    work = script("work", "7", "7")
    manager = team()
    request = Request(prompt="Go", session="chat", tools=tools.all)
    answers = await (await manager.compare(request, contestants(["one", "two"]))).answers()
    assert [str(answers[name]) for name in ("one", "two")] == ["One.", "Two."]
    assert list(work.offered[0]) == ["look"]


@on_a_loop
async def test_stored_answer_is_shown_again_with_its_work_unless_the_sub_agent_has_changed():
    script("boss", [gives()], "There are 7.", [gives()], "There are 8.")
    script("work", "It is 7.", "It is 8.")
    manager = team()
    cell = Cell(id="c")
    first = await ask(manager, "Go", cell=cell, reuse=True)
    turn = await manager.run("Go", session="chat", cell=cell, reuse=True)
    again = await turn.result()
    assert (again.reused, again.text, again.usage, again.seconds) == (True, "There are 7.", first.usage, first.seconds)
    assert turn.transcript.blocks[0].work.text == "It is 7."
    manager.agents.define(AgentDefinition(name="helper", model="work", instructions="Work hard."))
    assert (await ask(manager, "Go", cell=cell, reuse=True)).text == "There are 8."


@on_a_loop
async def test_answer_is_not_reused_with_another_model_for_a_sub_agent():
    script("boss", [gives()], "There are 7.", [gives()], "There are 8.")
    script("work", "It is 7.")
    other = script("other", "It is 8.")
    manager, cell = team(), Cell(id="a")
    await ask(manager, "Go", cell=cell, reuse=True)
    for reused in (False, True):
        result = await ask(manager, "Go", cell=cell, reuse=True, models={"helper": "other"})
        assert (result.text, result.reused, len(other.sent)) == ("There are 8.", reused, 1)


OF_HELPER = """
models: {{quick: {{model: work{model}}}}}
agents:
  root: {{model: boss, sub_agents: [helper]}}
  helper: {{model: quick, instruction: Work.{agent}}}
"""


@pytest.mark.parametrize(
    "changed",
    [
        {"model": ", temperature: 0.5"},
        {"agent": ", toolsets: [{type: think}]"},
        {"agent": ", readonly: true"},
        {"agent": ", add_date: true"},
    ],
    ids=lambda changed: next(iter(changed.values())),
)
@on_a_loop
async def test_answer_is_not_reused_after_the_file_has_changed_a_sub_agent(tmp_path, changed):
    script("boss", [gives()], "There are 7.", [gives()], "There are 8.")
    script("work", "It is 7.", "It is 8.")
    file, cell = tmp_path / "agents.yaml", Cell(id="c")
    texts = []
    for parts in ({}, {}, changed):
        file.write_text(OF_HELPER.format(**({"model": "", "agent": ""} | parts)))
        manager = SessionManager(TinyStore(tmp_path / "home"), Models(), Agents(file))
        texts.append((await ask(manager, "Go", cell=cell, reuse=True)).text)
    assert texts == ["There are 7.", "There are 7.", "There are 8."]


@on_a_loop
async def test_stopped_tool_of_a_sub_agent_that_goes_on_is_told_and_the_work_is_closed():
    async def deaf():
        while not release.is_set():
            with suppress(asyncio.CancelledError):
                await release.wait()

    release = asyncio.Event()
    script("boss", [gives()], "Done.")
    script("work", [call("deaf")], "7")
    manager = team()
    turn = await manager.run("Go", session="chat", tools=[Tool(name="deaf", function=deaf, read_only=True)])
    await until(lambda: any(block.is_running for block in turn.transcript.work_for(["c1"]).blocks))
    turn.cancel()
    result = await turn.result()
    release.set()
    whole(await events_of(turn))
    assert (result.status, turn.transcript.work_for(["c1"]).status) == ("interrupted", "interrupted")
    assert turn.transcript.work_for(["c1"]).warnings == ("deaf did not stop with the turn; it is still running",)
    assert [each.status for each in stored(manager).turns] == ["interrupted", "interrupted"]
    assert turn.transcript.warnings == ()


@on_a_loop
async def test_ended_turn_with_a_sub_agent_is_freed_without_the_garbage_collector():
    script("boss", [gives()], "Done.")
    script("work", "7")
    gc.disable()
    try:
        turn = await team().run("Go", session="chat")
        await turn.result()
        left = weakref.ref(turn)
        del turn
        await until(lambda: left() is None)
    finally:
        gc.enable()


@on_a_loop
async def test_killed_turn_counts_the_work_of_its_sub_agent_as_interrupted(home):
    script("boss", [gives()], "Done.")
    script("work", ["So far", hang()])
    manager = team(TinyStore(home))
    turn = await manager.run("Go", session="chat")
    await said(turn)
    await until(lambda: len(stored(manager).turns) == 2)
    session = stored(manager)
    dead = with_interrupted_turns(session, running_turns(session))
    assert [each.error_code for each in dead.turns] == ["crashed", "crashed"]
    turn.cancel()
    await turn.result()


def test_agents_of_a_file_know_what_their_colleagues_do():
    file = {
        "agents": {
            "root": {"sub_agents": ["helper", "docker/other"], "handoffs": ["helper"]},
            "helper": {"description": "Counts."},
        }
    }
    root = Agents(file).answering()
    assert (root.sub_agents, root.handoffs) == ({"helper": "Counts."}, {"helper": "Counts."})
    assert "docker/other" in " ".join(root.notes)


@on_a_loop
async def test_exports_hold_the_work(home):
    script("boss", [gives()], "There are 7.")
    script("work", [call("look", {"at": "a"})], "It is 7.")
    manager = team(TinyStore(home))
    await done(manager, tools=[look])
    for name, export in {"md": to_markdown, "atif": to_atif, "native": to_native}.items():
        text = export(stored(manager))
        text = text if isinstance(text, str) else text.decode()
        assert ("saw a" in text, name) == (True, name)


def of_file(budget, **models):
    """Return a manager whose sub-agent has a budget of an agents file."""
    agents = {"root": {"sub_agents": ["helper"]}, "helper": {"budget": budget}}
    prices = {"boss": [1, 1], "work": [1_000, 1_000]}
    return SessionManager(MemoryStore(), Models("boss", prices=prices | models), Agents({"agents": agents}))


@on_a_loop
async def test_budget_of_the_sub_agent_fails_only_its_call():
    script("boss", [gives()], "Done.", [gives()], "I do it myself.")
    work = script("work", "It is 7.")
    manager = of_file({"max_tokens": 5})
    await ask(manager, models={"helper": "work"})
    result, events, _ = await done(manager)
    assert (result.status, result.text, len(work.sent)) == ("completed", "I do it myself.", 1)
    [(_, outcome, content)] = returned(events)
    begins = "ToolError: helper has reached a limit: agent 'helper' in session 'chat' has used "
    assert (outcome, content.startswith(begins)) == ("failed", True), content


@on_a_clock
async def test_time_of_the_sub_agents_budget_ends_its_work_only():
    script("boss", [gives()], "I do it myself.")
    script("work", ["So far", hang()])
    manager = of_file({"max_time": "2s"})
    turn = await manager.run("Go", session="chat", models={"helper": "work"})
    await said(turn)
    await passes(3)
    result = await turn.result()
    assert (result.status, result.text) == ("completed", "I do it myself.")
    [(_, outcome, content)] = returned(await events_of(turn))
    assert (outcome, "did not finish within 2 s; its agents file sets that budget" in content) == ("failed", True)


@on_a_loop
async def test_work_whose_end_cannot_be_stored_is_told_and_closed_with_the_turn(monkeypatch):
    script("boss", [gives()], "Done.")
    manager = team()
    update, failing = manager.store.update, []

    def failing_once(session_id, change):
        if failing:
            failing.clear()
            raise StoreError("the disk is full")
        return update(session_id, change)

    def answer(_messages):
        failing.append(True)
        return "It is 7."

    script("work", answer)
    monkeypatch.setattr(manager.store, "update", failing_once)
    result, _, turn = await done(manager)
    assert result.status == "completed"
    assert turn.transcript.work_for(["c1"]).warnings == (
        "the work of helper could not be stored: StoreError: the disk is full",
    )
    assert [each.status for each in stored(manager).turns] == ["completed", "interrupted"]


@on_a_loop
async def test_file_that_changes_while_a_turn_runs_changes_nothing_in_it(tmp_path):
    path = tmp_path / "agents.yaml"
    path.write_text("agents: {root: {sub_agents: [helper]}, helper: {instruction: Work.}}")

    def changing(_messages):
        path.write_text("agents: {root: {sub_agents: [helper]}, helper: {instruction: Work harder than before.}}")
        return gives()

    script("boss", changing, "Done.", [gives()], "Done.")
    work = script("work", "7")
    manager = SessionManager(MemoryStore(), Models("boss"), Agents(path))
    await ask(manager, models={"helper": "work"})
    await ask(manager)
    assert [sent[0].instructions for sent in work.sent] == ["Work.", "Work harder than before."]


@on_a_loop
async def test_sub_agent_that_cannot_be_used_is_told_with_the_reason():
    script("boss", [gives()], "Done.")
    agents = {"root": {"sub_agents": ["helper"]}, "helper": {"shout": True}}
    manager = SessionManager(MemoryStore(), Models("boss"), Agents({"agents": agents}))
    result, events, _ = await done(manager)
    assert (result.text, "needs the key shout" in returned(events)[0][2]) == ("Done.", True)
