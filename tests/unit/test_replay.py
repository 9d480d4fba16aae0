"""Recorded sessions that answer in place of models."""

import inspect
import socket
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from pydantic_ai.messages import BinaryContent, ToolReturn

from sessionmagic import Cell, ModelReferenceError, Models, ReplayError, SessionManager, register_model
from sessionmagic.agents.definition import AgentDefinition, Fallback
from sessionmagic.comparing.contestants import Contestant
from sessionmagic.conversation.events import MessageInjected, ResponseBegan
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.transcript import ToolBlock
from sessionmagic.conversation.usage import RequestRecord
from sessionmagic.exceptions import SessionIdleError
from sessionmagic.home import without_machine
from sessionmagic.loop import in_thread
from sessionmagic.models.blends import held_together
from sessionmagic.models.configured import configured
from sessionmagic.models.difference import Said
from sessionmagic.models.recording import Answer, Recording, Wanted
from sessionmagic.models.replay import is_replay
from sessionmagic.sessions.recordings import files_beside, whole_path
from sessionmagic.storage.memory import MemoryStore
from sessionmagic.testing import call, hang, pause, script
from sessionmagic.turns.request import Request
from sessionmagic.turns.turn import current_call, current_turn
from tests.scripted import acts
from tests.turns import ask, asked, events_of, manager_on, on_a_loop, returned, until, whole

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def must_not_run(*_, **__):
    raise AssertionError("a recorded call ran")


def same_but_dead(function):
    """Return a function with the same definition that fails when it is called."""
    dead = lambda *_, **__: must_not_run()  # noqa: E731
    dead.__name__, dead.__doc__ = function.__name__, function.__doc__
    dead.__signature__ = inspect.signature(function)
    dead.__annotations__ = function.__annotations__
    return dead


@pytest.fixture
def manager():
    return manager_on(MemoryStore())


def whole_messages(manager, session):
    """Return the parts of all stored messages, without times and without what names the model."""
    return [
        {name: part.get(name) for name in ("part_kind", "content", "tool_name", "args", "outcome", "metadata")}
        for turn in manager.sessions.load(session).turns
        for message in turn.messages
        for part in message["parts"]
    ]


async def replayed(manager, prompt="Hello", session="again", recording="chat", **options):
    return await ask(manager, prompt, session, model=f"replay:{recording}", **options)


@on_a_loop
async def test_stored_session_answers_a_whole_conversation_with_its_usage_and_without_cost(manager):
    said = [await ask(manager, prompt) for prompt in ("Hello", "And then?")]
    again = [await replayed(manager, prompt) for prompt in ("Hello", "And then?")]
    assert [result.text for result in again] == [result.text for result in said]
    assert [result.usage.output_tokens for result in again] == [result.usage.output_tokens for result in said]
    assert {result.cost for result in again} == {0.0}
    assert {result.model for result in again} == {"replay of calm"}
    assert [result.seconds for result in again] == [result.seconds for result in said]


@on_a_loop
async def test_page_shows_the_recorded_time_to_the_first_word(manager):
    script("slow", [pause(0.02), "Well."])
    said = await manager.run("Hello", session="chat", model="slow")
    began = [event.seconds for event in await events_of(said) if isinstance(event, ResponseBegan)]
    again = await manager.run("Hello", session="again", model="replay:chat")
    assert [event.seconds for event in await events_of(again) if isinstance(event, ResponseBegan)] == began
    assert began[0] > 0.02


@on_a_loop
async def test_replay_of_a_replay_names_the_model_that_answered_first(manager):
    await ask(manager)
    await replayed(manager)
    assert (await replayed(manager, session="third", recording="again")).model == "replay of calm"


