"""Stored records are validated as pydantic itself would do it."""

from dataclasses import asdict

import pytest
from pydantic import TypeAdapter, ValidationError

from sessionmagic.conversation.column import Column, Verdict, Vote
from sessionmagic.conversation.session import Session, TurnRecord
from sessionmagic.conversation.usage import RequestRecord, Usage
from sessionmagic.storage.validation import validated
from tests.store.test_store_contract import session, turn

ADAPTER = TypeAdapter(TurnRecord)
FULL = turn(
    1,
    requests=[RequestRecord(agent="a", model=None, usage=Usage(input_tokens=1, cost=0.5))],
    column=Column("c", 1, "label", {"seed": 7}),
    vote=Vote("1", 1.0),
    verdicts=[Verdict("j", "1", "2", "first", None)],
)


def result(validate, values):
    try:
        return validate(values)
    except ValidationError as error:
        return [(each["loc"], each["type"]) for each in error.errors()]


@pytest.mark.parametrize("name", [None, *TurnRecord.__dataclass_fields__])
@pytest.mark.parametrize("value", ["missing", None, "text", "1", 1, 1.5, True, [], [1], {}, {"a": 1}, [{"a": "b"}]])
def test_turn_is_validated_as_by_pydantic(name, value):
    values = asdict(FULL)
    if name is not None:
        values[name] = value
        if value == "missing":
            del values[name]
    expected = result(ADAPTER.validate_python, values)
    assert result(lambda given: validated(TurnRecord, given), values) == expected


def test_session_is_validated_as_by_pydantic():
    values = asdict(session(turns=(FULL, turn(2)), head="2"))
    assert validated(Session, values) == TypeAdapter(Session).validate_python(values)
    assert type(validated(Session, {**values, "more": 1}).turns) is tuple
