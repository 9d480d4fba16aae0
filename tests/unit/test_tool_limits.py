"""How a turn that calls tools is stopped: by its user, by the clock, by its limits; and how the session goes on."""

import asyncio
import shutil
import threading
from contextlib import suppress

import pytest

from sessionmagic import MemoryStore, register_model, tool
from sessionmagic.conversation.events import LimitReached
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.transcript import TextBlock
from sessionmagic.exceptions import TurnLimitError, TurnTimeoutError
from sessionmagic.tools.functions import registered
from sessionmagic.tools.permissions import Limits
from sessionmagic.turns.request import Request
from tests.clock import on_a_clock, passes
from tests.scripted import acts
from tests.turns import (
    acted,
    acting,
    asked,
    events_of,
    manager_on,
    on_a_loop,
    orphans,
    returned,
    statuses,
    until,
    whole,
)


@pytest.fixture
def manager():
    return manager_on(MemoryStore())


def add(a: int) -> int:
    return a + 2


ONE = ("add", {"a": 1})


class Endless:
    """A tool that never returns, of each kind; `began` is set when it runs."""

    def __init__(self):
        self.began = threading.Event()
        self.released = threading.Event()

    def sync(self):
        self.began.set()
        self.released.wait(100)

    async def asynchronous(self):
        self.began.set()
        await asyncio.Event().wait()

    async def deaf(self):
        self.began.set()
        while not self.released.is_set():
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.05)


@pytest.fixture
def endless():
    endless = Endless()
    yield endless
    endless.released.set()


@pytest.fixture(params=["sync", "asynchronous"])
def never_returns(request, endless):
    return request.param, getattr(endless, request.param)


async def goes_on(manager, tools=()):
    """Check that the session takes the next prompt, and that no call without a result is sent."""
    result, _, model = await acted(manager, [("add", {"a": 1})], "Done", tools=[add, *tools], yes=True)
    assert (result.status, result.text) == ("completed", "Done")
    assert orphans(model.sent[0]) == orphans(model.sent[1]) == []
    assert manager.turns.running() == []
    return model.sent[0]


def results_in(messages):
    return [part for message in messages for part in message.parts if part.part_kind == "tool-return"]


def same_live_and_stored(manager, turn):
    live, stored = turn.transcript.blocks, transcript_of("chat", manager.sessions.load("chat").turn(turn.id)).blocks
    assert [(block.tool, block.args, block.outcome) for block in stored] == [
        (block.tool, block.args, block.outcome) for block in live
    ]


@on_a_loop
async def test_cancel_stops_a_tool_that_never_returns(manager, endless, never_returns):
    name, tool = never_returns
    calls = [("add", {"a": 1}), (name, {})]
    turn, _ = await acting(manager, calls, "Done", tools=[add, tool], yes=True)
    await asyncio.to_thread(endless.began.wait, 30)
    await until(lambda: any(getattr(block, "outcome", None) for block in turn.transcript.blocks))
    turn.cancel()
    events = whole(await asyncio.wait_for(events_of(turn), 30))
    assert returned(events) == [("add", "success", "3"), (name, "interrupted", "")]
    assert (await turn.result()).status == "interrupted"
    same_live_and_stored(manager, turn)
    await goes_on(manager, [tool])
    assert statuses(manager.sessions.load("chat")) == ["interrupted", "completed"]


@on_a_loop
async def test_turn_that_is_stopped_while_its_calls_run_has_no_empty_message(manager):
    running = asyncio.Event()

    async def slow(a: int):  # noqa: ARG001  the two calls differ in it
        running.set()
        await asyncio.sleep(60)

    turn, _ = await acting(manager, [("slow", {"a": 1}), ("slow", {"a": 2})], "Done", tools=[slow], yes=True)
    await running.wait()
    turn.cancel()
    assert [message.kind for message in (await turn.result()).messages] == ["request", "response"]


