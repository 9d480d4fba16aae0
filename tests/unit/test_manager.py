"""A turn's way through the manager: how it completes, fails, is stopped, and goes on."""

import asyncio
import threading

import pytest

from sessionmagic import Attachment, Cell
from sessionmagic.conversation.events import TextDelta, UsageReported
from sessionmagic.exceptions import (
    PromptError,
    SessionIdleError,
    SessionUnreadableError,
    StoreError,
    ToolError,
    TurnFailedError,
    TurnTimeoutError,
    UsageError,
)
from sessionmagic.loop import loop_thread
from sessionmagic.testing import script
from tests.clock import on_a_clock, passes
from tests.turns import ask, events_of, on_a_loop, prompts, said, statuses, whole


@on_a_loop
async def test_turn_that_completes(manager):
    turn = await manager.run("Hello", session="chat", cell=Cell(id="cell-1"))
    assert prompts(manager.sessions.load("chat")) == ["Hello"]
    events = whole(await events_of(turn))
    result = await turn.result()
    assert (events[0].prompt, events[0].model, events[0].session, events[0].cell_id) == (
        "Hello",
        "calm",
        "chat",
        "cell-1",
    )
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["It is ", "fine."]
    assert any(isinstance(event, UsageReported) for event in events)
    assert (events[-1].status, events[-1].error) == ("completed", None)
    assert (result.status, str(result), result.error, result.turn, result.session) == (
        "completed",
        "It is fine.",
        None,
        "1",
        "chat",
    )
    assert result.usage.output_tokens > 0
    assert [message.kind for message in result.messages] == ["request", "response"]
    [record] = manager.sessions.load("chat").turns
    assert (record.status, record.model, record.cell_id, record.messages) == (
        "completed",
        "calm",
        "cell-1",
        result.raw_messages,
    )
    assert record.started_at <= record.finished_at
    assert turn.finished
    assert manager.turns.running() == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoreError("the disk is full"), "store_error"),
        (SessionUnreadableError("it is damaged"), "store_error"),
        (SessionIdleError("no turn runs"), "session_idle_error"),
        (ToolError("it is no tool"), "tool_error"),
        (UsageError("no such option"), "usage_error"),
    ],
    ids=str,
)
@on_a_loop
async def test_error_of_ours_ends_a_turn_as_it_is_with_a_code_of_its_kind(manager, error, code):
    script("raises", error)
    turn = await manager.run("Hello", session="chat", model="raises")
    events = whole(await events_of(turn))
    assert (events[-1].status, events[-1].error_code, events[-1].error) == ("failed", code, str(error))
    assert (await turn.result()).error is error


@on_a_loop
async def test_turn_that_fails_before_the_first_word_is_asked_once_not_twice(manager):
    await ask(manager, "First")
    turn = await manager.run("Second", session="chat", model="dumb")
    events = whole(await events_of(turn))
    result = await turn.result()
    assert (events[-1].status, events[-1].error_code) == ("failed", "model_error")
    assert isinstance(result.error, TurnFailedError)
    assert events[-1].error == str(result.error) == "dumb: RuntimeError: it broke"
    session = manager.sessions.load("chat")
    assert (session.head, statuses(session)) == ("1", ["completed", "failed"])
    assert session.turn("2").error == str(result.error)
    again = await ask(manager, "Second", model="recalls")
    assert again.text.count("Second") == 1


@on_a_loop
async def test_turn_that_fails_in_the_middle_keeps_what_was_said(manager):
    turn = await manager.run("First", session="chat", model="breaks")
    whole(await events_of(turn))
    result = await turn.result()
    assert (result.status, result.text) == ("failed", "So far")
    again = await ask(manager, "Second", model="recalls")
    assert again.text == "user-prompt: First\ntext: So far\nuser-prompt: Second"
    assert [turn.id for turn in manager.sessions.load("chat").path()] == ["1", "2"]


@pytest.mark.parametrize("error", [ValueError(""), KeyError("x"), OSError(5, "io"), AssertionError(), TimeoutError()])
@on_a_loop
async def test_model_may_fail_in_any_way(manager, error):
    script("fails", error)
    turn = await manager.run("Hello", session="chat", model="fails")
    events = whole(await events_of(turn))
    assert events[-1].status == "failed"
    assert events[-1].error.startswith("fails: ")
    assert events[-1].error.isprintable()
    assert (await ask(manager, model="calm")).status == "completed"


@on_a_loop
async def test_model_that_gives_itself_up_has_not_completed_its_answer(manager):
    script("gives up", ["So far", asyncio.CancelledError()])
    turn = await manager.run("Hello", session="chat", model="gives up")
    events = whole(await events_of(turn))
    assert events[-1].status in {"failed", "interrupted"}
    assert (await turn.result()).text == "So far"


