"""Turns that one agent hands over to another: who answers then, with what, and how that is stored and shown."""

import shutil
from dataclasses import dataclass

import pytest

from sessionmagic import Cell, Limits, MemoryStore, Request, SessionManager, TinyStore
from sessionmagic.agents.definition import AgentDefinition
from sessionmagic.comparing.contestants import contestants
from sessionmagic.conversation.events import AgentSwitched, MessageInjected
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.models.catalog import Models
from sessionmagic.notebook.captions import footer
from sessionmagic.sessions.usage import usage_by
from sessionmagic.testing import call, hang, script
from sessionmagic.turns.team import HANDOVERS
from tests.scripted import Gate
from tests.turns import ask, events_of, on_a_loop, orphans, returned, said, until, whole


@dataclass
class Person:
    name: str


def hands(agent="tutor", call_id=None):
    return call("handoff", {"agent": agent}, call_id=call_id)


def team(store=None, **tutor):
    """Return a manager whose default agent `root` may hand over to `tutor`, and back."""
    agents = {
        "root": AgentDefinition(name="root", model="boss", instructions="Lead.", handoffs={"tutor": "Teaches."}),
        "tutor": AgentDefinition(
            name="tutor", model="teacher", instructions="Teach.", handoffs={"root": "Leads."}, **tutor
        ),
    }
    return SessionManager(store or MemoryStore(), Models("calm"), agents)


async def done(manager, prompt="Go", **options):
    turn = await manager.run(prompt, session="chat", **options)
    return await turn.result(), whole(await events_of(turn)), turn


def stored(manager):
    return manager.sessions.load("chat")


@on_a_loop
async def test_other_agent_answers_with_the_whole_history_and_so_do_later_turns():
    boss = script("boss", "Hello.", ["One moment. ", hands(call_id="h1")])
    teacher = script("teacher", str, "Again.")
    manager = team()
    await ask(manager, "Hi")
    result, events, _ = await done(manager, "Teach me")
    assert (result.status, result.model) == ("completed", "teacher")
    assert returned(events) == [("handoff", "success", "tutor takes over, and answers from here on.")]
    [switched] = (event for event in events if isinstance(event, AgentSwitched))
    assert (switched.agent, switched.to, switched.model) == ("root", "tutor", "teacher")
    for piece in ("Hi", "Hello.", "Teach me", "One moment.", "tutor takes over"):
        assert piece in result.text
    assert orphans(result.messages) == []
    assert teacher.sent[0][-1].instructions == "Teach."
    assert list(teacher.offered[0]) == ["handoff"]
    await ask(manager, "More")
    assert (len(boss.sent), len(teacher.sent)) == (2, 2)
    assert [turn.agent for turn in stored(manager).turns] == ["root", "tutor", "tutor"]


@on_a_loop
async def test_handed_over_turn_is_shown_the_same_after_a_restart(home):
    script("boss", ["One moment. ", hands()])
    script("teacher", "Listen.", "More.")
    result, _, turn = await done(team(TinyStore(home)))
    manager = team(TinyStore(home))
    session = stored(manager)
    shown = transcript_of("chat", session.turns[0], session.turns)
    assert shown.blocks == turn.transcript.blocks
    assert footer(shown) == footer(turn.transcript)
    assert "chat · turn 1 · tutor · boss, teacher" in footer(shown)
    assert (session.current_agent, session.usage) == ("tutor", result.usage)
    assert {each.agent: each.requests for each in usage_by([session], "agent")} == {"root": 1, "tutor": 1}
    await ask(manager, "Go on")
    assert stored(manager).turns[-1].agent == "tutor"
    await ask(manager, "Back", agent="root")
    assert stored(manager).current_agent == "tutor"


@on_a_loop
async def test_agent_without_instructions_takes_over():
    script("boss", "Hello.", [hands()])
    script("teacher", "Listen.")
    manager = team()
    manager.agents.define(AgentDefinition(name="tutor", model="teacher"))
    await ask(manager, "Hi")
    assert (await ask(manager, "Teach me")).text == "Listen."