@on_a_clock
async def test_time_that_is_up_stops_a_tool_that_never_returns(manager, endless, never_returns):
    name, tool = never_returns
    turn, _ = await acting(manager, [("add", {"a": 1}), (name, {})], "Done", tools=[add, tool], yes=True, timeout=20)
    await asyncio.to_thread(endless.began.wait, 30)
    await until(lambda: any(getattr(block, "outcome", None) for block in turn.transcript.blocks))
    await passes(10)
    assert not turn.finished
    await passes(10.2)
    events = whole(await asyncio.wait_for(events_of(turn), 30))
    assert returned(events) == [("add", "success", "3"), (name, "interrupted", "")]
    result = await turn.result()
    assert (result.status, type(result.error)) == ("failed", TurnTimeoutError)
    same_live_and_stored(manager, turn)
    await goes_on(manager, [tool])


@pytest.mark.parametrize("how", ["cancel", "timeout"])
@on_a_clock
async def test_tool_that_hears_no_cancellation_is_left_to_itself_when_its_turn_is_stopped(manager, endless, how):
    timeout = 20 if how == "timeout" else None
    turn, _ = await acting(manager, [("deaf", {})], "Done", tools=[endless.deaf], yes=True, timeout=timeout)
    await asyncio.to_thread(endless.began.wait, 30)
    if how == "cancel":
        turn.cancel()
    await passes(21 if timeout else 2)
    events = whole(await asyncio.wait_for(events_of(turn), 30))
    assert returned(events) == [("deaf", "interrupted", "")]
    assert list(turn.transcript.warnings) == ["deaf did not stop with the turn; it is still running"]
    await goes_on(manager)
    endless.released.set()


@on_a_loop
async def test_tool_that_returns_after_its_turn_was_stopped_changes_nothing(manager, endless):
    turn, _ = await acting(manager, [("sync", {})], "Done", tools=[endless.sync], yes=True)
    await asyncio.to_thread(endless.began.wait, 30)
    turn.cancel()
    await turn.result()
    before = manager.sessions.load("chat")
    endless.released.set()
    await goes_on(manager)
    assert manager.sessions.load("chat").turn("1") == before.turn("1")
    assert [outcome for _, outcome, _ in returned(await events_of(turn))] == ["interrupted"]


@on_a_loop
async def test_result_that_the_page_showed_or_the_disk_has_is_the_same_whenever_the_turn_was_stopped(manager, endless):
    for _ in range(5):
        calls = [("add", {"a": 1}), ("add", {"a": 2}), ("sync", {})]
        turn, _ = await acting(manager, calls, "Done", tools=[add, endless.sync], yes=True)
        await asyncio.to_thread(endless.began.wait, 30)
        endless.began.clear()
        turn.cancel()
        whole(await events_of(turn))
        same_live_and_stored(manager, turn)


def copy(store, found):
    """Keep what a process that died now would have left."""
    shutil.copytree(store, found, ignore=shutil.ignore_patterns("*.tmp"))


@on_a_loop
async def test_process_that_dies_while_a_call_runs_leaves_a_session_that_goes_on(tmp_path, endless):
    manager = manager_on(tmp_path / "store")
    calls = [("add", {"a": 1}), ("asynchronous", {})]
    turn, _ = await acting(manager, calls, "Done", tools=[add, endless.asynchronous], yes=True)
    await until(lambda: len(manager.sessions.load("chat").turns[0].messages) == 3)
    copy(tmp_path / "store", tmp_path / "found")
    turn.cancel()
    await turn.result()
    survivor = manager_on(tmp_path / "found")
    sent = await goes_on(survivor)
    results = {part.tool_name: part.outcome for part in results_in(sent)}
    assert results == {"add": "success", "asynchronous": "interrupted"}
    blocks = transcript_of("chat", survivor.sessions.load("chat").turns[0]).blocks
    assert [(block.tool, block.outcome) for block in blocks] == [("add", "success"), ("asynchronous", "interrupted")]


