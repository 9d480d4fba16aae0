"""Differences of scores, taken at the same prompt."""

import math
import sys

import numpy as np
import pytest
from scipy import stats

from sessionmagic.comparing.intervals import detectable
from sessionmagic.comparing.scores import Scored
from sessionmagic.comparing.statistics import summaries, summarize
from sessionmagic.exceptions import UsageError


def rows(**scores):
    """Return the scores of contestants, one for each prompt."""
    return [Scored(prompt, label, 0, score) for label, each in scores.items() for prompt, score in enumerate(each)]


def noise(seed, count=30):
    return np.random.default_rng(seed).normal(size=count)


def only_difference(**scores):
    [difference] = summarize(rows(**scores)).differences
    return difference


def test_difference_is_that_of_the_paired_t_test():
    a, b = noise(1) + 1, noise(2)
    known = stats.ttest_rel(a, b)
    found = only_difference(a=a, b=b)
    assert found.mean == pytest.approx((a - b).mean())
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(known.confidence_interval(0.95)))
    assert found.p == pytest.approx(known.pvalue)
    assert found.adjusted_p == found.p
    assert found.test == "Student's t"
    assert found.verdict == "a is better than b"


def test_prompts_that_are_hard_for_both_do_not_hide_a_difference():
    difficulty = 100 * noise(1)
    found = only_difference(a=difficulty + 1 + 0.1 * noise(2), b=difficulty)
    assert found.winner == "a"


def test_repeats_are_averaged_before_prompts_are_compared():
    once = rows(a=noise(1), b=noise(2))
    thrice = [
        row._replace(repeat=repeat, score=row.score + step) for row in once for repeat, step in enumerate((-1, 0, 1))
    ]
    [first], [second] = summarize(once).differences, summarize(thrice).differences
    assert second.prompts == 30
    assert second.p == pytest.approx(first.p)
    assert summarize(thrice).means[0].scores == 90


def test_lower_is_better_for_times_and_costs():
    [found] = summarize(rows(a=noise(1) + 5, b=noise(2)), lower_is_better=True).differences
    assert found.verdict == "b is better than a"


def test_fewer_than_20_prompts_have_no_winner():
    a, b = noise(1, 20) + 9, noise(2, 20)
    assert only_difference(a=a[:19], b=b[:19]).verdict == "too few to tell: 19 prompts, at least 20 are needed"
    assert only_difference(a=a, b=b).winner == "a"


def test_no_difference_is_said_with_the_number_of_prompts():
    assert only_difference(a=noise(1), b=noise(2)).verdict == "no difference that 30 prompts could show"


def test_smallest_difference_is_that_of_known_tables():
    found = only_difference(a=noise(1, 34), b=noise(2, 34))
    spread = (noise(1, 34) - noise(2, 34)).std(ddof=1)
    assert found.smallest / spread == pytest.approx(0.495, abs=0.002)  # 34 pairs find 0.5 deviations (Cohen)


@pytest.mark.parametrize("count", [3, 38, 109, 500])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 10, 0.05 / 435])
def test_smallest_difference_is_found_in_four_of_five_experiments(count, alpha):
    least = stats.t.isf(alpha / 2, count - 1)
    assert stats.nct.sf(least, count - 1, detectable(count, alpha) * math.sqrt(count)) == pytest.approx(0.8)


def test_smallest_difference_is_one_that_is_possible():
    shown = summarize(rows(a=[True, False, True, False, True], b=[False, True, True, True, True]))
    assert shown.differences[0].smallest is None
    assert "–: not known, because there are too few prompts" in str(shown)


def test_smallest_difference_is_larger_where_many_pairs_are_tested():
    few = summarize(rows(a=noise(1), b=noise(2))).differences[0]
    many = summarize(rows(a=noise(1), b=noise(2), c=noise(3))).differences[0]
    assert few.smallest < many.smallest


