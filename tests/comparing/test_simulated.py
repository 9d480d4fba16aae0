"""How often intervals and verdicts are right, by simulation. `benchmarks/statistics.py` makes more of it."""

import gc

import numpy as np
import pytest

from sessionmagic.comparing import intervals
from sessionmagic.comparing.intervals import bootstrap, student
from sessionmagic.comparing.preferences import Vote, preferences
from sessionmagic.comparing.statistics import Compared, adjusted, difference_of

RUNS, PROMPTS = 2_000, 30


@pytest.fixture
def _fast(monkeypatch):
    """Draw fewer resamples, and keep statsmodels from collecting garbage each time that it adjusts p-values."""
    monkeypatch.setattr(intervals, "RESAMPLES", (499, 499))
    monkeypatch.setattr("sessionmagic.comparing.statistics.bootstrap", lambda *_: None)
    monkeypatch.setattr(gc, "collect", lambda *_: 0)


pytestmark = [pytest.mark.once, pytest.mark.usefixtures("_fast")]


def covered(found, truth):
    return np.mean([each.low <= truth <= each.high for each in found])


def test_t_intervals_hold_the_true_value_as_often_as_they_say():
    drawn = np.random.default_rng(1).normal(0.3, 1, (RUNS, PROMPTS))
    assert 0.93 <= covered(map(student, drawn), 0.3) <= 0.97


def test_bootstrap_intervals_hold_the_true_value_as_often_as_they_say():
    drawn = np.random.default_rng(2).normal(0.3, 1, (300, PROMPTS))
    assert 0.93 <= covered(map(bootstrap, drawn), 0.3) <= 0.97


def test_no_difference_is_seldom_called_one():
    drawn = np.random.default_rng(3).normal(size=(RUNS // 4, 3, PROMPTS))
    found = []
    for a, b, c in drawn:
        pairs = [difference_of(Compared("a", "b", a - b), 2), difference_of(Compared("a", "c", a - c), 2)]
        found.append(any(each.winner for each in adjusted(pairs)))
    assert np.mean(found) <= 0.06


def test_preference_of_70_to_30_is_found():
    drawn = np.random.default_rng(4).random((50, 100)) < 0.7
    found = [
        preferences([Vote("a", "b", "first" if won else "second") for won in run]).differences[0].winner
        for run in drawn
    ]
    assert found.count("a") >= 45
    assert "b" not in found
