"""What the user says to a turn while it runs: steering, and messages for when it is done."""

import asyncio

import pytest

from sessionmagic import register_model
from sessionmagic.conversation.events import MessageInjected, ToolCalled, Warned
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.exceptions import InboxFullError, PromptError, SessionIdleError, SessionNotFoundError, StoreError
from sessionmagic.testing import script
from sessionmagic.turns.inbox import SIZES, Inbox
from sessionmagic.turns.request import Request
from tests.scripted import acts
from tests.turns import acting, events_of, on_a_loop, until


class Run:
    """A run that notes down what it is handed."""

    def __init__(self):
        self.handed = []

    def send(self, text, _kind):
        self.handed.append(text)
        return f"delivery of {text}"

    def take_back(self, delivery):
        self.handed.remove(delivery.removeprefix("delivery of "))
        return True


def inbox_of(run):
    inbox = Inbox()
    inbox.open(run.send, run.take_back)
    return inbox


def test_all_steering_is_handed_over_and_then_the_queue_one_at_a_time():
    run = Run()
    inbox = inbox_of(run)
    inbox.accept("queue", ["first", "second"])
    assert run.handed == ["first"]
    inbox.accept("steer", ["left", "right"])
    assert run.handed == ["left", "right"]
    assert inbox.delivered("delivery of left").kind == "steer"
    assert run.handed == ["left", "right"]
    assert inbox.delivered("delivery of right").kind == "steer"
    assert run.handed == ["left", "right", "first"]
    assert inbox.delivered("delivery of first").text == "first"
    assert run.handed == ["left", "right", "first", "second"]
    assert inbox.waiting == ["second"]


def test_what_is_delivered_already_cannot_be_taken_back():
    run = Run()
    inbox = Inbox()
    inbox.open(run.send, lambda _: False)
    inbox.accept("queue", ["first"])
    inbox.accept("steer", ["left"])
    assert inbox.delivered("delivery of first").text == "first"
    assert inbox.delivered("delivery of left").text == "left"
    assert run.handed == ["first", "left"]


def test_what_comes_before_the_run_has_begun_waits_for_it():
    inbox, run = Inbox(), Run()
    inbox.accept("steer", ["early"])
    assert inbox.waiting == ["early"]
    inbox.open(run.send, run.take_back)
    assert run.handed == ["early"]


@pytest.mark.parametrize("kind", ["steer", "queue"])
def test_more_than_fits_is_refused_whole(kind):
    inbox = inbox_of(Run())
    inbox.accept(kind, ["x"] * (SIZES[kind] - 1))
    with pytest.raises(InboxFullError):
        inbox.accept(kind, ["one", "two"])
    assert len(inbox.waiting) == SIZES[kind] - 1
    inbox.accept(kind, ["one"])


def test_unknown_delivery_is_nobodys():
    assert inbox_of(Run()).delivered("of nothing") is None


def test_closed_inbox_takes_nothing_and_gives_back_what_waits():
    inbox = inbox_of(Run())
    inbox.accept("queue", ["first", "second"])
    assert inbox.close() == ["first", "second"]
    with pytest.raises(SessionIdleError):
        inbox.accept("steer", ["late"])


def test_run_that_has_just_ended_refuses_and_keeps_the_inbox_as_it_was():
    def send(*_):
        raise SessionIdleError("the turn has just ended")

    inbox = Inbox()
    inbox.open(send, None)
    with pytest.raises(SessionIdleError):
        inbox.accept("steer", ["late"])
    assert inbox.waiting == []


def question(prompt, session="chat", **options):
    return Request(prompt=prompt, session=session, **options)


class Waits:
    """A tool that waits until the test lets it go on."""

    def __init__(self):
        self.go_on = asyncio.Event()

    async def wait(self) -> str:
        """Wait."""
        await self.go_on.wait()
        return "waited"