@on_a_loop
async def test_process_that_dies_while_a_call_waits_for_an_answer_leaves_a_session_that_goes_on(tmp_path):
    manager = manager_on(tmp_path / "store")
    turn, _ = await acting(manager, [("add", {"a": 1})], "Done", tools=[add], attended=True)
    await asked(turn)
    await until(lambda: len(manager.sessions.load("chat").turns[0].messages) == 2)
    copy(tmp_path / "store", tmp_path / "found")
    turn.cancel()
    await turn.result()
    sent = await goes_on(manager_on(tmp_path / "found"))
    assert [part.outcome for part in results_in(sent)] == ["interrupted"]


@on_a_loop
async def test_what_the_model_said_at_each_step_is_on_disk_while_its_call_waits(manager):
    def said():
        blocks = transcript_of("chat", manager.sessions.load("chat").turns[0]).blocks
        return [block.text for block in blocks if isinstance(block, TextBlock)]

    steps = [[f"Step {n}. ", ("add", {"a": n}), ("add", {"a": -n})] for n in (1, 2, 3)]
    turn, _ = await acting(manager, *steps, "Done", tools=[add], attended=True)
    for n in (1, 2, 3):
        await until(lambda: len(turn.approvals.open) == 2)
        await until(lambda n=n: said()[n - 1 :] == [f"Step {n}. "])
        for approval in turn.approvals.open:
            turn.approvals.resolve(approval.id, "once")
    assert (await turn.result()).status == "completed"


def calls_of(*numbers):
    return [("add", {"a": number}) for number in numbers]


STOPPED = {
    "requests": "stopped after {} model requests; send another prompt to continue",
    "tool_calls": "stopped after {} tool calls; send another prompt to continue",
    "repeated_call": (
        "stopped: add was called {} times in a row with the same arguments; send another prompt to continue"
    ),
}


@pytest.mark.parametrize(
    ("which", "limits", "steps", "ran"),
    [
        ("requests", Limits(requests=2), [calls_of(1), calls_of(2), calls_of(3)], 2),
        ("tool_calls", Limits(tool_calls=2), [calls_of(1), calls_of(2), calls_of(3)], 2),
        ("tool_calls", Limits(tool_calls=2), [calls_of(1), calls_of(2, 3, 4)], None),
        ("repeated_call", Limits(repeats=3), [calls_of(1), calls_of(1), calls_of(1)], 2),
        ("repeated_call", None, [calls_of(0), *[calls_of(1)] * 9], 5),
    ],
)
@on_a_loop
async def test_turn_that_reaches_a_limit_says_so_and_the_next_turn_goes_on(manager, which, limits, steps, ran):
    result, events, _ = await acted(manager, *steps, "Never", tools=[add], yes=True, limits=limits)
    [reached] = [event for event in events if isinstance(event, LimitReached)]
    value = getattr(limits or Limits(), {"repeated_call": "repeats"}.get(which, which))
    assert (reached.which, reached.value) == (which, value)
    assert (result.status, type(result.error)) == ("limit", TurnLimitError)
    assert (events[-1].status, events[-1].error) == ("limit", str(result.error))
    assert str(result.error) == STOPPED[which].format(value)
    if ran is not None:
        assert [outcome for _, outcome, _ in returned(events)].count("success") == ran
    session = manager.sessions.load("chat")
    assert (session.head, session.turns[0].status, session.turns[0].error) == ("1", "limit", str(result.error))
    sent = await goes_on(manager)
    assert len(sent) > 2
    assert statuses(manager.sessions.load("chat")) == ["limit", "completed"]


@on_a_loop
async def test_many_calls_in_one_response_reach_the_limit_of_calls(manager):
    result, events, _ = await acted(manager, calls_of(*range(60)), "Never", tools=[add], yes=True)
    assert result.status == "limit"
    assert len(returned(events)) == 60
    await goes_on(manager)


def test_default_limits_are_those_of_the_documentation():
    assert Limits() == Limits(requests=50, tool_calls=50, repeats=5)


UNKNOWN = [(f"nope{n}", {}) for n in range(8)]


