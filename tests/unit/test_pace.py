"""The pace at which a provider is asked grows while it answers, and shrinks when it refuses."""

import asyncio

import pytest

from sessionmagic.comparing.pace import CALM_SECONDS, MOST, MOST_WAITS, PATIENCE, START, Lane, Pace, backoff
from tests.clock import on_a_still_clock, passes


def answered(pace, count, now=1.0):
    for _ in range(count):
        pace.open = int(pace.limit)
        pace.answered(now)
    pace.open = 0


def test_it_starts_with_twenty_and_grows_to_a_hundred():
    pace = Pace()
    assert pace.limit == START == 20
    answered(pace, 20)
    assert 20.9 < pace.limit < 21
    answered(pace, 6_000)
    assert pace.limit == MOST == 100


def test_a_limit_that_is_not_reached_does_not_grow():
    pace = Pace(open=3)
    for _ in range(100):
        pace.answered(1.0)
    assert pace.limit == START


def test_a_burst_of_refusals_is_one_cut():
    pace = Pace()
    for place in range(20):
        pace.refused(10.0 + place / 100, 9.0 + place / 100, None)
    assert pace.limit == START / 2
    pace.refused(11.0, 10.5, None)  # a request that began after the cut
    assert pace.limit == START / 4


def test_it_never_falls_below_one():
    pace = Pace()
    for second in range(20):
        pace.refused(second + 0.5, second, None)
    assert pace.limit == 1


@pytest.mark.parametrize("note", ["refused", "failed"])
def test_a_wait_that_the_provider_asks_for_is_kept(note):
    pace = Pace()
    if note == "refused":
        pace.refused(10.0, 9.0, 7.5)
        pace.refused(10.1, 9.0, 2.0)  # a shorter one does not end it
    else:
        pace.failed(10.0, 7.5)
    assert pace.seconds_to_wait(17.4) == pytest.approx(0.1)
    assert pace.seconds_to_wait(17.5) == 0


def test_refusals_that_name_no_wait_are_waited_for_longer_each_time():
    pace, now, waits = Pace(), 10.0, []
    for _ in range(4):
        pace.refused(now, now - 0.1, None)
        waits.append(pace.seconds_to_wait(now))
        now += waits[-1]
    assert waits == pytest.approx([0.5, 1, 2, 4])
    pace.answered(now)
    pace.refused(now, now - 0.1, None)
    assert pace.seconds_to_wait(now) == pytest.approx(0.5)
    assert backoff(30) == 15


def test_it_does_not_grow_for_a_while_after_a_failure():
    pace = Pace()
    pace.failed(10.0)
    answered(pace, 20, now=10.0 + CALM_SECONDS - 0.1)
    assert pace.limit == START
    answered(pace, 1, now=10.0 + CALM_SECONDS)
    assert pace.limit > START


def test_a_provider_that_only_fails_is_given_up_at_last_and_a_slow_one_is_not():
    pace, first = Pace(), 2 * PATIENCE  # its first request took that long
    pace.failed(first)
    assert not pace.is_hopeless(first)
    pace.failed(first + PATIENCE)
    assert not pace.is_hopeless(first + PATIENCE)
    assert pace.is_hopeless(first + PATIENCE + 1)
    pace.answered(first + PATIENCE + 1)
    assert not pace.is_hopeless(first + PATIENCE + 2)


def test_a_provider_that_only_asks_to_wait_is_given_up_at_last():
    pace, now = Pace(), 0.0
    for count in range(MOST_WAITS + 1):
        assert not pace.is_hopeless(now), count
        now = pace.not_before + 0.1
        pace.refused(now, now - 0.01, 60.0)
    assert pace.is_hopeless(now)


def begins(lane, begun, seconds):
    async def request():
        async with lane.turn() as began:
            begun.append(began)
            await asyncio.sleep(seconds)

    return asyncio.create_task(request())


@on_a_still_clock
async def test_no_more_requests_are_open_than_the_limit_and_no_fewer():
    lane, begun = Lane(Pace(limit=5)), []
    tasks = [begins(lane, begun, 1.0) for _ in range(12)]
    open_at = []
    for _ in range(24):
        await passes(0.1)
        open_at.append(lane.pace.open)
    assert max(open_at) == 5
    assert open_at[:19].count(5) >= 18
    await passes(2)
    await asyncio.gather(*tasks)
    assert (len(begun), lane.pace.open) == (12, 0)


@on_a_still_clock
async def test_requests_begin_within_a_tenth_of_a_second_after_the_wait():
    lane, begun = Lane(Pace(limit=4)), []
    now = asyncio.get_running_loop().time()
    lane.pace.refused(now, now - 1, 3.0)
    tasks = [begins(lane, begun, 0.1) for _ in range(2)]
    await passes(3.5)
    await asyncio.gather(*tasks)
    assert all(3.0 <= began - now <= 3.0 + 0.1 + 0.05 for began in begun)  # the clock moves in steps of 0.1 s


@on_a_still_clock
async def test_a_request_that_is_cancelled_while_it_waits_gives_its_turn_away():
    lane, begun = Lane(Pace(limit=1)), []
    first, second, third = (begins(lane, begun, 1.0) for _ in range(3))
    await passes(0.5)
    second.cancel()
    await passes(0.6)
    third_began = len(begun) == 2
    first.cancel()
    third.cancel()
    await asyncio.gather(first, second, third, return_exceptions=True)
    assert third_began
    assert lane.pace.open == 0


@on_a_still_clock
async def test_a_request_that_is_cancelled_as_its_turn_comes_gives_it_away():
    lane, begun = Lane(Pace(limit=1)), []
    first, second, third = (begins(lane, begun, 5.0) for _ in range(3))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)  # the turn of the second one has come, but it does not run yet
    second.cancel()
    await passes(0.2)
    assert (len(begun), lane.pace.open) == (2, 1)
    third.cancel()
    await asyncio.gather(first, second, third, return_exceptions=True)
    assert lane.pace.open == 0
