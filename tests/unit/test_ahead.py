"""Streams that are read ahead of their consumer."""

import asyncio

import pytest

from sessionmagic.models.ahead import Ahead
from tests.turns import on_a_loop


@on_a_loop
async def test_what_can_be_had_without_waiting_comes_at_once():
    more = asyncio.Event()

    async def source():
        yield 1
        yield 2
        await more.wait()
        yield 3

    ahead = Ahead(source())
    assert await ahead.arrived() == [1, 2]
    waiting = asyncio.create_task(ahead.arrived())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    more.set()
    assert await waiting == [3]
    assert await ahead.arrived() == []
    assert await ahead.arrived() == []


@on_a_loop
async def test_error_comes_after_the_items_before_it():
    async def source():
        yield 1
        raise ValueError("lost")

    ahead = Ahead(source())
    assert await ahead.arrived() == [1]
    for _ in range(2):
        with pytest.raises(ValueError, match="lost"):
            await ahead.arrived()


@on_a_loop
async def test_source_is_closed_when_reading_is_stopped():
    closed = []

    async def source():
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    ahead = Ahead(source())
    await asyncio.sleep(0)
    await ahead.stop()
    assert closed == [True]
    assert await ahead.arrived() == [1]
    assert await ahead.arrived() == []
    await ahead.stop()
