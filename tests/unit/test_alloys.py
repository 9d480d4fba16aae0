"""An alloy: references joined by commas. Each model request goes to one of its members, here to one after the other."""

import pytest
from pydantic_ai.messages import ThinkingPart
from pydantic_ai.models.fallback import FallbackModel

from sessionmagic import Cell, Models, register_model
from sessionmagic.conversation.events import TurnFinished, Warned
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.exceptions import ModelReferenceError, UsageError
from sessionmagic.notebook.captions import footer
from sessionmagic.testing import ScriptedModel, call, script, think
from sessionmagic.turns.account import KERNEL
from tests.turns import ask, events_of, on_a_loop


def look() -> str:
    """Look."""
    return "seen"


def in_turn(members):
    """Choose the members one after the other, in place of at random."""
    in_turn.count += 1
    return members[(in_turn.count - 1) % len(members)]


@pytest.fixture
def alloys(manager):
    """A manager whose alloys ask their members one after the other."""
    in_turn.count = 0
    manager.models.choose = in_turn
    return manager


def test_each_member_is_chosen_about_as_often_as_it_is_named():
    script("a", "")
    script("b", "")
    model = Models().resolve("a,b,a")
    chosen = [model.chosen().reference for _ in range(900)]
    assert {"a", "b"} == set(chosen)
    assert 500 < chosen.count("a") < 700


def test_blanks_around_commas_do_not_count_and_the_reference_stays_as_typed():
    model = Models().resolve("test, test")
    assert (model.reference, [each.reference for each in model.members]) == ("test, test", ["test", "test"])


def test_registered_name_with_a_comma_is_no_alloy():
    register_model("x,y", ScriptedModel("hello"))
    Models().check("x,y")
    assert Models().resolve("x,y").members == ()


@on_a_loop
async def test_each_request_of_a_turn_may_go_to_another_member(alloys):
    first, second = script("first", ["I look.", call("look")]), script("second", "Done.")
    turn = await alloys.run("Go", session="chat", model="first,second", tools=[look], yes=True)
    events, result = await events_of(turn), await turn.result()
    assert (len(first.sent), len(second.sent)) == (1, 1)
    assert (result.status, result.model) == ("completed", "second")
    [finished] = [event for event in events if isinstance(event, TurnFinished)]
    assert finished.model == "first, second"
    stored = alloys.sessions.load("chat")
    assert [request.model for request in stored.turns[0].requests] == ["first", "second"]
    assert (stored.turns[0].model, stored.agent_model_overrides) == ("first,second", {"assistant": "first,second"})
    assert "chat · turn 1 · first, second · " in footer(transcript_of("chat", stored.turns[0]))


@on_a_loop
async def test_alloy_is_asked_once_or_by_default(alloys):
    script("a", "A")
    script("b", "B")
    assert str(await ask(alloys, model="a,b", once=True)) == "A"
    assert alloys.sessions.load("chat").agent_model_overrides == {}
    alloys.models.default = "a,b"
    assert str(await ask(alloys)) == "B"
    assert str(await ask(alloys, model="default")) == "A"


@on_a_loop
async def test_member_that_is_unknown_refuses_the_turn_and_nothing_is_stored(alloys):
    with pytest.raises(ModelReferenceError, match="did you mean 'calm'"):
        await ask(alloys, model="calm,clam")
    assert alloys.sessions.summaries()[0] == []


@on_a_loop
async def test_member_is_asked_with_its_own_settings_and_those_of_the_turn(alloys):
    first, second = ScriptedModel("A", name="first"), ScriptedModel("B", name="second")
    register_model("first", first, {"temperature": 0.1, "top_p": 0.5})
    register_model("second", second)
    for _ in range(2):
        await ask(alloys, model="first,second", settings={"temperature": 0.7})
    assert first.sent_settings == [{"temperature": 0.7, "top_p": 0.5}]
    assert second.sent_settings == [{"temperature": 0.7}]