def test_yes_and_no_are_compared_by_the_exact_test_of_mcnemar():
    a = [True] * 10 + [False] * 2 + [True] * 20
    b = [False] * 10 + [True] * 2 + [True] * 20
    found = only_difference(a=a, b=b)
    assert found.test == "exact McNemar"
    assert found.p == pytest.approx(2 * sum(math.comb(12, k) for k in range(3)) / 2**12)
    assert found.mean == pytest.approx(8 / 32)
    assert found.winner == "a"


@pytest.mark.parametrize("yes", [True, np.True_, 1, 1.0])
def test_bools_of_any_library_and_ones_and_zeros_are_yes_and_no(yes):
    found = summarize(rows(a=[yes, yes, type(yes)(0)], b=[yes] * 3))
    assert found.yes_no
    assert "share of yes" in str(found)


def test_zeros_alone_are_numbers():
    assert not summarize(rows(a=[0.0] * 30, b=[0.0] * 30)).yes_no


def test_share_of_all_has_an_interval():
    [mean, _] = summarize(rows(a=[True] * 20, b=[False] * 20)).means
    assert mean.mean == 1
    assert mean.interval.low == pytest.approx(0.839, abs=0.001)  # Wilson
    assert mean.interval.high == 1


def test_repeats_of_yes_and_no_that_disagree_are_compared_as_shares():
    random = np.random.default_rng(0)
    many = [
        Scored(prompt, label, repeat, bool(random.random() < 0.5))
        for prompt in range(30)
        for label in "ab"
        for repeat in (0, 1)
    ]
    [found] = summarize(many).differences
    assert found.test == "Student's t"


def test_p_values_of_several_pairs_are_adjusted():
    found = summarize(rows(a=noise(1) + 0.6, b=noise(2), c=noise(3) + 0.3)).differences
    ordered = sorted(found, key=lambda each: each.p)
    step = [min(1, (3 - place) * each.p) for place, each in enumerate(ordered)]
    assert [each.adjusted_p for each in ordered] == pytest.approx(np.maximum.accumulate(step))


def test_missing_scores_are_left_out_of_a_pair_and_counted():
    a, b, c = list(noise(1)), list(noise(2)), list(noise(3))
    a[0], a[1], b[1], b[2] = None, ValueError("no score"), math.nan, math.inf
    shown = summarize(rows(a=a, b=b, c=c))
    assert [each.missing for each in shown.means] == [2, 2, 0]
    assert [(each.prompts, each.left_out) for each in shown.differences] == [(27, 3), (28, 2), (28, 2)]
    assert "without a score, and not counted: 2 answers of a, 2 answers of b" in str(shown)
    assert "up to 3 prompts left out of a pair" in str(shown)


def test_prompt_that_one_contestant_was_never_asked_is_left_out():
    found = only_difference(a=noise(1), b=noise(2, 25))
    assert (found.prompts, found.left_out) == (25, 5)


@pytest.mark.parametrize("score", ["1", b"1", object(), 10**400, 1e200, [1, 2], np.array([1, 2]), complex(1, 1)])
def test_what_is_not_a_number_is_a_missing_score(score):
    assert summarize(rows(a=[score])).means[0].missing == 1


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("step", [0, 0.1, 1])
def test_few_prompts_and_constant_differences_give_a_line_each(count, step):
    shown = summarize(rows(a=[place / 3 + step for place in range(count)], b=[place / 3 for place in range(count)]))
    assert all(each.winner is None for each in shown.differences)
    assert str(shown)


def test_constant_difference_has_no_interval_and_is_tested_by_its_sign():
    found = only_difference(a=[place / 7 + 0.1 for place in range(20)], b=[place / 7 for place in range(20)])
    assert found.interval is found.bootstrap is found.smallest is None
    assert found.p == pytest.approx(2 / 2**20)
    assert found.winner == "a"


def test_equal_scores_are_no_difference():
    found = only_difference(a=noise(1), b=noise(1))
    assert (found.mean, found.p) == (0, 1)
    assert found.verdict == "no difference that 30 prompts could show"