@pytest.mark.parametrize(
    ("prompt", "difference"),
    [
        ("Hello\nyou", 'the nearest is turn 1: prompt line 2: "you" where the recording has no such line'),
        ("Help", 'the nearest is turn 1: prompt line 1: "Help" where the recording has "Hello"'),
        (" Hello", 'the nearest is turn 1: prompt line 1: " Hello" where the recording has "Hello"'),
        ("Hello\n", 'the nearest is turn 1: prompt line 1: "Hello⏎" where the recording has "Hello"'),
    ],
)
@on_a_loop
async def test_another_prompt_fails_with_the_nearest_one_and_the_first_difference(manager, prompt, difference):
    await ask(manager)
    result = await replayed(manager, prompt)
    assert (result.status, type(result.error)) == ("failed", ReplayError)
    assert difference in str(result.error)
    assert "\n" not in str(result.error)


@on_a_loop
async def test_nearest_prompt_is_the_one_whose_question_is_the_same_although_it_lacks_the_table(manager):
    await ask(manager, "Which row is odd?\n\n" + "12 34 56 78\n" * 50, "chat")
    await ask(manager, "Which one is old? Why?", "chat")
    result = await replayed(manager, "Which row is odd?")
    assert 'the nearest is turn 1: prompt line 2: is missing where the recording has ""' in str(result.error)


@on_a_loop
async def test_same_prompt_after_another_conversation_is_not_the_same_request(manager):
    await ask(manager, "Hello")
    await ask(manager, "Why?")
    result = await replayed(manager, "Why?")
    assert str(result.error) == (
        'the recording chat has the prompt "Why?", but not after what was said before: prompt line 1: "Why?" where the '
        'recording has "Hello"'
    )


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({"tools": []}, "the tool add is not offered, which the recording has"),
        ({"tools": [add, same_but_dead]}, "the tool same_but_dead is offered, which the recording does not have"),
        ({"settings": {"temperature": 1}}, "the setting temperature is 1 where the recording has 0"),
        ({"settings": {"temperature": 0, "seed": 7}}, "the setting seed is 7 where the recording has None"),
        ({"system": "Be kind"}, 'instructions line 1: "Be kind" where the recording has "Be brief"'),
        ({"output_type": int}, "the type of the answer is another one than in the recording"),
    ],
    ids=["less tools", "more tools", "setting", "more settings", "instructions", "type"],
)
@on_a_loop
async def test_what_else_is_asked_must_be_as_recorded(manager, options, difference):
    known = {"tools": [add], "settings": {"temperature": 0}, "system": "Be brief"}
    await ask(manager, **known)
    assert (await replayed(manager, **known)).text == "It is fine."
    result = await replayed(manager, session="other", **(known | options))
    assert difference in str(result.error)


@on_a_loop
async def test_another_definition_of_a_tool_is_told(manager):
    await ask(manager, tools=[add])
    changed = same_but_dead(add)
    changed.__doc__ = "Add two numbers, or more."
    assert "the tool add has another definition" in str((await replayed(manager, tools=[changed])).error)


@on_a_loop
async def test_calls_get_their_recorded_results_and_nothing_runs_or_asks(manager):
    def fails(why: str) -> str:
        """Fail."""
        raise ValueError(why)

    calls = [call("add", {"a": 1, "b": 2}), call("fails", {"why": "no luck"}), call("add", {"a": 5, "b": 5})]
    script("acts", calls, [call("add", {"a": 7, "b": 7})], "Done")
    turn = await manager.run("Go", session="chat", model="acts", tools=[add, fails], attended=True)
    for approval in (await asked(turn, 3)).values():
        turn.approvals.resolve(approval.id, "reject" if approval.args == {"a": 5, "b": 5} else "once", "too much")
    await until(lambda: turn.approvals.open)
    turn.approvals.resolve(turn.approvals.open[0].id, "once")
    recorded = returned(whole(await events_of(turn)))
    dead = [same_but_dead(add), same_but_dead(fails)]
    again = await manager.run("Go", session="again", model="replay:chat", tools=dead)
    events = whole(await events_of(again))
    assert sorted(returned(events)) == sorted(recorded)
    assert {outcome for _, outcome, _ in recorded} == {"success", "failed", "denied"}
    assert "approval_requested" not in {event.type for event in events}
    assert (await again.result()).text == "Done"