@on_a_loop
async def test_only_the_member_that_ignores_a_setting_is_named(alloys):
    script("first", "A")
    turn = await alloys.run("Go", session="chat", model="first,test", settings={"temperature": 0.7})
    warnings = [event.text for event in await events_of(turn) if isinstance(event, Warned)]
    assert warnings == ["test ignores temperature: its library does not send it"]


@on_a_loop
async def test_member_that_takes_no_tools_is_asked_without_them(alloys):
    first = script("first", ["I look.", call("look")])
    second = script("second", "Done.", profile={"supports_tools": False})
    turn = await alloys.run("Go", session="chat", model="first,second", tools=[look], yes=True)
    warnings = [event.text for event in await events_of(turn) if isinstance(event, Warned)]
    assert (await turn.result()).status == "completed"
    assert ([set(each) for each in first.offered], second.offered) == ([{"look"}], [{}])
    assert warnings == ["second cannot call tools, so it is not offered look"]


@on_a_loop
async def test_reasoning_goes_back_to_the_member_that_it_came_from_only(alloys):
    first = script("first", [think("Hm."), "I look.", call("look")], "Done.")
    second = script("second", ["I look too.", call("look")])
    await ask(alloys, model="first,second", tools=[look], yes=True)

    def thoughts(messages):
        return [part.content for each in messages for part in each.parts if isinstance(part, ThinkingPart)]

    assert thoughts(second.sent[0]) == []
    assert thoughts(first.sent[1]) == ["Hm."]


@on_a_loop
async def test_each_member_costs_its_own_price(alloys):
    script("first", ["I look.", call("look")])
    script("second", "Done.")
    alloys.models.prices |= {"first": [1.0, 0.0], "second": [1000.0, 0.0]}
    await ask(alloys, model="first,second", tools=[look], yes=True)
    one, two = (request.usage for request in alloys.sessions.load("chat").turns[0].requests)
    assert one.cost == pytest.approx(one.input_tokens / 1e6)
    assert two.cost == pytest.approx(two.input_tokens / 1e3)


@on_a_loop
async def test_budget_needs_the_price_of_each_member(alloys):
    script("first", "A")
    script("second", "B")
    alloys.models.prices |= {"first": [1.0, 1.0]}
    with pytest.raises(UsageError, match=r"^second has no known price"):
        await ask(alloys, model="first,second", budget=1.0)
    alloys.models.prices |= {"second": [1.0, 1.0]}
    assert (await ask(alloys, model="first,second", budget=1.0)).status == "completed"
    assert KERNEL.budget is None


@on_a_loop
async def test_failure_names_the_member_that_was_asked(alloys):
    script("first", "A")
    result = [await ask(alloys, model="first,dumb") for _ in range(2)][1]
    assert (result.status, str(result.error)) == ("failed", "dumb: RuntimeError: it broke")
    assert alloys.sessions.load("chat").agent_model_overrides == {"assistant": "first,dumb"}


@on_a_loop
async def test_member_may_be_made_of_several_models_itself(alloys):
    register_model("either", FallbackModel(ScriptedModel("A", name="one"), ScriptedModel("B", name="two")))
    script("second", "Done.")
    assert [str(await ask(alloys, model="either,second")) for _ in range(2)] == ["A", "Done."]


@on_a_loop
async def test_summary_is_written_by_a_member_with_the_settings_of_a_summary(alloys):
    first, second = script("first", "A"), ScriptedModel("A summary.", name="second")
    register_model("second", second, {"max_tokens": 5, "temperature": 0.1})
    await ask(alloys, model="first,second")
    assert (await (await alloys.compact("chat")).result()).status == "completed"
    assert (len(first.sent), second.sent_settings) == (1, [{"temperature": 0.1}])


@on_a_loop
async def test_answer_of_an_alloy_is_reused_unless_a_member_has_other_settings(alloys):
    script("first", "A")
    register_model("second", ScriptedModel("B", name="second"))
    cell = {"model": "first,second", "reuse": True, "cell": Cell(id="one")}
    assert [(await ask(alloys, **cell)).reused for _ in range(2)] == [False, True]
    register_model("second", ScriptedModel("B", name="second"), {"temperature": 0.1})
    assert not (await ask(alloys, **cell)).reused
