"""A request that is the same as that of a stored turn: its answer is shown, and nothing is asked."""

from dataclasses import replace

import pytest
from pydantic_ai.exceptions import ModelHTTPError

from sessionmagic import ROOT, Attachment, Cell, MemoryStore, TinyStore
from sessionmagic.conversation.events import (
    MessageInjected,
    ReasoningDelta,
    TextDelta,
    ToolReturned,
    TurnStarted,
    Warned,
)
from sessionmagic.conversation.usage import Usage
from sessionmagic.testing import call, script, think
from sessionmagic.tools.functions import Tool
from sessionmagic.turns.turn import current_call, current_turn
from tests.turns import ask, events_of, manager_on, on_a_loop, whole

pytestmark = pytest.mark.usefixtures("asked")


@pytest.fixture
def asked():
    """How often the model `counts` was asked; it answers with that number."""
    asked = []

    def count(messages):
        asked.append(messages)
        return f"answer {len(asked)}"

    script("counts", count)
    return asked


def path_of(manager):
    return [turn.id for turn in manager.sessions.load("chat").path()]


async def again(manager, prompt="Hello", **options):
    return await ask(manager, prompt, **{"model": "counts", "reuse": True, "cell": Cell(id=prompt)} | options)


@on_a_loop
async def test_unchanged_request_gets_the_stored_answer(manager, asked):
    first = await again(manager)
    second = await again(manager)
    assert (first.text, first.reused) == ("answer 1", False)
    assert (second.text, second.reused, second.number, second.usage) == ("answer 1", True, 1, first.usage)
    assert (second.seconds, second.first_token) == (first.seconds, first.first_token)
    assert second.elapsed >= second.seconds
    assert len(asked) == 1
    assert path_of(manager) == ["1"]


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "Hello?", "cell": Cell(id="Hello")},
        {"attachments": [Attachment(name="a.txt", content="text")]},
        {"model": "calm"},
        {"settings": {"temperature": 0}},
        {"system": "Be kind."},
        {"tools": [len]},
        {"after": "1"},
    ],
    ids=lambda change: next(iter(change)),
)
@on_a_loop
async def test_changed_request_is_asked(manager, change):
    if "tools" in change:

        def add(a: int) -> int:
            return a

        change = {"tools": [add]}
    await again(manager)
    result = await again(manager, **change)
    assert not result.reused
    assert result.turn == "2"


@on_a_loop
async def test_changed_function_is_a_change(manager):
    def first(a: int) -> int:
        """Add."""
        return a + 1

    def second(a: int) -> int:
        """Add."""
        return a + 2

    second.__name__ = "first"
    await again(manager, tools=[first])
    assert (await again(manager, tools=[first])).reused
    assert not (await again(manager, tools=[second])).reused


@on_a_loop
async def test_turn_that_did_not_complete_is_never_reused(manager):
    script("fails", ["So far", RuntimeError("it broke")])
    for _ in range(2):
        result = await again(manager, model="fails")
        assert (result.status, result.reused) == ("failed", False)


@on_a_loop
async def test_notebook_that_runs_from_the_top_asks_only_from_the_first_change_on(manager):
    for prompt in ("a", "b", "c"):
        await again(manager, prompt)
    results = [await again(manager, prompt, cell=Cell(id=prompt.lower())) for prompt in ("a", "B", "c")]
    assert [result.reused for result in results] == [True, False, False]
    assert path_of(manager) == ["1", "4", "5"]
    results = [await again(manager, prompt) for prompt in ("a", "b", "c")]
    assert [result.reused for result in results] == [True, True, True]
    assert path_of(manager) == ["1", "2", "3"]


@on_a_loop
async def test_new_cell_is_asked_in_its_place_and_so_are_those_after_it(manager):
    for prompt in ("a", "b", "c"):
        await again(manager, prompt)
    results = [await again(manager, prompt) for prompt in ("a", "new", "b", "c")]
    assert [result.reused for result in results] == [True, False, False, False]
    assert path_of(manager) == ["1", "4", "5", "6"]


@on_a_loop
async def test_reused_turn_says_which_turns_it_sets_aside(manager):
    for prompt in ("a", "b", "c"):
        await again(manager, prompt)
    turns = [
        await manager.run(prompt, session="chat", model="counts", reuse=True, cell=Cell(id=prompt)) for prompt in "ab"
    ]
    marks = [f"the stored answer of turn {number}, not asked again" for number in (1, 2)]
    aside = "2 turns set aside: %agent use chat@3 goes back"
    assert [turn.transcript.remark for turn in turns] == [f"{marks[0]}; {aside}", marks[1]]
    assert path_of(manager) == ["1", "2"]


@on_a_loop
async def test_turn_for_which_a_summary_was_made_is_reused_too(manager):
    def refuses(messages):
        if "Summarize the conversation" in str(messages[-1]):
            return "In short."
        short = len(messages) < 5 or "In short." in str(messages)
        return "Fine." if short else ModelHTTPError(400, "small", {"message": "maximum context length is 9"})

    script("small", refuses)
    runs = [[await again(manager, prompt, model="small") for prompt in prompts] for prompts in ("abcd", "abCd", "abCd")]
    assert [[result.reused for result in run] for run in runs] == [[False] * 4, [True, True, False, False], [True] * 4]
    assert path_of(manager) == ["1", "2", "7", "6", "8"]
    manager.branches.move_head("chat", "4")
    assert not (await again(manager, "new", model="small")).reused
    manager.branches.move_head("chat", "2")
    assert (await again(manager, "new", model="small")).reused