@on_a_loop
async def test_call_without_a_recorded_result_does_not_run(manager):
    ran = []

    def delete(name: str) -> str:
        """Delete a file."""
        ran.append(name)
        return "gone"

    script("acts", [call("delete", {"name": "x"})], hang())
    turn = await manager.run("Go", session="chat", model="acts", tools=[delete], attended=True)
    await asked(turn)
    turn.cancel()
    await turn.result()
    [stopped] = manager.sessions.load("chat").turns
    without = replace(stopped, messages=stopped.messages[:2])
    manager.store.update(manager.sessions.id_of("chat"), lambda session: replace(session, turns=(without,), head="1"))
    result = await replayed(manager, "Go", tools=[delete], yes=True)
    assert ran == []
    assert str(result.error) == (
        "the recording has no result of the call of delete in turn 1, for example because the turn was stopped; "
        "--live-tools runs the tools"
    )


@pytest.mark.parametrize("safety", ["balanced", "strict"])
@on_a_loop
async def test_turn_that_was_handed_over_is_answered_by_the_other_agent_again(safety):
    agents = {
        "root": AgentDefinition(name="root", model="boss", instructions="Lead.", handoffs={"tutor": "Teaches."}),
        "tutor": AgentDefinition(name="tutor", model="teacher", instructions="Teach."),
    }
    script("boss", ["One moment. ", call("handoff", {"agent": "tutor"})])
    teacher = script("teacher", "Listen.", "More.")
    manager = SessionManager(MemoryStore(), Models("calm"), agents)
    recorded = [await ask(manager, "Teach me"), await ask(manager, "Go on")]
    turn = await manager.run("Teach me", session="again", model="replay:chat", safety=safety, attended=True)
    events = whole(await events_of(turn))
    again = [await turn.result(), await ask(manager, "Go on", "again")]
    assert "approval_requested" not in {event.type for event in events}
    assert returned(events) == [("handoff", "success", "tutor takes over, and answers from here on.")]
    assert whole_messages(manager, "again") == whole_messages(manager, "chat")
    assert [result.text for result in again] == [result.text for result in recorded]
    assert [result.model for result in again] == ["replay of teacher"] * 2
    assert [turn.agent for turn in manager.sessions.load("again").turns] == ["tutor", "tutor"]
    assert len(teacher.sent) == 2


@on_a_loop
async def test_rule_against_a_recorded_hand_over_holds():
    agents = {
        "root": AgentDefinition(name="root", model="boss", handoffs={"tutor": "Teaches."}),
        "tutor": AgentDefinition(name="tutor", model="teacher"),
    }
    script("boss", [call("handoff", {"agent": "tutor"})])
    script("teacher", "Listen.")
    manager = SessionManager(MemoryStore(), Models("calm"), agents)
    await ask(manager, "Teach me")
    manager.sessions.set_permissions("again", {"handoff:agent=tutor": "deny"}, new=True)
    turn = await manager.run("Teach me", session="again", model="replay:chat")
    assert [outcome for _, outcome, _ in returned(whole(await events_of(turn)))] == ["denied"]
    assert isinstance((await turn.result()).error, ReplayError)
    assert manager.sessions.load("again").current_agent == "root"


@on_a_loop
async def test_agent_with_fallbacks_asks_no_model_for_what_a_recording_lacks():
    agents = {"root": AgentDefinition(name="root", model="calm", fallback=Fallback(("other",)))}
    other = script("other", "Here I am.")
    manager_on(MemoryStore())
    manager = SessionManager(MemoryStore(), Models("calm"), agents)
    await ask(manager)
    assert "does not have the prompt" in str((await replayed(manager, "Goodbye")).error)
    assert other.sent == []


