"""Votes, and the strengths that explain them."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionmagic.comparing.preferences import Vote, preferences, votes_among
from sessionmagic.exceptions import UsageError
from tests.examples import examples

OUTCOMES = ["first", "second", "tie", "both bad"]


def votes(first, second, wins=0, losses=0, ties=0):
    return [Vote(first, second, each) for each in ["first"] * wins + ["second"] * losses + ["tie"] * ties]


def strengths(found):
    return {each.contestant: each.strength for each in found.strengths}


def test_strengths_of_two_explain_the_share_of_wins():
    found = strengths(preferences(votes("a", "b", 70, 30)))
    odds = {label: each / (1 - each) for label, each in found.items()}
    assert odds["a"] / odds["b"] == pytest.approx(7 / 3)
    assert found["a"] + found["b"] == pytest.approx(1)


def test_strengths_reach_contestants_that_never_met():
    found = strengths(preferences([*votes("a", "b", 60, 30), *votes("b", "c", 60, 30)]))
    assert found["a"] == pytest.approx(2 / 3)
    assert found["b"] == pytest.approx(0.5)
    assert found["c"] == pytest.approx(1 / 3)


def test_tie_is_half_a_win_of_both():
    with_ties = preferences(votes("a", "b", 20, 10, 10))
    assert strengths(with_ties)["a"] == pytest.approx(strengths(preferences(votes("a", "b", 25, 15)))["a"])
    [line, _] = with_ties.strengths
    assert (line.wins, line.losses, line.ties, line.votes) == (20, 10, 10, 40)


def test_interval_is_that_of_the_log_odds():
    [line, _] = preferences(votes("a", "b", 70, 30)).strengths
    middle = math.log(line.strength / (1 - line.strength))
    half = math.log(line.interval.high / (1 - line.interval.high)) - middle
    assert half == pytest.approx(1.984 * math.sqrt(1 / 70 + 1 / 30) / 2 * math.sqrt(100 / 99), rel=0.01)


def test_votes_on_one_prompt_do_not_count_as_many():
    apart = preferences(votes("a", "b", 40, 20))
    together = preferences(
        [Vote("a", "b", "first" if prompt < 4 else "second", prompt) for prompt in range(6) for _ in range(10)]
    )
    assert strengths(apart) == pytest.approx(strengths(together))
    assert together.strengths[0].interval.low < apart.strengths[0].interval.low
    assert together.differences[0].verdict.startswith("too few to tell: 6 prompts")


def test_contestant_that_was_never_beaten_has_no_strength():
    found = preferences([*votes("a", "b", 5), *votes("b", "c", 3, 3), *votes("c", "d", 2)])
    assert set(strengths(found).values()) == {None}
    assert found.unconnected == ("a was never beaten", "d never won")
    assert "a was never beaten; d never won" in str(found)


def test_contestants_without_common_votes_are_named():
    found = preferences([*votes("a", "b", 1, 1), *votes("c", "d", 1, 1)])
    assert found.unconnected == ("a and b were never compared with others", "c and d were never compared with others")


def test_no_votes_and_only_ties_give_a_line():
    assert str(preferences([])) == "no votes"
    assert "mean: the share of votes for the first minus that for the second" in str(preferences(votes("a", "b", 3, 3)))
    assert [each.strength for each in preferences(votes("a", "b", ties=30)).strengths] == [0.5, 0.5]
    assert preferences(votes("a", "b", ties=30)).differences[0].winner is None


def test_both_bad_is_a_tie_that_is_counted_apart():
    found = preferences([*votes("a", "b", 3, 3), Vote("a", "b", "both bad")])
    assert (found.votes, found.ties, found.both_bad) == (7, 1, 1)


def test_pair_is_found_whichever_answer_stood_first():
    found = preferences([*votes("a", "b", 15, 5), *votes("b", "a", 5, 15)])
    [difference] = found.differences
    assert (difference.first, difference.prompts, difference.mean, difference.test) == ("a", 40, 0.5, "sign test")
    assert difference.winner == "a"


@settings(max_examples=examples(10))
@given(
    st.lists(st.tuples(st.permutations("abcd"), st.sampled_from(OUTCOMES), st.integers(0, 9)), max_size=40),
    st.permutations("abcd"),
)
def test_names_and_orders_do_not_change_what_votes_say(drawn, names):
    renamed = dict(zip("abcd", names, strict=True))
    before = [Vote(labels[0], labels[1], outcome, prompt) for labels, outcome, prompt in drawn]
    after = [vote._replace(first=renamed[vote.first], second=renamed[vote.second]) for vote in reversed(before)]
    one, other = preferences(before, "abcd"), preferences(after, "abcd")
    lines = {each.contestant: each for each in other.strengths}
    for line in one.strengths:
        same = lines[renamed[line.contestant]]
        assert (line.wins, line.losses, line.ties) == (same.wins, same.losses, same.ties)
        assert line.strength == (None if same.strength is None else pytest.approx(same.strength, abs=1e-6))
    pairs = {frozenset((each.first, each.second)): each for each in other.differences}
    for each in one.differences:
        same = pairs[frozenset((renamed[each.first], renamed[each.second]))]
        assert each.p == pytest.approx(same.p)
        assert each.mean == pytest.approx(same.mean if same.first == renamed[each.first] else -same.mean)


def test_choice_among_three_prefers_one_to_each_other():
    assert votes_among(["a", "b", "c"], "b", prompt=1) == [Vote("b", "a", "first", 1), Vote("b", "c", "first", 1)]
    assert [vote.outcome for vote in votes_among(["a", "b", "c"])] == ["tie"] * 3
    assert {vote.outcome for vote in votes_among(["a", "b"], all_bad=True)} == {"both bad"}


def test_vote_for_what_did_not_answer_is_refused():
    with pytest.raises(UsageError, match="'locla' did not answer; did you mean 'local'"):
        votes_among(["local", "b"], "locla")
    with pytest.raises(UsageError, match="two contestants"):
        preferences([Vote("a", "a", "tie")])


def test_winner_of_bad_answers_is_refused():
    with pytest.raises(UsageError, match="vote for one, or for none"):
        votes_among(["a", "b"], "a", all_bad=True)


def test_votes_have_frames_and_a_plot():
    from matplotlib.figure import Figure

    found = preferences([*votes("a", "b", 15, 8), *votes("c", "d", 1)])
    assert list(found.to_frame().contestant) == ["a", "b", "c", "d"]
    assert list(found.to_frame("differences").second) == ["b", "d"]
    axes = Figure().subplots()
    assert found.plot(axes) is axes
    assert len(axes.get_yticklabels()) == 4
