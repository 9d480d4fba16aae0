"""Scripted models: what a script says is what the turn gets."""

import asyncio
import doctest
import time

import pytest
from pydantic_ai import Agent

import sessionmagic.testing
from sessionmagic import MemoryStore, Models, SessionManager, register_model
from sessionmagic.conversation.events import ReasoningDelta, TextDelta, ToolCallDelta
from sessionmagic.testing import Call, ScriptedModel, call, hang, paced, pause, script, think
from tests.turns import ask, events_of, on_a_loop, returned, said, whole


@pytest.fixture
def manager():
    return SessionManager(MemoryStore(), Models("demo"))


def add(a: int, b: int = 0) -> int:
    """Add two numbers."""
    return a + b


async def events_with(manager, *steps, **options):
    """Run a turn of a model with this script to its end; return its result, its events and the model."""
    model = script("demo", *steps)
    turn = await manager.run("Go", session="chat", **options)
    return await turn.result(), whole(await events_of(turn)), model


def test_examples_of_the_documentation_run():
    done = doctest.testmod(sessionmagic.testing)
    assert done.attempted
    assert not done.failed


def test_name_is_the_reference_and_the_model_that_answered(manager):
    assert script("demo", "It is fine.") is manager.models.resolve("demo").model
    result = manager.run_sync("Hello", session="chat")
    assert (str(result), result.model, result.messages[-1].model_name) == ("It is fine.", "demo", "demo")


@on_a_loop
async def test_each_request_takes_one_step_and_the_last_step_repeats(manager):
    model = script("demo", "One.", "Two.")
    assert [str(await ask(manager)) for _ in range(4)] == ["One.", "Two.", "Two.", "Two."]
    assert len(model.sent) == 4


@on_a_loop
async def test_script_for_each_turn_begins_again_with_every_turn(manager):
    model = script("demo", call("add", a=1), call("add", a=2), "Done.", each_turn=True)
    for _ in range(2):
        turn = await manager.run("Go", session="chat", tools=[add], yes=True)
        assert returned(await events_of(turn)) == [("add", "success", "1"), ("add", "success", "2")]
        assert (await turn.result()).text == "Done."
    assert len(model.sent) == 6


@on_a_loop
async def test_pieces_are_streamed_one_after_the_other(manager):
    _, events, _ = await events_with(manager, ["It ", think("Hm"), "is ", think("m."), "fine."])
    streamed = [(event.type, event.text) for event in events if isinstance(event, TextDelta | ReasoningDelta)]
    assert streamed == [
        ("text_delta", "It "),
        ("reasoning_delta", "Hm"),
        ("text_delta", "is "),
        ("reasoning_delta", "m."),
        ("text_delta", "fine."),
    ]


@on_a_loop
async def test_reasoning_and_text_are_one_part_each(manager):
    result, _, _ = await events_with(manager, [think("Let me "), "It is ", think("see."), "four."])
    assert [(part.part_kind, part.content) for part in result.messages[-1].parts] == [
        ("thinking", "Let me see."),
        ("text", "It is four."),
    ]


@on_a_loop
async def test_call_is_streamed_run_and_answered(manager):
    result, events, model = await events_with(
        manager, ["I add.", call("add", a=1, b=2), call("add", {"a": 3})], "Done.", tools=[add], yes=True
    )
    assert result.text == "I add.\n\nDone."
    assert returned(events) == [("add", "success", "3"), ("add", "success", "3")]
    written = [event.text for event in events if isinstance(event, ToolCallDelta)]
    assert len(written) == 4
    assert "".join(written) == '{"a": 1, "b": 2}{"a": 3}'
    assert len({part.tool_call_id for part in model.sent[1][-1].parts}) == 2


@on_a_loop
async def test_call_may_have_an_id_and_arguments_that_are_not_json(manager):
    result, events, model = await events_with(
        manager, call("add", '{"a": ', call_id="mine"), "Sorry.", tools=[add], yes=True
    )
    assert result.text == "Sorry."
    assert [(tool, outcome) for tool, outcome, _ in returned(events)] == [("add", "retried")]
    assert model.sent[1][-1].parts[0].tool_call_id == "mine"