@on_a_loop
async def test_model_in_an_alloy_with_a_recording_may_be_asked(manager):
    await ask(manager)
    both, other = (manager.models.resolve(each) for each in ("replay:chat,replay:chat", "replay:chat,calm"))
    assert (both.is_replay, other.is_replay) == (True, False)
    assert (await ask(manager, "Hello", "again", model="replay:chat,replay:chat", titles=True)).text == "It is fine."
    assert not is_replay(held_together([manager.models.resolve(each).model for each in ("replay:chat", "calm")]))


@pytest.mark.parametrize(("place", "name", "error"), [(0, "replay:chat", ReplayError), (1, "calm", type(None))])
@on_a_loop
async def test_only_the_chosen_member_of_an_alloy_with_a_recording_answers(manager, place, name, error):
    await ask(manager)
    manager.models.choose = lambda members: members[place]
    calm = script("calm", "Asked.")
    new = await ask(manager, "New", "again", model="replay:chat,calm")
    assert (type(new.error), len(calm.sent)) == (error, place)
    assert name in str(new.model)


@pytest.mark.parametrize(("live_tools", "safety"), [(False, "balanced"), (True, "balanced"), (False, "strict")])
@on_a_loop
async def test_sub_agents_are_not_asked_again_as_their_models_were_not_recorded(live_tools, safety):
    agents = {
        "root": AgentDefinition(name="root", model="boss", sub_agents={"helper": "Helps."}),
        "helper": AgentDefinition(name="helper", model="helps"),
    }
    task = {"agent": "helper", "task": "Count", "expected_output": "a number"}
    script("boss", [call("transfer_task", task)], "Done.")
    helps = script("helps", "Three.")
    manager = SessionManager(MemoryStore(), Models("calm"), agents)
    await ask(manager, "Go")
    options = {"live_tools": live_tools, "safety": safety, "attended": True}
    turn = await manager.run("Go", session="again", model="replay:chat", **options)
    events = whole(await events_of(turn))
    assert "approval_requested" not in {event.type for event in events}
    assert (await turn.result()).text == "Done."
    assert [content for _, _, content in returned(events)] == ["Three."]
    assert len(helps.sent) == 1


@on_a_loop
async def test_what_the_user_decided_on_a_call_is_stored_with_its_result(manager):
    script("acts", [call("add", {"a": 1, "b": 2}, call_id="c")], "Done")
    turn = await manager.run("Go", session="chat", model="acts", tools=[add], attended=True)
    [approval] = (await asked(turn)).values()
    turn.approvals.resolve(approval.id, "once")
    await turn.result()
    [result] = manager.sessions.load("chat").turns[0].messages[2]["parts"]
    assert result["metadata"]["decision"] == "once"
    assert result["metadata"]["why"] == approval.why


@on_a_loop
async def test_figures_that_tools_gave_to_the_model_are_part_of_what_is_compared(manager):
    def plot() -> ToolReturn:
        """Draw."""
        return ToolReturn("a figure", content=[BinaryContent(PNG, media_type="image/png")])

    script("draws", [call("plot", {})], "Done")
    await ask(manager, "Go", model="draws", tools=[plot], yes=True)
    assert (await replayed(manager, "Go", tools=[same_but_dead(plot)])).text == "Done"


@on_a_loop
async def test_what_a_call_displayed_is_shown_and_stored_again(manager):
    figure = {"data": {"text/plain": "a figure"}}

    def draw() -> str:
        """Draw."""
        current_turn.get().displayed[current_call.get()] = [figure]
        return "drawn"

    script("draws", [call("draw", {}, call_id="c")], "Done")
    await ask(manager, "Go", model="draws", tools=[draw], yes=True)
    turn = await manager.run("Go", session="again", model="replay:chat", tools=[same_but_dead(draw)])
    await turn.result()
    assert [block.displays for block in turn.transcript.blocks if isinstance(block, ToolBlock)] == [(figure,)]
    stored = transcript_of("again", manager.sessions.load("again").turns[0])
    assert stored.blocks == turn.transcript.blocks