@on_a_loop
async def test_user_goes_back_to_the_first_agent():
    script("boss", [hands()], "Hello.")
    script("teacher", "Listen.")
    manager = team()
    await ask(manager)
    await ask(manager, agent="root")
    assert (stored(manager).current_agent, stored(manager).turns[-1].agent) == ("root", "root")


@on_a_loop
async def test_agent_that_takes_over_has_its_own_settings_and_the_sessions_override():
    script("boss", [hands()])
    other = script("other", "Listen.")
    manager = team(settings={"temperature": 0.25})
    await ask(manager, models={"tutor": "other"}, settings={"temperature": 0.75}, system="Be brief.")
    assert other.sent_settings[0]["temperature"] == 0.25
    assert other.sent[0][-1].instructions == "Teach."
    assert stored(manager).turns[0].model == "other"


@on_a_loop
async def test_cell_that_runs_again_asks_the_agent_that_it_asked_before():
    boss = script("boss", [hands()], [hands()])
    script("teacher", "Listen.", "Listen again.", "And now?")
    manager = team()
    await ask(manager, cell=Cell(id="a"))
    await ask(manager, "Next", cell=Cell(id="b"))
    await ask(manager, "Changed", cell=Cell(id="a"))
    assert len(boss.sent) == 2
    assert stored(manager).current_agent == "tutor"


@on_a_loop
async def test_reused_turn_that_was_handed_over_leaves_the_session_with_the_same_agent():
    script("boss", [hands()], "Back.")
    script("teacher", "Listen.", "More.")
    manager = team()
    asked = [("Go", "a", ""), ("More?", "b", ""), ("Back?", "c", "root")]
    for _ in range(2):
        for prompt, cell, agent in asked:
            result = await ask(manager, prompt, cell=Cell(id=cell), agent=agent, reuse=True)
            last = stored(manager).current_agent
    assert (result.reused, last, len(stored(manager).turns)) == (True, "root", 3)


@on_a_loop
async def test_second_hand_over_of_one_response_is_refused():
    script("boss", [hands(call_id="h1"), hands(call_id="h2")])
    script("teacher", "Listen.")
    result, events, _ = await done(team())
    assert result.text == "Listen."
    assert [content for _, _, content in returned(events)] == [
        "tutor takes over, and answers from here on.",
        "ToolError: tutor already takes over",
    ]


@on_a_loop
async def test_agent_that_takes_over_a_turn_that_plans_only_plans(tools):
    script("boss", [hands()])
    teacher = script("teacher", "First, look.")
    manager = team()
    result, _, turn = await done(manager, tools=tools.all, kind="plan")
    assert (result.status, set(teacher.offered[0])) == ("completed", {"look", "handoff"})
    assert "only propose a plan" in teacher.sent[0][-1].instructions
    shown = transcript_of("chat", stored(manager).turns[0], stored(manager).turns)
    assert shown.blocks == turn.transcript.blocks


@on_a_loop
async def test_loop_of_hand_overs_ends():
    script("boss", *([hands("tutor")] for _ in range(20)))
    script("teacher", *([hands("root")] for _ in range(20)))
    result, events, _ = await done(team())
    assert result.status == "limit"
    told = [content for _, outcome, content in returned(events) if outcome == "failed"]
    assert told[0] == f"ToolError: this turn was handed over {HANDOVERS} times; answer the user yourself"
    assert sum(isinstance(event, AgentSwitched) for event in events) == HANDOVERS


@on_a_loop
async def test_limits_hold_over_all_agents_of_a_turn():
    script("boss", [hands("tutor")], [hands("tutor")])
    script("teacher", [hands("root")], [hands("root")])
    result, _, _ = await done(team(), limits=Limits(requests=3))
    assert (result.status, "stopped after 3 model requests" in str(result.error)) == ("limit", True)


