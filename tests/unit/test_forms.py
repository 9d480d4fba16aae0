"""Forms that a JSON schema describes."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.forms import (
    CHOICE_LIMIT,
    FIELD_LIMIT,
    HINT_LENGTH,
    LABEL_LENGTH,
    Field,
    fields_of,
    filled_in,
)

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "title": "City", "description": "where to"},
        "days": {"type": "integer"},
        "price": {"type": "number", "default": 1.5},
        "hurry": {"type": "boolean"},
        "class": {"type": "string", "enum": ["first", "second"]},
    },
    "required": ["city"],
}
FOOD = [{"const": "v", "title": "Vegetarian"}, {"const": "f", "title": "Fish"}, {"const": "m", "title": "Meat"}]


def field(about, *, required=False):
    [made] = fields_of({"properties": {"it": about}, "required": ["it"] if required else []})
    return made


def titles(about):
    return [choice.title for choice in field(about).choices]


def test_fields_are_those_of_the_schema_in_its_order():
    city, days, price, hurry, kind = fields_of(SCHEMA)
    assert (city.label, city.hint, city.required) == ("City", "where to", True)
    assert [field.kind for field in (days, price, hurry)] == ["integer", "number", "boolean"]
    assert (price.default, price.prefilled) == (1.5, "1.5")
    assert kind.choices == (("first", "first"), ("second", "second"))


def test_what_was_typed_becomes_values_and_empty_fields_are_left_out():
    typed = {"city": " Rome ", "days": "3", "price": "2.5", "hurry": "True", "class": ""}
    answer = filled_in(fields_of(SCHEMA), lambda field: field.value(typed[field.name]))
    assert answer == {"city": "Rome", "days": 3, "price": 2.5, "hurry": True}


@pytest.mark.parametrize(
    ("about", "typed", "words"),
    [
        ({}, " ", "it is required"),
        ({"type": "integer"}, "x", "it: 'x' is not an integer"),
        ({"type": "number"}, "nan", "it: 'nan' is not a number"),
        ({"type": "boolean"}, "maybe", "it: 'maybe' is neither yes nor no"),
        ({"type": "array"}, "[1,\n2", "it: '[1, 2' is not valid JSON"),
        ({"type": "array"}, "[NaN]", "it: '[NaN]' is not valid JSON"),
        ({"type": "object"}, "[" * 100_000, "is not valid JSON"),
        ({"enum": ["a", "b"]}, "c", "it: 'c' is not one of the choices"),
        ({"enum": ["a", "b"]}, "3", "it: '3' is not one of the choices"),
        ({"enum": ["a", "b"]}, "", "it is required"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, "a, c", "it: 'c' is not one of the choices"),
    ],
)
def test_what_does_not_fit_is_said_in_one_short_line(about, typed, words):
    with pytest.raises(UsageError) as wrong:
        field(about, required=True).value(typed)
    assert words in str(wrong.value)
    assert "\n" not in str(wrong.value)
    assert len(str(wrong.value)) < 2 * LABEL_LENGTH


@pytest.mark.parametrize(
    ("about", "shown"),
    [
        ({"type": "string", "enum": ["v", "f", "m"]}, ["v", "f", "m"]),
        (
            {"type": "string", "enum": ["v", "f", "m"], "enumNames": ["Vegetarian", "Fish", "Meat"]},
            ["Vegetarian", "Fish", "Meat"],
        ),
        ({"type": "string", "enum": ["v", "f", "m"], "enumNames": ["Vegetarian"]}, ["v", "f", "m"]),
        ({"type": "string", "oneOf": FOOD}, ["Vegetarian", "Fish", "Meat"]),
        ({"oneOf": [{"const": "v"}, {"const": "f", "title": ""}, {"const": "m"}]}, ["v", "f", "m"]),
    ],
)
def test_choice_is_shown_by_its_title_and_answered_with_its_value(about, shown):
    it = field({**about, "default": "f"})
    assert [choice.title for choice in it.choices] == shown
    assert it.preselected == (1,)
    assert [it.value(title) for title in shown] == [it.value(number) for number in "123"] == ["v", "f", "m"]
    assert [it.picked([place]) for place in range(3)] == ["v", "f", "m"]
    assert it.value("") is it.picked([]) is None


@pytest.mark.parametrize("items", [{"type": "string", "enum": ["v", "f", "m"]}, {"anyOf": FOOD}, {"oneOf": FOOD}])
def test_several_choices_are_answered_with_a_list_in_the_forms_order(items):
    it = field({"type": "array", "items": items, "default": ["m", "v"]})
    assert it.preselected == (0, 2)
    assert it.value(f"3, {it.choices[0].title},1") == it.picked([2, 0]) == ["v", "m"]
    assert it.value(" , ") is it.picked([]) is None
    assert field({"type": "array", "items": items}, required=True).picked([]) == []


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"minItems": 1}, "at least 1 of them"),
        ({"maxItems": 2}, "at most 2 of them"),
        ({"minItems": 1, "maxItems": 2}, "1 to 2 of them"),
        ({}, "any of them"),
    ],
)
def test_hint_says_how_many_choices_are_wanted(bounds, words):
    about = {"type": "array", "items": {"enum": ["a"]}, "description": "What you eat"}
    assert field(about | bounds).hint == f"What you eat · {words}"


def test_values_of_choices_keep_their_types():
    it = field({"enum": [30, 10, None, True, "x", [1]]})
    assert [it.picked([place]) for place in (0, 1, 3, 4, 5)] == [30, 10, True, "x", [1]]
    assert titles({"enum": [1.5, True, "x", [1]]}) == ["1.5", "true", "x", "[1]"]


def test_number_that_is_a_title_stands_for_that_choice_only():
    it = field({"enum": [3, 2]})
    assert not it.numbered
    assert it.value("2") == 2
    with pytest.raises(UsageError):
        it.value("1")


def test_title_that_two_choices_have_stands_for_neither():
    it = field({"oneOf": [{"const": "a", "title": "Same"}, {"const": "b", "title": "Same"}]})
    assert it.value("2") == "b"
    with pytest.raises(UsageError):
        it.value("Same")


@pytest.mark.parametrize(
    "about",
    [
        {"type": "object", "properties": {"a": {"type": "string"}}},
        {"type": "array", "items": {"type": "integer"}},
        {"type": "array", "items": {"enum": []}},
        {"type": ["string", "null"]},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"$ref": "#/$defs/X"},
    ],
)
def test_any_other_value_is_typed_as_json_and_the_hint_says_so(about):
    it = field({**about, "description": "Give it", "default": ["x"]})
    assert (it.kind, it.hint) == ("json", 'Give it · as JSON, such as ["a", "b"]')
    assert it.prefilled == '["x"]'
    assert it.value('{"a": [1, "x"]}') == {"a": [1, "x"]}


@pytest.mark.parametrize(
    ("about", "default"),
    [
        ({"type": "string"}, 5),
        ({"type": "integer"}, True),
        ({"type": "number"}, "1"),
        ({"type": "boolean"}, 1),
        ({"enum": ["a"]}, "b"),
        ({"type": "array", "items": {"enum": ["a"]}}, "a"),
        ({"type": "array", "items": {"enum": ["a"]}}, ["a", "b"]),
    ],
)
def test_default_that_its_field_does_not_allow_is_none(about, default):
    it = field({**about, "default": default})
    assert (it.default, it.prefilled, it.preselected) == (None, "", ())


@pytest.mark.parametrize("schema", [{}, {"properties": []}, {"properties": {"a": 5}, "required": 3}, {"type": "array"}])
def test_odd_schema_is_a_form_of_texts_or_none(schema):
    assert all(field.kind == "string" for field in fields_of(schema))


def test_form_with_too_many_fields_or_choices_is_declined_in_one_line():
    def of(number, about):
        return {"properties": {f"p{at}": about for at in range(number)}}

    assert len(fields_of(of(FIELD_LIMIT, {}))) == FIELD_LIMIT
    with pytest.raises(UsageError, match=f"cannot be filled in here: it has {FIELD_LIMIT + 1} fields; decline it"):
        fields_of(of(FIELD_LIMIT + 1, {}))
    values = [str(number) for number in range(CHOICE_LIMIT + 1)]
    assert len(field({"enum": values[1:]}).choices) == CHOICE_LIMIT
    for about in ({"enum": values}, {"type": "array", "items": {"enum": values}}):
        with pytest.raises(UsageError, match=f"cannot be filled in here: p0 has {CHOICE_LIMIT + 1} choices"):
            fields_of(of(1, about))


def test_words_of_a_form_are_short_lines_without_control_characters():
    hostile = "a\n\x1b[2J\u202e" + "x" * 5_000
    about = {"title": hostile, "description": hostile, "oneOf": [{"const": "v", "title": hostile}, {"const": hostile}]}
    it = field(about)
    words = [it.label, it.hint, *(choice.title for choice in it.choices)]
    assert all(each.startswith("a ␛[2J⟨U+202E⟩xxx") and each.endswith("x…") for each in words)
    assert [len(each) for each in words] == [LABEL_LENGTH, HINT_LENGTH, LABEL_LENGTH, LABEL_LENGTH]
    assert it.picked([1]) == hostile


KEYWORDS = [
    *("type", "title", "enum", "enumNames", "oneOf", "anyOf", "const"),
    *("items", "default", "description", "properties", "required", "minItems", "maxItems"),
]
JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=3),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(
            some.sampled_from(KEYWORDS),
            inner | some.sampled_from(["array", "object", "string", "integer", "number", "boolean"]),
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(about=JSON, required=JSON)
def test_whatever_the_schema_a_form_can_be_shown_and_answered(about, required):
    for it in fields_of({"properties": {"it": about}, "required": required}):
        assert isinstance(it, Field)
        assert all(isinstance(words, str) for words in (it.label, it.hint, it.prefilled))
        for text in ("", "1", "x", it.prefilled):
            try:
                it.value(text)
                it.picked(it.preselected)
            except UsageError as error:  # a refusal is as good as an answer
                assert "\n" not in str(error)  # noqa: PT017
