"""A turn that plans reads and proposes only; another one carries its plan out, once."""

import json

import pytest

from sessionmagic import Agents, SessionManager, UsageError
from sessionmagic.agents.definition import ASSISTANT, BUILT_IN
from sessionmagic.conversation.branches import tree_rows
from sessionmagic.conversation.events import Warned
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.exceptions import SessionBusyError
from sessionmagic.notebook.captions import PLAN
from sessionmagic.notebook.exports.notebook import to_notebook
from sessionmagic.notebook.page.static import answer_outputs
from sessionmagic.notebook.terminal.text import turn_text
from sessionmagic.testing import script
from sessionmagic.tools.call import Call
from sessionmagic.tools.permissions import Permissions
from sessionmagic.turns.agent_limits import policy_of
from sessionmagic.turns.proposing import CARRY_OUT, PROPOSE, proposing
from sessionmagic.turns.request import Cell
from tests.turns import acted, acting, ask, events_of, on_a_loop, prompts, returned, said

RUN, LOOK = ("run", {"code": "1"}), ("look", {"at": "sky"})
PLAN_IS = "1. Run it."
HERE = Cell(id="here")


def instructions_of(model):
    return model.sent[-1][-1].instructions


# A plan


@on_a_loop
async def test_a_plan_is_offered_and_runs_only_what_changes_nothing_whatever_is_allowed(manager, tools):
    await ask(manager)
    manager.sessions.set_permissions("chat", {"*": "allow"}, safety="autonomous")
    _, events, model = await acted(manager, [LOOK, RUN], PLAN_IS, kind="plan", tools=tools.all, yes=True)
    assert [sorted(each) for each in model.offered] == [["look"], ["look"]]
    assert tools.ran == ["look sky"]
    assert sorted((name, outcome) for name, outcome, _ in returned(events)) == [("look", "success"), ("run", "retried")]


def test_no_rule_lets_a_call_of_a_plan_run_that_changes_something():
    agent = proposing(BUILT_IN[ASSISTANT])
    policy = policy_of(Permissions({"allow": ["*"]}, "autonomous"), agent, yes=True, everything=True)
    ruling = policy.rule_on(Call("run", {}, read_only=False))
    assert (ruling.verdict, ruling.why) == ("deny", "the tool may change something, and this turn only makes a plan")
    assert policy.rule_on(Call("look", {}, read_only=True)).verdict == "allow"


@on_a_loop
async def test_the_model_is_told_to_propose_a_plan_beside_its_other_instructions(manager):
    _, _, model = await acted(manager, PLAN_IS, kind="plan", system="Be brief.")
    assert instructions_of(model) == f"Be brief.\n\n{PROPOSE}"
    _, _, model = await acted(manager, PLAN_IS, kind="plan", system="")
    assert instructions_of(model) == PROPOSE


@on_a_loop
async def test_the_users_functions_that_a_plan_does_without_are_named(manager, tools):
    _, events, _ = await acted(manager, PLAN_IS, kind="plan", tools=tools.all)
    (warning,) = [event.text for event in events if isinstance(event, Warned)]
    assert warning.startswith("a plan is made without run, send, functions that may change something; ")


@pytest.mark.parametrize("store", ["memory", "disk"])
@on_a_loop
async def test_a_plan_is_marked_as_one_live_and_after_a_restart(manager, home, store):
    from sessionmagic import TinyStore
    from tests.turns import manager_on

    manager = manager if store == "memory" else manager_on(TinyStore(home))
    turn, _ = await acting(manager, PLAN_IS, kind="plan")
    await turn.result()
    again = manager if store == "memory" else manager_on(TinyStore(home))
    stored = transcript_of("chat", again.sessions.load("chat").turn("1"))
    for transcript in (turn.transcript, stored):
        footer = answer_outputs(transcript)[-1]
        assert footer.data["text/plain"].splitlines()[0] == f"{PLAN}; %agent go -s chat carries it out"
        assert PLAN in footer.data["text/html"]
        assert f"{PLAN}; %agent go -s chat carries it out" in turn_text(transcript, "Go").splitlines()


@on_a_loop
async def test_an_answer_and_a_plan_that_was_stopped_are_not_marked_as_a_plan(manager):
    assert PLAN not in turn_text((await manager.run("Go", session="chat")).transcript, "")
    turn = await manager.run("Go", session="other", model="hang", kind="plan")
    await said(turn)
    turn.cancel()
    await turn.result()
    assert PLAN not in turn_text(turn.transcript, "")


@on_a_loop
async def test_branches_say_which_turns_plan_and_carry_out(manager):
    await ask(manager)
    await ask(manager, kind="plan")
    await ask(manager, kind="go")
    assert [row.kind for row in tree_rows(manager.sessions.load("chat"))] == ["prompt", "plan", "go"]


@on_a_loop
async def test_a_stored_plan_is_shown_again_as_one_and_not_as_the_answer_of_an_ordinary_turn(manager):
    await ask(manager, kind="plan")
    plan = await manager.run("Hello", session="chat", kind="plan", after="root", reuse=True)
    answer = await manager.run("Hello", session="chat", after="root", reuse=True)
    assert ((await plan.result()).reused, (await answer.result()).reused) == (True, False)
    assert PLAN in turn_text(plan.transcript, "")


