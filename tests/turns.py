"""Start turns, wait for them, and check their events."""

import asyncio
import functools
import time

from sessionmagic import Models, SessionManager, TinyStore, register_model
from sessionmagic.conversation.events import (
    AgentSwitched,
    ApprovalRequested,
    SubAgentStarted,
    TextDelta,
    ToolCalled,
    ToolReturned,
    TurnFinished,
    TurnStarted,
)
from sessionmagic.testing import hang, script
from tests.scripted import acts, recalls

DEADLINE = 100.0


def on_a_loop(test):
    """Run an asynchronous test on a new event loop, with a deadline."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), DEADLINE))

    return run


def manager_on(store):
    """Return a manager on a store or a home directory, and register the scripted models that tests use."""
    script("calm", ["It is ", "fine."])
    script("hang", ["So far", hang()])
    script("recalls", recalls)
    script("dumb", RuntimeError("it broke"))
    script("breaks", ["So far", RuntimeError("it broke")])
    return SessionManager(store if hasattr(store, "load") else TinyStore(store), Models("calm"))


async def ask(manager, prompt="Hello", session="chat", **options):
    """Run a turn to its end and return its result."""
    turn = await manager.run(prompt, session=session, **options)
    return await turn.result()


async def acting(manager, *steps, profile=None, **options):
    """Start a turn of a model with these steps, and return the turn and the model."""
    model = acts(*steps, profile=profile)
    register_model("acts", model)
    return await manager.run("Go", **({"session": "chat", "model": "acts"} | options)), model


async def acted(manager, *steps, **options):
    """Run a turn of a model with these steps to its end, and return its result, its events and the model."""
    turn, model = await acting(manager, *steps, **options)
    return await turn.result(), whole(await events_of(turn)), model


async def asked(turn, count=1):
    """Wait until `count` calls of the turn wait for a decision, and return their approvals by call id."""
    open_now = set()
    async for event in turn.events():
        if isinstance(event, ApprovalRequested):
            open_now.add(event.call_id)
        if len(open_now) == count:
            break
    questions = {approval.call_id: approval for approval in turn.approvals.open}
    assert len(questions) == count
    return questions


def returned(events):
    """Return the tool, outcome and content of each call, in the order in which the calls returned."""
    return [(event.tool, event.outcome, event.content) for event in events if isinstance(event, ToolReturned)]


def orphans(messages):
    """Return the ids of calls without a result in the next message, and of results without a call in the one before."""
    found = []
    for before, after in zip([None, *messages], [*messages, None], strict=True):
        calls = {part.tool_call_id for part in getattr(before, "parts", ()) if part.part_kind == "tool-call"}
        results = {part.tool_call_id for part in getattr(after, "parts", ()) if part.part_kind == "tool-return"}
        found += sorted(calls ^ results)
    return found


async def said(turn):
    """Wait for the first text of the turn's model."""
    async for event in turn.events():
        if isinstance(event, TextDelta):
            return


async def events_of(turn):
    """Wait until the turn has ended, and return its events."""
    return [event async for event in turn.events()]


async def until(condition, seconds=30.0):
    """Wait until the condition holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.005)


def prompts(session):
    return [turn.prompt for turn in session.turns]


def statuses(session):
    return [turn.status for turn in session.turns]


def whole(events):
    """Check what holds for the events of every turn, and return them."""
    assert isinstance(events[0], TurnStarted)
    assert isinstance(events[-1], TurnFinished)
    assert sum(isinstance(event, TurnStarted | TurnFinished) for event in events) == 2
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert len({(event.session_id, event.turn_id) for event in events}) == 1
    if not any(isinstance(event, SubAgentStarted | AgentSwitched) for event in events):
        assert len({event.agent for event in events}) == 1
    assert sorted(event.at for event in events) == [event.at for event in events]
    waiting = set()
    for event in events:
        if isinstance(event, ToolCalled):
            assert (event.for_calls, event.call_id) not in waiting
            waiting.add((event.for_calls, event.call_id))
        elif isinstance(event, ToolReturned):
            waiting.remove((event.for_calls, event.call_id))
    assert waiting == set()
    return events
