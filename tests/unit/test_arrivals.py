import itertools

from sessionmagic.storage.memory import MemoryStore
from sessionmagic.testing import pause, script
from sessionmagic.turns.arrivals import MOST, Arrivals
from tests.turns import ask, manager_on, on_a_loop


def test_each_piece_of_a_short_answer_has_its_moment():
    arrivals = Arrivals()
    for moment, length in ((5, 3), (9, 4), (12, 1)):
        arrivals.add(moment, length)
    assert arrivals.points == [(5, 3), (9, 7), (12, 8)]


def test_a_long_answer_keeps_few_moments_spread_over_all_of_it():
    arrivals = Arrivals()
    for piece in range(10_000):
        arrivals.add(piece, 2)
    times = [milliseconds for milliseconds, _ in arrivals.points]
    assert MOST // 4 <= len(times) < MOST
    assert arrivals.points[-1] == (9_999, 20_000)
    assert all(characters == 2 * (milliseconds + 1) for milliseconds, characters in arrivals.points)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(gaps) <= 2 * 10_000 / (MOST // 2)


@on_a_loop
async def test_stored_request_tells_when_its_answer_came_in_and_what_was_offered():
    manager = manager_on(MemoryStore())

    def plot(column: str) -> str:
        """Draw a column."""
        return column

    async def slow(_messages):
        yield "one "
        yield pause(0.05)
        yield "and two"

    script("slow", slow)
    await ask(manager, model="slow", tools=[plot])
    (request,) = manager.sessions.load("chat").turns[0].requests
    (first, said), (last, all_said) = request.arrivals
    assert (said, all_said) == (4, 11)
    assert last - first >= 45
    assert list(request.offered) == ["plot"]


@on_a_loop
async def test_hash_of_an_offered_tool_changes_with_its_definition():
    manager = manager_on(MemoryStore())

    def plot(column: str) -> str:
        """Draw a column."""
        return column

    await ask(manager, tools=[plot])
    await ask(manager, tools=[plot])
    plot.__doc__ = "Draw a column in colour."
    await ask(manager, tools=[plot])
    hashes = [turn.requests[0].offered["plot"] for turn in manager.sessions.load("chat").turns]
    assert hashes[0] == hashes[1] != hashes[2]
