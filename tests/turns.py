"""Following turns in tests."""

import asyncio
import functools
import time

from sessionmagic import Models, SessionManager, TinyStore, register_model
from sessionmagic.events import TextDelta, TurnFinished, TurnStarted
from tests.scripted import fails, hangs, recalls, says

DEADLINE = 60.0


def on_a_loop(test):
    """Run an asynchronous test on a loop of its own, with a deadline."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), DEADLINE))

    return run


def manager_on(store):
    """A manager on a store or a home directory, with models to script a test by."""
    models = {
        "calm": says("It is ", "fine."),
        "hang": hangs("So far"),
        "recalls": recalls(),
        "dumb": fails(RuntimeError("it broke")),
        "breaks": fails(RuntimeError("it broke"), "So far"),
    }
    for name, model in models.items():
        register_model(name, model)
    return SessionManager(store if hasattr(store, "load") else TinyStore(store), Models("calm"))


async def ask(manager, prompt="Hello", session="chat", **options):
    """Run a turn to its end and return its result."""
    turn = await manager.run(prompt, session=session, **options)
    return await turn.result()


async def said(turn):
    """Wait until the turn's model has said something."""
    async for event in turn.events():
        if isinstance(event, TextDelta):
            return


async def events_of(turn):
    """Wait for the turn's end and return its events."""
    return [event async for event in turn.events()]


async def until(condition, seconds=10.0):
    """Wait until the condition holds, or fail."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.005)


def prompts(session):
    return [turn.prompt for turn in session.turns]


def statuses(session):
    return [turn.status for turn in session.turns]


def whole(events):
    """Check the rules that hold for every turn's events."""
    assert isinstance(events[0], TurnStarted)
    assert isinstance(events[-1], TurnFinished)
    assert sum(isinstance(event, TurnStarted | TurnFinished) for event in events) == 2
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert len({(event.session_id, event.turn_id, event.agent) for event in events}) == 1
    assert sorted(event.at for event in events) == [event.at for event in events]
    return events