@on_a_loop
async def test_summary_that_was_asked_for_is_reused(manager):
    for _ in range(2):
        for prompt in ("a", "b"):
            await again(manager, prompt)
        await (await manager.compact("chat", reuse=True)).result()
        await again(manager, "c")
    assert path_of(manager) == ["1", "2", "3", "4"]


@on_a_loop
async def test_notebook_without_ids_reuses_from_the_beginning(manager):
    runs = [
        [await again(manager, prompt, cell=None, after=ROOT if prompt == "a" else None) for prompt in ("a", "b")]
        for _ in range(2)
    ]
    assert [[result.reused for result in run] for run in runs] == [[False, False], [True, True]]
    assert path_of(manager) == ["1", "2"]


@on_a_loop
async def test_answer_of_a_branch_is_shown_again_and_becomes_the_head(manager):
    for prompt in ("a", "b"):
        await again(manager, prompt)
    await again(manager, "a", cell=Cell(id="a"), settings={"seed": 7})
    assert path_of(manager) == ["3"]
    assert (await again(manager, "a")).reused
    assert path_of(manager) == ["1"]
    assert (await again(manager, "b")).reused
    assert path_of(manager) == ["1", "2"]


@on_a_loop
async def test_override_is_what_it_would_be_after_asking(manager):
    await again(manager)
    manager.sessions.set_model("chat", "calm")
    assert (await again(manager)).reused
    assert manager.sessions.load("chat").agent_model_overrides == {"assistant": "counts"}


@on_a_loop
async def test_reused_turn_tells_its_story_and_marks_it(manager):
    def look(at: str) -> str:
        return f"saw {at}"

    script("looks", call("look", at="x"), "Done.")
    options = {"model": "looks", "tools": [look], "yes": True}
    await again(manager, **options)
    turn = await manager.run("Hello", session="chat", reuse=True, cell=Cell(id="Hello"), **options)
    events = whole(await events_of(turn))
    [started] = [event for event in events if isinstance(event, TurnStarted)]
    assert started.remark == "the stored answer of turn 1, not asked again; its tool calls were not run again"
    assert [event.content for event in events if isinstance(event, ToolReturned)] == ["saw x"]
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["Done."]
    assert (turn.transcript.remark, turn.transcript.notes) == (started.remark, started.notes)
    assert turn.transcript.text == "Done."
    assert turn.finished
    assert turn.transcript.usage != Usage()


@pytest.mark.parametrize(("displayed", "reused"), [([{"data": {"text/html": "<b>x</b>"}}], True), (None, False)])
@on_a_loop
async def test_turn_that_has_displayed_too_much_to_be_stored_is_asked_again(manager, displayed, reused):
    def draw() -> str:
        current_turn.get().displayed[current_call.get()] = displayed
        return "drawn"

    def draws(messages):
        return "Done." if messages[-1].parts[-1].part_kind == "tool-return" else call("draw")

    script("draws", draws)
    await again(manager, model="draws", tools=[draw], yes=True)
    [result] = [
        part
        for message in manager.sessions.load("chat").turns[0].messages
        for part in message["parts"]
        if part["part_kind"] == "tool-return"
    ]
    assert result["metadata"]["displays"] == displayed
    assert (await again(manager, model="draws", tools=[draw], yes=True)).reused == reused


@on_a_loop
async def test_session_is_free_after_a_reused_turn_and_in_another_process(home):
    await again(manager_on(home))
    other = manager_on(TinyStore(home))
    assert (await again(other)).reused
    assert (await ask(other, "More", model="calm")).status == "completed"


@on_a_loop
async def test_reused_turn_tells_reasoning_warnings_and_messages_too(manager):
    script("thinks", think("hm"), "Done.")
    await again(manager, model="thinks")
    added = {"parts": [{"part_kind": "user-prompt", "content": "Be brief."}], "kind": "request"}

    def edited(session):
        turn = session.turns[0]
        turn = replace(turn, messages=[*turn.messages, added], warnings=["mind this"])
        return replace(session, turns=(turn,))

    manager.store.update(manager.sessions.id_of("chat"), edited)
    turn = await manager.run("Hello", session="chat", reuse=True, model="thinks", cell=Cell(id="Hello"))
    events = whole(await events_of(turn))
    told = [event.text for event in events if isinstance(event, ReasoningDelta | Warned | MessageInjected)]
    assert told == ["mind this", "hm", "Be brief."]


@on_a_loop
async def test_tool_that_is_not_the_users_is_compared_by_name_and_signature(manager):
    offered = Tool(name="size", function=len, source="the kernel")
    await again(manager, tools=[offered])
    assert (await again(manager, tools=[offered])).reused


@on_a_loop
async def test_answer_is_not_reused_after_the_named_model_of_an_agents_file_has_changed():
    def file(model):
        return {"models": {"quick": {"first_available": [model]}}, "agents": {"root": {"model": "quick"}}}

    script("one", "One.")
    script("two", "Two.")
    manager = manager_on(MemoryStore())
    for model, text, reused in (("one", "One.", False), ("one", "One.", True), ("two", "Two.", False)):
        manager.agents.load(file(model))
        result = await ask(manager, cell=Cell(id="a"), reuse=True)
        assert (result.text, result.reused) == (text, reused)
