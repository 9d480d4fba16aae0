"""A clock that jumps makes no negative time, and fails no turn."""

import re
import time

import pytest

from sessionmagic import MemoryStore, TinyStore
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.transcript import Transcript
from sessionmagic.notebook.captions import footer, status_line
from tests.turns import ask, events_of, manager_on, on_a_loop, said, whole


@pytest.fixture(params=["tiny", "memory"])
def manager(request, home):
    return manager_on(TinyStore(home) if request.param == "tiny" else MemoryStore())


@pytest.fixture
def clock(monkeypatch):
    """The wall clock, which a test can set."""

    class Clock:
        ahead = 0.0

    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + Clock.ahead)
    return Clock


@pytest.mark.parametrize("jump", [-3600.0, 3600.0], ids=["back", "forward"])
@on_a_loop
async def test_jump_during_a_turn_makes_no_negative_time(manager, clock, jump):
    await ask(manager)
    before = manager.sessions.load("chat")
    turn = await manager.run("Hello", session="chat", model="hang")
    await said(turn)
    clock.ahead = jump
    turn.cancel()
    events = whole(await events_of(turn))  # checks the order of their times
    session = manager.sessions.load("chat")
    record = session.turns[-1]
    assert record.status == "interrupted"
    assert record.started_at <= record.finished_at
    assert session.created_at <= before.updated_at <= record.started_at <= session.updated_at
    assert all(request.seconds >= 0 for request in record.requests)
    assert "-" not in footer(transcript_of("chat", record)).rpartition(" · ")[2]
    assert events[-1].at >= events[0].at


@on_a_loop
async def test_session_does_not_get_older(manager, clock):
    await ask(manager)
    await ask(manager, "Two")
    before = manager.sessions.load("chat").updated_at
    clock.ahead = -3600.0
    await ask(manager, "Three")
    assert manager.sessions.load("chat").updated_at >= before
    manager.branches.drop("chat")
    session = manager.sessions.load("chat")
    assert session.created_at <= before <= session.updated_at


def test_elapsed_time_of_a_running_turn_does_not_follow_the_clock(clock):
    opened_at = time.monotonic()
    clock.ahead = -3600.0
    shown = status_line(Transcript(session="chat", model="test"), "", "", opened_at)
    assert re.search(r" \d s", shown)


def test_footer_of_an_old_turn_that_ended_before_it_started_has_no_negative_time():
    ended = Transcript(session="chat", turn_id="1", model="test", started_at=10.0, finished_at=5.0)
    assert "-" not in footer(ended)