@on_a_loop
async def test_structured_answer_that_did_not_fit_at_first_is_replayed(manager):
    script("typed", [call("final_result", {"value": "no"})], [call("final_result", {"value": 5})])
    await ask(manager, "Number?", model="typed", output_type=int)
    result = await replayed(manager, "Number?", output_type=int)
    assert (result.error, result.value) == (None, 5)


@on_a_loop
async def test_live_tools_run_and_may_give_other_results(manager):
    ran = []

    def clock() -> str:
        """Tell the time."""
        ran.append(len(ran))
        return f"it is {len(ran)}"

    script("asks", [call("clock", {})], "Done")
    await ask(manager, "Go", model="asks", tools=[clock], yes=True)
    result = await replayed(manager, "Go", tools=[clock], live_tools=True, yes=True, cell=Cell(id="one"))
    assert (result.text, ran) == ("Done", [0, 1])
    options = {"model": "replay:chat", "tools": [clock], "live_tools": True, "cell": Cell(id="one")}
    denied = await manager.run("Go", session="denied", safety="restricted", **options)
    events = await events_of(denied)
    assert (returned(events)[0][1], ran) == ("denied", [0, 1])


@on_a_loop
async def test_structured_answers_are_replayed(manager):
    script("typed", [call("final_result", {"value": [1, 2]})])
    first = await ask(manager, "Numbers?", model="typed", output_type=list[int])
    again = await replayed(manager, "Numbers?", output_type=list[int])
    assert (again.error, again.value) == (None, first.value) == (None, [1, 2])
    text = await replayed(manager, "Numbers?", session="text")
    assert "the type of the answer is another one" in str(text.error)


@on_a_loop
async def test_each_column_and_repeat_of_a_comparison_gets_its_own_answer(manager):
    counts = {"left": 0, "right": 0}

    def says(name):
        def step(_messages):
            counts[name] += 1
            return f"{name} {counts[name]}"

        return step

    for name in counts:
        script(name, says(name))
    both = [Contestant("left"), Contestant("right")]

    async def compare(session):
        comparison = await manager.compare(Request(prompt="Which?", session=session), both, repeat=2)
        await comparison.answers()
        turns = manager.sessions.load(session).turns
        return sorted((turn.column.label, turn.column.repeat, transcript_of(session, turn).text) for turn in turns)

    first = await compare("chat")
    configured.change("calm", {}, {}, replay="chat")
    assert await compare("again") == first
    assert sum(counts.values()) == 4


@on_a_loop
async def test_each_comparison_of_the_same_prompt_gets_its_own_repeats(manager):
    numbers = count(1)
    script("varies", *[lambda _messages: f"answer {next(numbers)}"] * 4)

    async def compare(cell, session):
        request = Request(prompt="Which?", session=session, cell=Cell(id=cell))
        comparison = await manager.compare(request, [Contestant("varies")], repeat=2)
        return [str(each) for each in await comparison.answers()]

    said = [await compare(cell, "chat") for cell in ("one", "two")]
    assert len({text for each in said for text in each}) == 4
    configured.change("calm", {}, {}, replay="chat")
    assert [await compare(cell, "again") for cell in ("one", "two", "one")] == [*said, said[0]]


@on_a_loop
async def test_more_runs_of_a_column_than_were_recorded_say_which_run_is_missing(manager):
    for session, repeat in (("chat", 2), ("again", 3)):
        request = Request(prompt="Which?", session=session)
        comparison = await manager.compare(request, [Contestant("calm")], repeat=repeat)
        await comparison.answers()
        configured.change("calm", {}, {}, replay="chat")
    errors = [turn.error for turn in manager.sessions.load("again").turns if turn.error]
    assert [error.partition(" only ")[2] for error in errors] == [
        "twice, and this is run 3 of it; ask as it was recorded"
    ]


