"""Scores of the user's own, and the statistics of a grid's results."""

from decimal import Decimal

import numpy as np
import pytest

from sessionmagic import Models, SessionManager, UsageError
from sessionmagic.comparing.grid import GridInterrupt
from sessionmagic.testing import script


@pytest.fixture
def results(manager):
    script("a", "It is fine.", each_turn=True)
    return manager.grid_sync(["one", "two", "three"], "a")


@pytest.mark.parametrize(
    ("value", "scores", "words"),
    [
        (np.bool_(1), {"score": True}, None),
        (np.float32(0.5), {"score": 0.5}, None),
        (None, {}, "the score is None; return a number"),
        (float("nan"), {}, "the score is nan; return a finite number"),
        (np.inf, {}, "the score is inf"),
        (Decimal(1), {}, "of type Decimal"),
        ("good", {}, "of type str"),
        (np.array([1, 2]), {}, "ValueError"),
        ({"right": True, "length": None}, {"right": True}, "the score 'length' is None"),
        ({"cost": 1, "length": 2}, {"length": 2.0}, "'cost' has the name of a column"),
        ({}, {}, None),
    ],
)
def test_what_is_not_a_score_is_an_error_of_its_row_and_the_other_scores_are_kept(results, value, scores, words):
    results.score(lambda _answer, row: value if row.number == 1 else 0)
    assert results[1].scores == scores
    assert results[1].score_error is None if words is None else words in results[1].score_error
    assert results[0].scores == {"score": 0.0}
    assert "nan" not in str(results).replace("is nan", "")


def test_an_interrupt_of_a_score_has_the_answers(manager):
    script("a", "It is fine.", each_turn=True)

    def score(_answer, _row):
        raise KeyboardInterrupt

    with pytest.raises(GridInterrupt) as raised:
        manager.grid_sync(["one", "two"], "a", score=score)
    assert [row.answer for row in raised.value.results] == ["It is fine."] * 2


@pytest.mark.parametrize(
    ("score", "words"),
    [
        ("score", r"no answer has a score named 'score'; name one of length, short, cost"),
        ("lenght", r"did you mean 'length'\?"),
        ("cost", "no answer has a known cost; name one of length, short, seconds"),
    ],
)
def test_a_summary_of_a_score_that_no_answer_has_names_those_there_are(results, score, words):
    results.score(lambda answer, row: {"length": len(answer), "short": row.number == 1})
    with pytest.raises(UsageError, match=words):
        results.summary(score)


def test_a_summary_without_any_score_says_how_to_score(results):
    with pytest.raises(UsageError, match=r"give --score, call .score\(function\), or name one of cost, seconds"):
        results.summary()


def test_a_table_says_what_is_not_known_and_counts_a_shared_answer_once(manager):
    script("a", "It is fine.", each_turn=True)
    script("fails", RuntimeError("it broke"), each_turn=True)
    priced = SessionManager(manager.store, Models(prices={"a": [1, 1]}))
    results = priced.grid_sync(["one", "one", "two"], ["a", "fails"])
    first, second, third = (row for row in results if row.model == "a")
    assert results.cost == pytest.approx(first.cost + third.cost)
    [table] = results.tables()
    assert table.rows[0][3] == f"{first.input_tokens + third.input_tokens} → {first.output_tokens * 2}"
    assert table.rows[1] == ("fails", "0", "3", "–", "–", "–")
    assert "–: not known" in table.notes
    assert "6 of 6 rows, 4 requests in this run" in str(results)
    second.cost = third.cost = third.input_tokens = None
    [table] = results.tables()
    assert table.rows[0][3:5] == (f"at least {first.input_tokens} → {first.output_tokens}", "–")
