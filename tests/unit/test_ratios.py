"""The ratios and verdicts of a comparison with an older revision."""

import pytest

from benchmarks.figures import Figure, not_measured, sample
from benchmarks.ratios import Failure, comparison, lines

pytestmark = pytest.mark.once

WHAT = "writing, ms"


def rounds(*pairs, **target):
    return [tuple([Figure(WHAT, sample([value]), **target)] for value in pair) for pair in pairs]


def line(*pairs, **target):
    [found] = lines("group", "abc", rounds(*pairs, **target))
    return found


@pytest.mark.parametrize(
    ("pairs", "verdict"),
    [
        ([(2, 1), (3, 1), (1.06, 1)], "worse"),
        ([(2, 1), (3, 1), (1.05, 1)], "same"),
        ([(1, 2), (1, 3), (1, 1.06)], "better"),
        ([(1, 2), (1, 3), (1, 1.04)], "same"),
        ([(0, 0), (0, 0)], "same"),
        ([(1, 0), (2, 0)], "worse"),
    ],
)
def test_a_figure_is_worse_or_better_only_when_it_is_so_in_all_rounds(pairs, verdict):
    assert line(*pairs).verdict == verdict
    assert line(*pairs).is_bad == (verdict == "worse")


def test_less_is_worse_where_a_figure_should_be_high():
    assert line((50, 100), (90, 100), at_least=10).verdict == "worse"
    assert line((100, 50), (100, 90), at_least=10).verdict == "better"
    assert line((0, 100), (0, 100), at_least=0).verdict == "worse"


def test_a_missed_target_is_bad_though_it_is_better_than_before():
    found = line((10, 100), (10, 100), at_most=5)
    assert (found.verdict, found.figure.verdict, found.is_bad) == ("better", "MISSED", True)


def test_a_ratio_is_that_of_the_medians_of_a_round():
    figures = [Figure(WHAT, sample(values)) for values in ((1, 2, 90), (4, 4, 5))]
    [found] = lines("group", "abc", [([figures[0]], [figures[1]])])
    assert found.ratios.values == (0.5,)
    assert found.figure.measured.values == (1, 2, 90)


@pytest.mark.parametrize("before", [Failure("no such option"), [], [Figure(WHAT, sample([], note="no such option"))]])
def test_what_the_older_revision_cannot_do_is_said_and_is_not_bad(before):
    [found] = lines("group", "abc", [([Figure(WHAT, sample([1]))], before)])
    assert str(found.before).startswith("not measured in abc: ")
    assert (found.verdict, found.is_bad) == ("–", False)


def test_what_fails_now_is_bad():
    [found] = lines("group part", "abc", [*rounds((1, 1)), (Failure("ValueError: no"), Failure("ValueError: no"))])
    assert found.is_bad
    assert "group part: FAILED" in comparison([found], "abc")
    assert "ValueError: no" in comparison([found], "abc")


def test_the_table_has_both_sides_and_the_spread_of_the_ratios():
    head, _, row = comparison([line((1, 2), (3, 2))], "abc").splitlines()
    assert head.split() == ["figure", "now", "abc", "ratio", "beside", "it", "target", "verdict"]
    assert row.split("  ")[0] == WHAT
    assert "1.00 × (0.50 × to 1.50 ×)" in row


def test_figure_with_a_target_has_failed_when_it_has_no_values_and_nobody_says_why():
    assert Figure(WHAT, sample([]), at_most=2).verdict == "FAILED"
    assert Figure(WHAT, not_measured("there is no chatlas"), at_most=2).verdict == "–"
    assert Figure(WHAT, sample([])).verdict == "–"