async def waiting_turn(manager, *answers, **options):
    """A turn whose tool waits, and the model that will answer."""
    tool = Waits()
    turn, model = await acting(manager, [("wait", {})], *answers, tools=[tool.wait], yes=True, **options)
    async for event in turn.events():
        if isinstance(event, ToolCalled):
            return turn, tool, model
    raise AssertionError("the tool was not called")


def prompts(messages):
    return [part.content for message in messages for part in message.parts if part.part_kind == "user-prompt"]


@on_a_loop
async def test_steering_reaches_the_next_request_and_the_queue_is_asked_one_by_one(manager):
    turn, tool, model = await waiting_turn(manager, "First.", "Second.", "Third.")
    await manager.queue(question("And A?"))
    await manager.queue(question("And B?"))
    await manager.turns.steer("chat", "Be brief.", "In French.")
    assert manager.sessions.load("chat").turns[0].waiting == ["And A?", "And B?", "Be brief.", "In French."]
    tool.go_on.set()
    events = await events_of(turn)
    injected = [(event.kind, event.text) for event in events if isinstance(event, MessageInjected)]
    assert injected == [("steer", "Be brief."), ("steer", "In French."), ("queue", "And A?"), ("queue", "And B?")]
    assert [prompts(messages) for messages in model.sent] == [
        ["Go"],
        ["Go", "Be brief.\n\nIn French."],
        ["Go", "Be brief.\n\nIn French.", "And A?"],
        ["Go", "Be brief.\n\nIn French.", "And A?", "And B?"],
    ]
    record = manager.sessions.load("chat").turns[0]
    assert record.waiting == []
    assert (await turn.result()).text == "First.\n\nSecond.\n\nThird."
    assert transcript_of("chat", record).blocks == turn.transcript.blocks


@on_a_loop
async def test_expressions_in_the_prompt_and_in_messages_are_stored_and_shown(manager):
    turn, tool, _ = await waiting_turn(manager, "First.", "Second.", values=["x", "len(x)"])
    await manager.turns.steer("chat", "It is 3.", values=["y", "x"])
    await manager.queue(question("And 4?", values=["z"]))
    assert manager.sessions.load("chat").turns[0].values == ["x", "len(x)", "y", "z"]
    tool.go_on.set()
    await events_of(turn)
    record = manager.sessions.load("chat").turns[0]
    assert record.values == ["x", "len(x)", "y", "z"]
    assert transcript_of("chat", record).values == turn.transcript.values == tuple(record.values)


@on_a_loop
async def test_what_was_not_delivered_when_the_turn_was_stopped_is_said_and_kept(manager):
    turn, _, _ = await waiting_turn(manager, "Never.")
    await manager.turns.steer("chat", "Be brief.")
    await manager.queue(question("And then?"))
    turn.cancel()
    events = await events_of(turn)
    warned = [event.text for event in events if isinstance(event, Warned)]
    assert warned == ["not delivered to the model: Be brief. · And then?"]
    [record] = manager.sessions.load("chat").turns
    assert record.waiting == []
    assert record.warnings == warned


@on_a_loop
async def test_idle_session_cannot_be_steered_and_is_asked_by_queue(manager):
    with pytest.raises(SessionNotFoundError):
        await manager.turns.steer("chat", "Left.")
    model = acts("Hello.", "Again.")
    register_model("acts", model)
    turn = await manager.queue(question("First?", model="acts"))
    await turn.result()
    with pytest.raises(
        SessionIdleError, match=r"'chat' has no running turn in this kernel; start one with .* %agent queue"
    ):
        await manager.turns.steer("chat", "Left.")
    turn = await manager.queue(question("Second?"))
    assert (await turn.result()).text == "Again."
    assert prompts(model.sent[-1]) == ["First?", "Second?"]


@on_a_loop
async def test_what_is_told_to_a_turn_that_has_ended_reaches_no_other(manager):
    register_model("acts", acts("Hello."))
    before = await manager.queue(question("First?", model="acts"))
    await before.result()
    turn, tool, model = await waiting_turn(manager, "Done.")
    with pytest.raises(SessionIdleError):
        await manager.turns.tell(before, "steer", "Be brief.")
    tool.go_on.set()
    await turn.result()
    assert prompts(model.sent[-1]) == ["First?", "Go"]