@on_a_loop
async def test_further_cells_with_the_same_prompt_get_further_answers_and_a_rerun_the_same(manager):
    answers = iter(["first", "second"])
    script("varies", lambda _messages: next(answers))
    await ask(manager, model="varies")
    session = manager.sessions.load("chat")
    manager.store.update(session.id, lambda stored: replace(stored, head=None))
    await ask(manager, model="varies")
    manager.store.update(session.id, lambda stored: replace(stored, head=None))

    async def from_cell(cell, session):
        result = await replayed(manager, session=session, cell=Cell(id=cell))
        return result.text or str(result.error)

    assert await from_cell("one", "a") == "first"
    assert await from_cell("two", "b") == "second"
    assert await from_cell("one", "c") == "first"
    assert "only twice, and these answers were given already; run a cell" in await from_cell("three", "d")


@on_a_loop
async def test_only_the_path_to_the_head_is_replayed(manager):
    answers = iter(["a slip", "the good one", "more"])
    script("varies", lambda _messages: next(answers))
    await ask(manager, "Hello", model="varies")
    await ask(manager, "Hello", model="varies", after="root")
    await ask(manager, "Go on")
    assert [(await replayed(manager, prompt)).text for prompt in ("Hello", "Go on")] == ["the good one", "more"]


@on_a_loop
async def test_answer_that_was_stopped_is_no_answer(manager):
    turn = await manager.run("Hello", session="chat", model="hang")
    async for event in turn.events():
        if event.type == "text_delta":
            break
    turn.cancel()
    await turn.result()
    assert "has no answers" in str((await replayed(manager)).error)


@on_a_loop
async def test_model_without_tools_is_replayed_where_tools_are_offered(manager):
    register_model("plain", acts("Hi", profile={"supports_tools": False}))
    await ask(manager, model="plain", tools=[add])
    assert (await replayed(manager, tools=[add])).text == "Hi"


@on_a_loop
async def test_nothing_is_connected_to_while_a_recording_answers(manager, monkeypatch):
    await ask(manager, "Hello")

    def refuse(*_):
        raise AssertionError("a connection was opened")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    configured.change("openai:gpt-5.2", {"lab": "http://127.0.0.1:9/v1"}, {}, replay="chat")
    assert (await ask(manager, "Hello", "again")).text == "It is fine."
    assert isinstance((await ask(manager, "New", "again")).error, ReplayError)
    await in_thread(manager.models.look_around)
    assert [offer.note for offer in manager.models.offers() if offer.model == "auto"] == [
        "the recording chat answers in place of all models (AgentMagics.replay)"
    ]


@on_a_loop
async def test_a_miss_in_a_long_recording_is_told_at_once():
    said_before = [Said("prompt", "Hi")]
    answers = [
        Answer(turn=str(number), parent=None, prompt=f"{'word ' * 300}{number}", reference="m", own=tuple(said_before),
               settings={}, system="", record=RequestRecord(agent="a", model="m"), response={}, results={})
        for number in range(5_000)
    ]  # fmt: skip
    recording = Recording("it", answers, lambda _: ())
    began = time.process_time()
    with pytest.raises(ReplayError, match=r"the nearest is turn \d+: prompt line 1: \"…word word word word 4"):
        recording.find(Wanted(said=(Said("prompt", f"{'word ' * 300}43210"),), offered=None), "me")
    assert time.process_time() - began < 5