@pytest.mark.parametrize(
    "steps",
    [[UNKNOWN], [[call, (*ONE, "id")] for call in UNKNOWN], [[("add", {"a": f"x{n}"}) for n in range(8)]]],
    ids=["unknown at once", "unknown one by one", "wrong arguments"],
)
@on_a_loop
async def test_calls_that_come_to_nothing_count_as_well(manager, steps):
    result, events, _ = await acted(manager, *steps, "Never", tools=[add], yes=True, limits=Limits(tool_calls=5))
    assert result.status == "limit"
    assert [(event.which, event.value) for event in events if isinstance(event, LimitReached)] == [("tool_calls", 5)]
    await goes_on(manager)


@on_a_loop
async def test_turn_that_keeps_within_its_limits_completes(manager):
    steps = [calls_of(1), calls_of(2), "Done"]
    limits = Limits(requests=3, tool_calls=2, repeats=2)
    result, events, _ = await acted(manager, *steps, tools=[add], yes=True, limits=limits)
    assert (result.status, result.text) == ("completed", "Done")
    assert not any(isinstance(event, LimitReached) for event in events)
    result, _, _ = await acted(manager, *steps, tools=[add], yes=True, limits=limits)
    assert result.status == "completed"


@on_a_loop
async def test_other_call_in_between_is_no_repetition(manager):
    steps = [calls_of(1), calls_of(2)] * 6
    result, _, _ = await acted(manager, *steps, "Done", tools=[add], yes=True)
    assert (result.status, result.text) == ("completed", "Done")


@on_a_loop
async def test_call_that_answers_another_prompt_of_the_turn_is_no_repetition(manager):
    def look() -> str:
        return "seen"

    steps = [[("look", {})], "Answered."] * 6
    turn, model = await acting(manager, *steps, tools=[look], attended=True)
    await asked(turn)
    for number in range(5):
        await manager.queue(Request(prompt=f"Question {number}?", session="chat"))
    manager.sessions.set_permissions("chat", {"look": "allow"}, None)
    turn.approvals.resolve(turn.approvals.open[0].id, "once")
    result = await turn.result()
    assert result.status == "completed"
    assert len(model.sent) == 12


def test_synchronous_face_raises_the_limit(manager):
    register_model("acts", acts(calls_of(1), calls_of(2), "Done"))
    with pytest.raises(TurnLimitError, match="stopped after 1 tool call"):
        manager.run_sync("Go", session="chat", model="acts", tools=[add], yes=True, limits=Limits(tool_calls=1))
    assert str(manager.run_sync("Go on", session="chat")) == "Done"


@on_a_clock
async def test_time_in_which_the_user_thinks_does_not_count(manager):
    turn, _ = await acting(manager, [("add", {"a": 1})], "Done", tools=[add], attended=True, timeout=20)
    [question] = (await asked(turn)).values()
    await passes(60)
    turn.approvals.resolve(question.id, "once")
    result = await turn.result()
    assert (result.status, result.text) == ("completed", "Done")


@on_a_clock
async def test_time_goes_on_once_the_user_has_answered(manager, endless):
    turn, _ = await acting(
        manager, [("asynchronous", {})], "Done", tools=[endless.asynchronous], attended=True, timeout=20
    )
    [question] = (await asked(turn)).values()
    await passes(60)
    turn.approvals.resolve(question.id, "once")
    await asyncio.to_thread(endless.began.wait, 30)
    await passes(20.2)
    assert isinstance((await turn.result()).error, TurnTimeoutError)


@on_a_clock
async def test_time_in_which_another_call_runs_counts(manager, endless):
    @tool(read_only=True)
    async def endlessly() -> None:
        await endless.asynchronous()

    try:
        steps = [("endlessly", {}), ("add", {"a": 1})], "Done"
        turn, _ = await acting(manager, *steps, tools=[add], attended=True, timeout=20)
        await asked(turn)
        await asyncio.to_thread(endless.began.wait, 30)
        await passes(20.2)
        assert isinstance((await turn.result()).error, TurnTimeoutError)
    finally:
        del registered["endlessly"]