@on_a_loop
async def test_key_that_was_used_queues_nothing(manager):
    turn, tool, model = await waiting_turn(manager, "First.", "Second.", "Third.")
    assert await manager.queue(question("And A?"), key="a") is turn
    assert await manager.queue(question("And A?"), key="a") is None
    assert turn.inbox.waiting == ["And A?"]
    tool.go_on.set()
    await turn.result()
    assert await manager.queue(question("And A?"), key="a") is None
    assert len(model.sent) == 3


@on_a_loop
async def test_key_of_what_was_refused_can_be_used_again(manager):
    turn, tool, _ = await waiting_turn(manager, "First.")
    with pytest.raises(PromptError):
        await manager.queue(question(" "), key="a")
    assert await manager.queue(question("And A?"), key="a") is turn
    tool.go_on.set()
    await turn.result()


@on_a_loop
async def test_key_of_what_was_never_delivered_can_be_used_again(manager):
    turn, _, _ = await waiting_turn(manager, "Never.")
    assert await manager.queue(question("And A?"), key="a") is turn
    turn.cancel()
    await turn.result()
    register_model("acts", model := acts("A it is."))
    again = await manager.queue(question("And A?"), key="a")
    assert (await again.result()).text == "A it is."
    assert await manager.queue(question("And A?"), key="a") is None
    assert len(model.sent) == 1


@on_a_loop
async def test_what_steers_the_last_answer_is_answered_before_what_is_queued(manager):
    gate = asyncio.Event()

    async def answer(_messages):
        yield f"Answer {len(model.sent)}. "
        await gate.wait()
        yield "Over."

    model = script("gated", answer)
    turn = await manager.run("Go", session="chat", model="gated")
    await until(lambda: turn.transcript.text)
    await manager.queue(question("And A?"))
    await manager.turns.steer("chat", "Be brief.")
    gate.set()
    assert (await turn.result()).status == "completed"
    assert [*map(prompts, model.sent)] == [["Go"], ["Go", "Be brief."], ["Go", "Be brief.", "And A?"]]


@on_a_loop
async def test_key_of_a_deleted_session_can_be_used_again_under_its_name(manager):
    for _ in range(2):
        turn = await manager.queue(question("Hello"), key="a")
        await turn.result()
        await manager.delete("chat")


@on_a_loop
async def test_queue_over_many_turns_answers_each(manager):
    turn, tool, model = await waiting_turn(manager, *(f"Answer {n}." for n in range(SIZES["queue"] + 1)))
    for n in range(SIZES["queue"]):
        await manager.queue(question(f"Question {n}?"))
    with pytest.raises(InboxFullError):
        await manager.queue(question("One more?"))
    tool.go_on.set()
    await until(lambda: turn.finished)
    assert prompts(model.sent[-1]) == ["Go", *(f"Question {n}?" for n in range(SIZES["queue"]))]


@on_a_loop
async def test_key_holds_for_a_session_by_its_name_and_by_its_id(manager):
    first = await manager.queue(question("Hello"), key="a")
    await first.result()
    for name in ("chat", first.session_id):
        assert await manager.queue(question("Hello", session=name), key="a") is None


@on_a_loop
async def test_what_cannot_be_written_at_once_is_said_once(manager, monkeypatch):
    turn, tool, model = await waiting_turn(manager, "First.", "Second.")
    await until(lambda: manager.store.load(turn.session_id).turns[0].requests)  # or the turn's own write would fail

    def full(*_):
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(manager.store, "update", full)
        assert await manager.queue(question("And A?"), key="a") is turn
    assert await manager.queue(question("And A?"), key="a") is None
    tool.go_on.set()
    await turn.result()
    assert prompts(model.sent[-1]) == ["Go", "And A?"]
