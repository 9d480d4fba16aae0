"""Whoever follows a turn can come, go and sleep; the turn does not mind."""

import asyncio
import gc

import pytest

from sessionmagic.conversation.events import TurnFinished, Warned
from sessionmagic.loop import loop_thread
from sessionmagic.testing import script
from tests.turns import events_of, on_a_loop, said, statuses, until, whole


@on_a_loop
async def test_observer_that_stops_reading_never_holds_up_the_turn(manager, monkeypatch):
    monkeypatch.setattr("sessionmagic.turns.event_log.RING_SIZE", 256)
    script("long", ["word "] * 600)
    turn = await manager.run("Hello", session="chat", model="long")
    abandoned = turn.events()
    await anext(abandoned)
    sleeping = turn.events()
    await anext(sleeping)
    dropped = asyncio.create_task(events_of(turn))
    await asyncio.sleep(0)
    dropped.cancel()
    await abandoned.aclose()
    result = await asyncio.wait_for(turn.result(), 60)
    assert (result.status, len(result.text)) == ("completed", 600 * 5)
    late = [event async for event in sleeping]
    assert isinstance(late[0], Warned)
    assert " came too fast to be told" in late[0].text
    assert isinstance(late[-1], TurnFinished)


@on_a_loop
async def test_turn_whose_handle_is_dropped_runs_to_its_end(manager, gate):
    await manager.run("Hello", session="chat", model="gate")
    gc.collect(1)  # all that was made here is young
    gate.open.set()
    await until(lambda: manager.turns.running() == [])
    assert statuses(manager.sessions.load("chat")) == ["completed"]


@on_a_loop
async def test_waiting_for_a_result_may_be_given_up_without_stopping_the_turn(manager, gate):
    turn = await manager.run("Hello", session="chat", model="gate")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(turn.result(), 0.05)
    gate.open.set()
    assert (await turn.result()).text == "before after"


@on_a_loop
async def test_observers_that_come_late_see_the_whole_turn(manager):
    turn = await manager.run("Hello", session="chat")
    await turn.result()
    whole(await events_of(turn))
    assert turn.transcript.text == "It is fine."


@on_a_loop
async def test_waiting_for_news_leaves_nothing_behind(manager, gate):
    turn = await manager.run("Hello", session="chat", model="gate")
    await said(turn)
    latest = await turn.news(0, 1)
    for _ in range(50):
        await turn.news(latest, 0.001)
    assert len(turn._log._waiting) <= 1
    gate.open.set()
    await turn.result()


def test_result_can_be_awaited_on_another_loop(manager, gate):
    turn = loop_thread().submit(manager.run("Hello", session="chat", model="gate")).result()

    async def elsewhere():
        assert not await turn.ended(0.01)
        loop_thread().loop.call_soon_threadsafe(gate.open.set)
        return await turn.result()

    assert asyncio.run(elsewhere()).text == "before after"