def test_calls_are_equal_and_printed_as_values():
    assert call("add", a=1) == call("add", {"a": 1}) == call("add", '{"a": 1}')
    assert eval(repr(call("add", {"call_id": 1}, call_id="c"))) == Call("add", '{"call_id": 1}', "c")
    assert call("now").arguments == "{}"
    with pytest.raises(TypeError, match="give them one way only"):
        call("add", "{}", a=1)


@pytest.mark.parametrize("step", [["So ", pause(0.06), "far"], paced(["So ", "far"], 0.03)])
@on_a_loop
async def test_pause_delays_what_follows(manager, step):
    began = time.monotonic()
    result, _, _ = await events_with(manager, step)
    assert time.monotonic() - began >= 0.06
    assert result.text == "So far"


@on_a_loop
async def test_hanging_model_says_nothing_more_until_the_turn_is_stopped(manager):
    script("demo", ["So far", hang(), "and no further"])
    turn = await manager.run("Go", session="chat")
    await said(turn)
    await asyncio.sleep(0.05)
    assert not turn.finished
    turn.cancel()
    result = await turn.result()
    assert (result.status, result.text) == ("interrupted", "So far")


@pytest.mark.parametrize(
    ("step", "text"), [(RuntimeError("it broke"), ""), (["So far", RuntimeError("it broke")], "So far")]
)
@on_a_loop
async def test_exception_is_raised_where_it_stands(manager, step, text):
    result, _, _ = await events_with(manager, step)
    assert (result.status, result.text, str(result.error)) == ("failed", text, "demo: RuntimeError: it broke")


@on_a_loop
async def test_step_may_depend_on_what_was_sent(manager):
    def answer(messages):
        prompt = messages[-1].parts[-1].content
        return [f"{prompt}? ", "No."] if prompt != "Fail" else RuntimeError("as you wish")

    script("demo", answer)
    assert str(await ask(manager, "Again")) == "Again? No."
    assert str((await ask(manager, "Fail")).error) == "demo: RuntimeError: as you wish"


@on_a_loop
async def test_step_may_yield_its_pieces_and_is_closed_with_the_turn(manager):
    closed = asyncio.Event()

    async def answer(_messages):
        try:
            yield "So far"
            yield hang()
        finally:
            closed.set()

    script("demo", answer)
    turn = await manager.run("Go", session="chat")
    await said(turn)
    turn.cancel()
    assert (await turn.result()).text == "So far"
    assert closed.is_set()


@on_a_loop
async def test_requests_are_kept_as_they_were_sent(manager):
    _, _, model = await events_with(manager, call("add", a=1), "Done.", tools=[add], yes=True)
    assert [len(messages) for messages in model.sent] == [1, 3]
    assert [part.content for part in model.sent[0][0].parts] == ["Go"]
    assert [list(offered) for offered in model.offered] == [["add"], ["add"]]
    assert model.offered[0]["add"].description == "Add two numbers."
    model.sent[1].clear()
    assert len(manager.sessions.load("chat").turns[0].messages) == 4


@on_a_loop
async def test_profile_says_what_the_model_can_do(manager):
    model = script("demo", "Done.", profile={"supports_tools": False})
    await ask(manager, tools=[add])
    assert model.offered == [{}]


@on_a_loop
async def test_model_serves_an_agent_of_pydantic_ai_without_being_registered():
    model = ScriptedModel([think("Hm."), call("add", a=1)], "Done.", name="mine")
    agent = Agent(model, tools=[add], model_settings={"temperature": 0.5})
    result = await agent.run("Go")
    assert result.output == "Done."
    assert [part.part_kind for part in result.all_messages()[1].parts] == ["thinking", "tool-call"]
    assert result.response.model_name == "mine"
    assert [settings["temperature"] for settings in model.sent_settings] == [0.5, 0.5]
    assert "mine" not in Models().known()
    assert repr(model) == "ScriptedModel(name='mine', steps=2)"


def test_model_can_be_registered_under_another_name(manager):
    register_model("demo", ScriptedModel("It is fine."))
    assert str(manager.run_sync("Hello", session="chat")) == "It is fine."


@on_a_loop
async def test_what_is_no_piece_is_refused(manager):
    with pytest.raises(ValueError, match="the script 'demo' has no steps"):
        script("demo")
    result, _, _ = await events_with(manager, [3])
    assert "3 cannot be part of a script" in str(result.error)
