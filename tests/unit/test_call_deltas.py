"""The arguments of a call: however they are cut, and whether pieces repeat what came before, they come out whole."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessionmagic.models.call_deltas import Arguments
from tests.unit.test_answer_text import cut

pytestmark = pytest.mark.once

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='{}":,a\\é', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab{", max_size=2), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text("ab{", max_size=3), VALUES, max_size=3)
PLACES = st.lists(st.integers(0, 200), max_size=12)


def joined(pieces):
    arguments = Arguments()
    return "".join(map(arguments.join, pieces)) + arguments.rest()


@given(value=OBJECTS, places=PLACES)
def test_pieces_are_joined(value, places):
    text = json.dumps(value)
    assert json.loads(joined(cut(text, places))) == value


@given(value=OBJECTS, places=PLACES)
def test_pieces_with_all_that_came_before_are_not_joined(value, places):
    text = json.dumps(value)
    ends = [len("".join(cut(text, places)[: count + 1])) for count in range(len(cut(text, places)))]
    assert json.loads(joined([text[:end] for end in ends])) == value


@example(value={"{": {"a": False}}, places=[2])  # the second piece might also repeat the first
@given(value=OBJECTS, places=PLACES)
def test_whole_that_comes_again_at_the_end_adds_nothing(value, places):
    text = json.dumps(value)
    assert json.loads(joined([*cut(text, places), text])) == value
    assert json.loads(joined([*cut(text, places), json.dumps(value, indent=1)])) == value


def test_pieces_with_all_that_came_before_add_at_once_what_is_new():
    text = json.dumps({"path": "x y z " * 20})
    arguments = Arguments()
    assert [arguments.join(text[:end]) for end in (40, 60, 80)] == [text[:40], text[40:60], text[60:80]]