@pytest.mark.parametrize("when", ["at once", "asked", "said"])
@on_a_loop
async def test_turn_that_is_stopped_after_it_was_handed_over_stays_with_the_other_agent(when):
    script("boss", ["One moment. ", hands()])
    teacher = script("teacher", ["So far", hang()] if when == "said" else [hang()])
    manager = team()
    turn = await manager.run("Go", session="chat")
    async for event in turn.events():
        if isinstance(event, AgentSwitched):
            break
    await until(lambda: when == "at once" or (teacher.sent and (when == "asked" or "So far" in turn.transcript.text)))
    turn.cancel()
    result = await turn.result()
    whole(await events_of(turn))
    assert (result.status, orphans(result.messages)) == ("interrupted", [])
    assert (stored(manager).current_agent, stored(manager).turns[0].agent) == ("tutor", "tutor")
    script("teacher", "Listen.")
    assert (await ask(manager, "Go on")).text == "Listen."


@on_a_loop
async def test_process_that_ends_after_a_hand_over_leaves_the_session_with_the_other_agent(home):
    script("boss", ["One moment. ", hands()])
    teacher = script("teacher", [hang()])
    manager = team(TinyStore(home))
    turn = await manager.run("Go", session="chat")
    await until(lambda: teacher.sent)
    copied = home.parent / "copied"
    shutil.copytree(home, copied)  # what a process leaves that is killed now
    turn.cancel()
    await turn.result()
    script("teacher", "Listen.")
    other = team(TinyStore(copied))
    assert (await ask(other, "Go on")).text == "Listen."
    cut_off, later = stored(other).turns
    assert (cut_off.status, cut_off.agent, cut_off.model, later.agent) == ("interrupted", "tutor", "teacher", "tutor")


@on_a_loop
async def test_failure_of_the_other_agent_fails_the_turn():
    script("boss", [hands()])
    script("teacher", RuntimeError("it broke"))
    manager = team()
    result, _, _ = await done(manager)
    assert (result.status, "it broke" in str(result.error)) == ("failed", True)
    assert orphans(result.messages) == []


@on_a_loop
async def test_model_that_does_not_exist_is_told_and_the_first_agent_goes_on():
    script("boss", [hands()], "I do it myself.")
    manager = team()
    manager.agents.define(AgentDefinition(name="tutor", model="nowhere:x"))
    result, events, _ = await done(manager)
    assert (result.text, returned(events)[0][1]) == ("I do it myself.", "failed")
    assert stored(manager).current_agent == "root"


@on_a_loop
async def test_message_to_the_turn_reaches_the_agent_that_has_taken_over():
    gate = Gate("teacher")
    script("boss", [hands()])
    manager = team()
    turn = await manager.run("Go", session="chat")
    await said(turn)
    await manager.turns.steer("chat", "Be brief")
    gate.open.set()
    await turn.result()
    assert [event.text for event in await events_of(turn) if isinstance(event, MessageInjected)] == ["Be brief"]


@on_a_loop
async def test_columns_of_a_comparison_are_not_handed_over():
    one = script("one", "One.")
    script("boss", "Two.")
    manager = team()
    comparison = await manager.compare(Request(prompt="Go", session="chat"), contestants(["one", "boss"]))
    await comparison.answers()
    assert one.offered[0] == {}


@on_a_loop
async def test_branch_that_does_not_move_the_head_leaves_the_session_with_its_agent():
    script("boss", "Hello.", [hands()])
    script("teacher", "Listen.")
    manager = team()
    await ask(manager)
    result = await ask(manager, moves_head=False)
    assert (result.text, stored(manager).current_agent) == ("Listen.", "root")


@on_a_loop
async def test_typed_answer_is_given_by_the_agent_that_has_taken_over():
    script("boss", [hands()])
    script("teacher", call("final_result", name="Ada"))
    result = await ask(team(), output_type=Person)
    assert result.value == Person("Ada")
