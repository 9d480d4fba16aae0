"""Votes and judges over stored comparisons and grids, with what the statistics make of them."""

import asyncio

import pytest

from sessionmagic import MemoryStore
from sessionmagic.comparing.contestants import contestants
from sessionmagic.comparing.judge import Judge
from sessionmagic.testing import script
from sessionmagic.turns.request import Request
from tests.turns import manager_on


def test_votes_on_comparisons_become_strengths_once_the_names_show():
    async def voted():
        manager = manager_on(MemoryStore())
        for prompt, choice in (("a", "calm"), ("b", "calm"), ("c", "recalls"), ("d", "tie"), ("e", "bad")):
            comparison = await manager.compare(Request(prompt=prompt, session="chat"), contestants(["calm", "recalls"]))
            await comparison.answers()
            manager.comparisons.vote("chat", choice)
        hidden = await manager.compare(
            Request(prompt="f", session="chat"), contestants(["calm", "recalls"]), blind=True
        )
        await hidden.answers()
        manager.comparisons.vote("chat", "A")
        return manager.comparisons.votes("chat")

    found = asyncio.run(voted())
    assert (found.votes, found.ties, found.both_bad) == (5, 2, 1)
    assert [(each.contestant, each.wins) for each in found.strengths] == [("calm", 2), ("recalls", 1)]


@pytest.mark.parametrize(("verdict", "ties"), [("first", 1.0), ("tie", 1.0), ("nonsense", None)])
def test_a_grid_is_judged_in_both_orders_and_new_answers_only(verdict, ties):
    async def judged():
        manager = manager_on(MemoryStore())
        script("judge", f"VERDICT: {verdict}", each_turn=True)
        results = await manager.grid(["a", "b", "a"], ["calm", "recalls"], repeat=2)
        report = await manager.grids.judge(results, Judge("judge"))
        again = await manager.grids.judge(results, Judge("judge"))
        return results, report, again

    results, report, again = asyncio.run(judged())
    assert (report.pairs, report.ties, again.pairs) == (4, ties, 4)
    assert results.judged is again
    assert "judge judge: 4 pairs" in str(results)
    assert str(results) == str(results).rstrip()


def test_answers_become_a_frame():
    async def compared():
        manager = manager_on(MemoryStore())
        comparison = await manager.compare(Request(prompt="a", session="chat"), contestants(["calm", "dumb"]))
        return await comparison.answers()

    frame = asyncio.run(compared()).to_frame()
    assert list(frame["column"]) == ["calm", "dumb"]
    assert list(frame["status"]) == ["completed", "failed"]