def test_answers_to_equal_prompts_are_told_apart_without_reading_what_was_said_before_each():
    read = []

    def before(turn):
        read.append(turn)
        return tuple(Said("prompt", "Go on") for _ in range(int(turn or 0)))

    answers = [
        Answer(turn=str(number + 1), parent=str(number) if number else None, prompt="Go on", reference="m",
               own=(Said("prompt", "Go on"),), settings={}, system="", record=RequestRecord(agent="a", model="m"),
               response={}, results={})
        for number in range(100)
    ]  # fmt: skip
    recording = Recording("it", answers, before)
    wanted = [Wanted(said=(Said("prompt", "Go on"),) * (number + 1), offered=None) for number in range(100)]
    assert [recording.find(each, f"cell {place}").turn for place, each in enumerate(wanted)] == [
        answer.turn for answer in answers
    ]
    assert len(read) <= 3 * len(answers)


@on_a_loop
async def test_each_text_of_a_long_conversation_is_made_comparable_once(manager, monkeypatch):
    looked_at = []
    monkeypatch.setattr(
        "sessionmagic.models.said.without_machine", lambda text: looked_at.append(text) or without_machine(text)
    )
    prompts = [f"Question {number} of many" for number in range(20)]
    for prompt in prompts:
        await ask(manager, prompt)
    for prompt in prompts:
        await replayed(manager, prompt)
    assert len(looked_at) <= 4 * len(prompts)


@on_a_loop
async def test_turns_of_a_replayed_session_share_a_model_so_that_their_history_is_prepared_once(manager):
    await ask(manager)
    models = [manager.models.resolve("replay:chat").model for _ in range(2)]
    assert models[0] is models[1]


@on_a_loop
async def test_unknown_recording_is_refused_before_anything_is_stored(manager):
    with pytest.raises(ModelReferenceError, match="no session or file is called 'nobody'"):
        await replayed(manager, recording="nobody")
    assert manager.store.summaries() == ([], [])


@on_a_loop
async def test_no_model_answers_in_place_of_a_recording_that_is_gone(manager):
    await ask(manager)
    default = script("calm", "Not recorded.")
    await replayed(manager, cell=Cell(id="one"))
    manager.sessions.rename("chat", "lesson")
    with pytest.raises(ModelReferenceError, match=r"^no session or file is called 'chat'"):
        await ask(manager, "Hello", "again")
    configured.change("calm", {}, {}, replay="chat")
    with pytest.raises(ModelReferenceError, match=r"^AgentMagics\.replay: no session or file is called 'chat'"):
        await ask(manager, "Hello", "new")
    manager.sessions.rename("lesson", "chat")
    assert (await ask(manager, "Hello", "new", cell=Cell(id="one"))).text == "It is fine."
    assert default.sent == []


@on_a_loop
async def test_setting_that_names_no_recording_is_named_in_the_error(manager):
    configured.change("calm", {}, {}, replay="nobody")
    with pytest.raises(ModelReferenceError, match=r"^AgentMagics\.replay: no session or file is called 'nobody'"):
        await ask(manager, model="calm")


@on_a_loop
async def test_notebook_that_came_without_its_recording_says_where_to_put_it(manager, tmp_path):
    file = tmp_path / "lesson.jsonl"
    configured.change("calm", {}, {}, replay=str(file))
    with pytest.raises(ModelReferenceError) as raised:
        await ask(manager, model="calm")
    assert str(raised.value) == (
        f"AgentMagics.replay: cannot replay {file}: there is no such file in {tmp_path}; put it there, or let models "
        "answer with %config AgentMagics.replay = ''"
    )


@on_a_loop
async def test_request_that_was_recorded_once_says_so_to_a_second_cell(manager):
    await ask(manager)
    await replayed(manager, session="a", cell=Cell(id="one"))
    second = await replayed(manager, session="b", cell=Cell(id="two"))
    assert str(second.error).endswith(
        'has the prompt "Hello" only once, and that answer was given already; run the cell that has it, or restart the '
        "kernel to begin anew"
    )