@pytest.mark.parametrize("values", [[1e99, -1e99, 3.0], [1e-300, 2e-300, 5e-300], [5.0, 5.0, 5.0 + 1e-15]])
def test_extreme_numbers_do_not_warn(values):
    shown = summarize(rows(a=values * 10, b=[0.0] * 30))
    assert str(shown)
    assert str(shown.to_frame("differences"))


def test_all_errors_nothing_and_one_contestant_give_a_line_each():
    assert "nothing to compare" in str(summarize(rows(a=[None] * 3, b=[None] * 3)))
    assert str(summarize([])) == "score: no scores"
    assert len(str(summarize(rows(a=noise(1)))).splitlines()) == 3
    assert summarize([], contestants=["a", "b"]).means[1].prompts == 0


def test_bootstrap_is_close_to_the_t_interval_and_does_not_depend_on_the_order_of_rows():
    many = rows(a=noise(1, 200) + 0.3, b=noise(2, 200))
    [found], [again] = summarize(many).differences, summarize([*reversed(many)], contestants=["a", "b"]).differences
    assert found.bootstrap == again.bootstrap
    assert found.bootstrap.low == pytest.approx(found.interval.low, abs=0.02)
    assert found.bootstrap.high == pytest.approx(found.interval.high, abs=0.02)


def test_each_column_has_its_statistics():
    many = rows(a=[{"right": True, "length": 5.0 + each} for each in noise(1)], b=[{"right": False} for _ in range(30)])
    many[0] = many[0]._replace(score=ValueError("no score"))
    found = summaries(many, lower_is_better=["length"])
    assert list(found) == ["right", "length"]
    assert [each.missing for each in found["length"].means] == [1, 30]
    assert found["right"].differences[0].winner == "a"
    assert found["length"].lower_is_better


def test_frames_have_a_row_for_each_contestant_or_pair():
    shown = summarize(rows(a=noise(1), b=noise(2), c=noise(3)))
    assert list(shown.to_frame().contestant) == ["a", "b", "c"]
    pairs = shown.to_frame("differences")
    assert list(pairs.second) == ["b", "c", "c"]
    assert {"low", "high", "bootstrap_low", "bootstrap_high", "verdict"} <= set(pairs.columns)


def test_plot_has_a_label_for_each_line():
    import matplotlib as mpl

    mpl.use("agg")
    shown = summarize(rows(**{"a$x$": noise(1), "b": noise(2), "c": [None] * 30}))
    assert [label.get_text() for label in shown.plot().get_yticklabels()] == [r"a\$x\$", "b", "c"]
    assert len(shown.plot("differences").get_yticklabels()) == 3


def test_missing_library_is_an_error_that_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "statsmodels", None)
    with pytest.raises(UsageError, match=r'statsmodels.*pip install "sessionmagic\[compare\]"'):
        summarize([])


def test_missing_matplotlib_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match="pip install matplotlib"):
        summarize(rows(a=noise(1))).plot()


def test_large_numbers_and_missing_means_are_shown():
    shown = str(summarize(rows(a=1_234_567 + noise(1), b=1_000 + noise(2), c=[None] * 30)))
    assert "1,234,567" in shown
    assert "nothing to compare" in shown


def test_many_prompts_and_pairs_have_no_bootstrap_and_say_so(monkeypatch):
    monkeypatch.setattr("sessionmagic.comparing.intervals.MOST_DRAWN", 1_000)
    shown = summarize(rows(a=noise(1), b=noise(2)))
    assert shown.differences[0].bootstrap is None
    assert "no bootstrap: it would take long" in str(shown)


def test_pairs_beyond_the_first_are_counted():
    many = {f"c{each}": noise(each, 5) for each in range(9)}
    assert 'not shown: 6 more pairs; .to_frame("differences") has all' in str(summarize(rows(**many)))


def test_rounding_is_shown_as_zero():
    scores = [0.1, 0.2, -0.3] * 10
    shown = summarize(rows(a=scores, b=[0.0] * 30))
    assert sum(scores) != 0
    assert shown.means[0].mean == shown.differences[0].mean == 0
    assert "e-" not in str(shown)
