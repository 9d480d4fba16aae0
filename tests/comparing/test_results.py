"""What is made of a grid's rows."""

import asyncio

import pytest

from sessionmagic import MemoryStore
from sessionmagic.comparing.grid_row import GridRow
from sessionmagic.comparing.results import GridResults
from tests.turns import manager_on


def row(number, label, **fields):
    return GridRow(number=number, prompt=f"prompt {number}", model=label, settings={}, label=label, repeat=1, **fields)


def test_scores_are_summarized_prompt_by_prompt():
    rows = [
        row(number, label, answer="x", scores={"score": number + (label == "b")}, seconds=1.0 + number, cost=0.5)
        for number in range(25)
        for label in "ab"
    ]
    results = GridResults(rows)
    [difference] = results.summary().differences
    assert (difference.winner, difference.prompts) == ("b", 25)
    assert results.summary("seconds").differences[0].winner is None
    assert "too few" not in str(results.summary("cost"))


def test_a_stopped_grid_says_why_and_what_is_missing():
    results = GridResults([row(0, "a", error="it broke"), row(1, "a", answer="x", score_error="no")], total=4)
    results.stopped = "the budget is spent"
    shown = str(results)
    assert all(
        words in shown
        for words in ("2 of 4 rows", "⚠ the budget is spent", "it broke", "a score is missing in 1 row: no")
    )
    assert results.missing == 2
    assert "the budget is spent" in repr(results)


@pytest.mark.parametrize("value", [1, 0.5, True, {"good": True, "long": 3}])
def test_a_grid_can_score_its_answers_at_its_end(value):
    results = asyncio.run(manager_on(MemoryStore()).grid(["a", "b"], ["calm"], score=lambda _answer, _row: value))
    assert [each.scores for each in results] == [value if isinstance(value, dict) else {"score": value}] * 2