@on_a_loop
async def test_setting_replays_whatever_model_is_named_also_where_it_cannot_be_used(manager):
    await ask(manager)
    configured.change("openai:gpt-5.2", {}, {}, replay="chat")
    for number, model in enumerate(("anthropic:claude-sonnet-4-5", "unknown:thing", "a:b,c:d", "auto", "")):
        result = await ask(manager, session=f"with {number}", model=model, cell=Cell(id="same"))
        assert (result.text, result.error) == ("It is fine.", None)


@on_a_loop
async def test_answers_of_the_model_that_the_turn_names_come_first(manager):
    script("other", "from other")
    await ask(manager, model="calm")
    session = manager.sessions.load("chat")
    manager.store.update(session.id, lambda stored: replace(stored, head=None))
    await ask(manager, model="other")
    manager.store.update(session.id, lambda stored: replace(stored, head=None))
    configured.change("calm", {}, {}, replay="chat")
    assert (await ask(manager, session="b", model="other")).text == "from other"
    assert (await ask(manager, session="a", model="calm")).text == "It is fine."


@on_a_loop
async def test_budget_of_a_replayed_session_is_not_spent(manager):
    await ask(manager)
    result = await replayed(manager, budget=0.0001)
    assert (result.status, result.cost) == ("completed", 0.0)


@on_a_loop
async def test_messages_to_a_running_turn_are_replayed_and_not_sent_twice(manager):
    def wait() -> str:
        """Wait."""
        turn.inbox.accept("steer", ["To the left!"])
        turn.inbox.accept("queue", ["And then?"])
        return "waited"

    script("acts", call("wait"), "Left.", "Then right.")
    turn = await manager.run("Go", session="chat", model="acts", tools=[wait], yes=True)
    recorded = returned(whole(await events_of(turn)))
    again = await manager.run("Go", session="again", model="replay:chat", tools=[same_but_dead(wait)])
    events = whole(await events_of(again))
    assert returned(events) == recorded
    assert [event.text for event in events if isinstance(event, MessageInjected)] == ["To the left!", "And then?"]
    assert (await again.result()).text == "Left.\n\nThen right."
    assert whole_messages(manager, "again") == whole_messages(manager, "chat")
    assert await manager.turns.steer("again", "To the left!") is again
    request = Request(prompt="And then?", session="again")
    assert await manager.queue(request) is again
    with pytest.raises(SessionIdleError):
        await manager.turns.steer("again", "To the left!")
    assert len(manager.sessions.load("again").turns) == 1


@on_a_loop
async def test_message_that_the_user_sends_again_before_the_recording_does_is_sent_once(manager):
    def wait() -> str:
        """Wait."""
        turn.inbox.accept("steer", ["To the left!"])
        return "waited"

    script("acts", call("wait"), "Left.")
    turn = await manager.run("Go", session="chat", model="acts", tools=[wait], yes=True)
    await turn.result()
    again = await manager.run("Go", session="again", model="replay:chat", tools=[same_but_dead(wait)])
    await manager.turns.steer("again", "To the left!")
    assert (await again.result()).text == "Left."


@on_a_loop
async def test_message_that_the_recorded_turn_did_not_get_is_another_request(manager):
    await ask(manager)
    turn = await manager.run("Hello", session="again", model="replay:chat")
    turn.inbox.accept("steer", ["To the left!"])
    assert 'does not have the prompt "To the left!"' in str((await turn.result()).error)


def test_without_sessions_there_is_nothing_to_replay():
    with pytest.raises(ModelReferenceError, match="there are no sessions here, so 'lesson' cannot be replayed"):
        Models("test").check("replay:lesson")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("chat", "chat"),
        ("lesson.jsonl", str(Path("lesson.jsonl").absolute())),
        ("~nobody-x/a.jsonl", "~nobody-x/a.jsonl"),
    ],
)
def test_recording_has_a_whole_path_if_it_is_a_file(name, path):
    assert whole_path(name) == path


def test_folder_of_an_unknown_user_has_no_recordings():
    assert files_beside("~nobody-x/") == []