@on_a_loop
async def test_cancelled_turn_keeps_what_was_said_and_goes_on_from_there(manager):
    turn = await manager.run("First", session="chat", model="hang")
    await said(turn)
    turn.cancel()
    events = whole(await events_of(turn))
    result = await turn.result()
    assert turn.transcript.warnings == ()  # the model has ended
    assert (events[-1].status, events[-1].error_code, events[-1].error) == ("interrupted", "cancelled", None)
    assert (result.status, result.text, result.error) == ("interrupted", "So far", None)
    [record] = manager.sessions.load("chat").turns
    assert (record.status, record.messages[-1]["state"]) == ("interrupted", "interrupted")
    again = await ask(manager, "Second", model="recalls")
    assert again.text == "user-prompt: First\ntext: So far\nuser-prompt: Second"


@on_a_loop
async def test_turn_may_be_cancelled_at_once_and_any_number_of_times(manager):
    turn = await manager.run("Hello", session="chat", model="hang")
    turn.cancel()
    turn.cancel()
    whole(await events_of(turn))
    assert (await turn.result()).status == "interrupted"
    turn.cancel()
    assert statuses(manager.sessions.load("chat")) == ["interrupted"]
    assert manager.sessions.load("chat").head == "1"


@on_a_loop
async def test_cancelling_an_ended_turn_does_nothing_to_the_next(manager, gate):
    first = await manager.run("First", session="chat")
    await first.result()
    second = await manager.run("Second", session="chat", model="gate")
    first.cancel()
    gate.open.set()
    assert (await second.result()).text == "before after"
    assert (await first.result()).status == "completed"


@on_a_loop
async def test_turn_may_be_cancelled_from_another_thread(manager):
    turn = await manager.run("Hello", session="chat", model="hang")
    await said(turn)
    threading.Thread(target=turn.cancel).start()
    assert await asyncio.to_thread(turn.wait, 30)
    assert (await turn.result()).status == "interrupted"


@on_a_clock
async def test_turn_that_takes_too_long_fails_and_keeps_what_was_said(manager):
    turn = await manager.run("First", session="chat", model="hang", timeout=20)
    await said(turn)
    await passes(10)
    assert not turn.finished
    await passes(10.2)
    events = whole(await events_of(turn))
    result = await turn.result()
    assert isinstance(result.error, TurnTimeoutError)
    assert (events[-1].status, events[-1].error_code, result.text) == ("failed", "timeout", "So far")
    assert manager.sessions.load("chat").head == "1"


@on_a_loop
async def test_history_that_is_sent_is_the_path(manager):
    await ask(manager, "One")
    await ask(manager, "Two", model="dumb", once=True)
    await ask(manager, "Three", model="breaks", once=True)
    result = await ask(manager, "Four", model="recalls")
    assert result.text.splitlines() == [
        "user-prompt: One",
        "text: It is fine.",
        "user-prompt: Three",
        "text: So far",
        "user-prompt: Four",
    ]


@on_a_loop
async def test_attachments_are_sent_after_the_prompt_and_remembered(manager):
    image = Attachment(name="plot.png", content=b"\x89PNG", media_type="image/png")
    result = await ask(manager, "Look", attachments=[Attachment(name="notes", content="buy milk"), image])
    prompt, notes, picture = result.messages[0].parts[0].content
    assert (prompt, notes) == ("Look", "notes:\n\nbuy milk")
    assert (picture.data, picture.media_type) == (b"\x89PNG", "image/png")
    assert manager.sessions.load("chat").turns[0].messages == result.raw_messages
    assert (await ask(manager, "And now?")).status == "completed"


def test_loop_that_closes_under_a_turn_leaves_it_interrupted_with_what_was_said(manager):
    async def scenario():
        turn = await manager.run("Hello", session="chat", model="hang")
        await said(turn)

    asyncio.run(scenario())
    [record] = manager.sessions.load("chat").turns
    assert (record.status, record.messages[-1]["parts"][0]["content"]) == ("interrupted", "So far")
    assert asyncio.run(ask(manager, "Next", model="calm")).status == "completed"


def test_synchronous_face_returns_the_result_and_raises_the_failure(manager):
    assert str(manager.run_sync("Hello", session="chat")) == "It is fine."
    with pytest.raises(TurnFailedError, match="it broke"):
        manager.run_sync("Hello", session="chat", model="breaks")
    with pytest.raises(PromptError):
        manager.run_sync("", session="chat")
    assert statuses(manager.sessions.load("chat")) == ["completed", "failed"]


@on_a_loop
async def test_synchronous_face_is_refused_on_the_loop_of_the_turns(manager):
    async def inside():
        with pytest.raises(RuntimeError, match="await the asynchronous method"):
            manager.run_sync("Hello", session="chat")

    await asyncio.wrap_future(loop_thread().submit(inside()))