@on_a_loop
async def test_an_exported_notebook_asks_for_the_plan_and_carries_it_out(manager):
    await ask(manager, kind="plan", system="Be brief.")
    await ask(manager, f"{CARRY_OUT}\n\nOnly the first step.", kind="go")
    cells = json.loads(to_notebook(manager.sessions.load("chat")))["cells"]
    assert ["".join(cell["source"]) for cell in cells[2:]] == [
        '%%agent --session chat --model calm --system "Be brief." --plan\nHello',
        "%agent go --session chat Only the first step.",
    ]


# Carrying it out


@on_a_loop
async def test_a_plan_is_carried_out_with_all_tools_and_the_plan_in_the_history(manager, tools):
    await acted(manager, PLAN_IS, kind="plan", tools=tools.all)
    result, events, model = await acted(manager, [RUN], "Done", tools=tools.all, yes=True, kind="go")
    assert (str(result), tools.ran) == ("Done", ["run 1"])
    assert [(name, outcome) for name, outcome, _ in returned(events)] == [("run", "success")]
    assert [part.content for message in model.sent[0] for part in message.parts] == ["Go", PLAN_IS, "Go"]
    assert instructions_of(model) is None


@on_a_loop
async def test_the_usual_rules_hold_for_the_calls_of_a_plan_that_is_carried_out(manager, tools):
    await acted(manager, PLAN_IS, kind="plan", tools=tools.all)
    _, events, _ = await acted(manager, [RUN], "Done", tools=tools.all, kind="go")
    assert [outcome for _, outcome, _ in returned(events)] == ["denied"]
    assert tools.ran == []


@on_a_loop
async def test_a_summary_may_stand_between_a_plan_and_carrying_it_out(manager):
    await ask(manager)
    await ask(manager, kind="plan")
    assert (await (await manager.compact("chat")).result()).status == "completed"
    assert (await ask(manager, CARRY_OUT, kind="go")).status == "completed"


@on_a_loop
async def test_a_cell_that_carries_out_a_plan_again_takes_the_place_of_its_turn(manager):
    await ask(manager, kind="plan")
    for _ in range(2):
        await ask(manager, CARRY_OUT, kind="go", cell=HERE)
    session = manager.sessions.load("chat")
    assert [(turn.id, turn.parent) for turn in session.turns] == [("1", None), ("2", "1"), ("3", "1")]
    assert session.head == "3"


@on_a_loop
async def test_the_cell_that_asked_for_a_plan_may_carry_it_out(manager):
    await ask(manager, kind="plan", cell=HERE)
    await ask(manager, CARRY_OUT, kind="go", cell=HERE)
    assert [turn.kind for turn in manager.sessions.load("chat").path()] == ["plan", "go"]


async def refused(manager, session="chat"):
    """Return why a plan cannot be carried out, when that has stored nothing."""
    before = manager.store.find(session) and manager.sessions.load(session)
    with pytest.raises(UsageError) as error:
        await ask(manager, CARRY_OUT, session, kind="go")
    assert (manager.store.find(session) and manager.sessions.load(session)) == before
    return str(error.value)


@on_a_loop
async def test_what_is_not_a_plan_cannot_be_carried_out(manager):
    assert await refused(manager) == "session 'chat' has no plan to carry out; %%agent --plan asks for one"
    await ask(manager)
    assert await refused(manager) == "session 'chat' has no plan to carry out; %%agent --plan asks for one"
    await ask(manager, kind="plan")
    await ask(manager, "Why?")
    assert await refused(manager) == (
        "turn 3 is not a plan, and turn 2 was the latest; %agent use chat@2 goes back to it, and %%agent --plan asks "
        "for one"
    )


@on_a_loop
async def test_a_plan_is_carried_out_once_unless_the_user_goes_back_to_it(manager):
    await ask(manager, kind="plan")
    await ask(manager, CARRY_OUT, kind="go")
    assert await refused(manager) == (
        "the plan of turn 1 was carried out already, in turn 2; %agent use chat@1 goes back to it"
    )
    manager.branches.move_head("chat", "1")
    await ask(manager, CARRY_OUT, kind="go")


@on_a_loop
async def test_a_plan_that_was_stopped_cannot_be_carried_out(manager):
    turn = await manager.run("Go", session="chat", model="hang", kind="plan", once=True)
    await said(turn)
    turn.cancel()
    await turn.result()
    assert await refused(manager) == "the plan of turn 1 is not complete; %%agent --plan asks for one"


@on_a_loop
async def test_a_busy_session_does_not_carry_out_a_plan(manager):
    await ask(manager, kind="plan")
    turn = await manager.run("Wait", session="chat", model="hang")
    with pytest.raises(SessionBusyError):
        await ask(manager, CARRY_OUT, kind="go")
    turn.cancel()
    await events_of(turn)
    assert prompts(manager.sessions.load("chat")) == ["Hello", "Wait"]


@on_a_loop
async def test_a_failed_attempt_leaves_the_plan_to_be_carried_out(manager):
    script("dumb", RuntimeError("it broke"))
    await ask(manager, kind="plan")
    assert (await ask(manager, CARRY_OUT, kind="go", model="dumb", once=True)).status == "failed"
    assert (await ask(manager, CARRY_OUT, kind="go")).status == "completed"


@on_a_loop
async def test_the_agent_of_the_plan_carries_it_out(manager):
    file = {"agents": {"root": {"model": "calm"}, "tutor": {"model": "recalls"}}}
    manager = SessionManager(manager.store, manager.models, Agents(file))
    await ask(manager, kind="plan", agent="tutor")
    assert (await ask(manager, CARRY_OUT, kind="go")).model == "recalls"
    assert [turn.agent for turn in manager.sessions.load("chat").turns] == ["tutor", "tutor"]
