"""Forms that a JSON schema describes."""

import pytest

from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.forms import fields_of, filled_in

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


def test_fields_are_those_of_the_schema_in_its_order():
    city, days, price, hurry, kind = fields_of(SCHEMA)
    assert (city.label, city.hint, city.required) == ("City", "where to", True)
    assert [field.kind for field in (days, price, hurry)] == ["integer", "number", "boolean"]
    assert price.default == 1.5
    assert kind.choices == ("first", "second")


def test_what_was_typed_becomes_values_and_empty_fields_are_left_out():
    typed = {"city": " Rome ", "days": "3", "price": "2.5", "hurry": "True", "class": ""}
    assert filled_in(fields_of(SCHEMA), typed) == {"city": "Rome", "days": 3, "price": 2.5, "hurry": True}


@pytest.mark.parametrize(("typed", "words"), [({"city": " "}, "City is needed"), ({"city": "R", "days": "x"}, "days")])
def test_what_does_not_fit_is_said_in_one_line(typed, words):
    with pytest.raises(UsageError, match=words) as wrong:
        filled_in(fields_of(SCHEMA), typed)
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize("schema", [{}, {"properties": []}, {"properties": {"a": 5}, "required": 3}, {"type": "array"}])
def test_odd_schema_is_a_form_of_texts_or_none(schema):
    assert all(field.kind == "string" for field in fields_of(schema))
