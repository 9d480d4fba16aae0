"""JSON by orjson and by the standard library: each reads what the other writes, and both refuse the same."""

import json
from dataclasses import dataclass

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessionmagic.json_bytes import DEEPEST, dumps, loads, standard_dumps, standard_loads

FAST_AND_STANDARD = [(dumps, standard_loads), (standard_dumps, loads), (standard_dumps, standard_loads)]


@dataclass
class Record:
    name: str
    content: object
    _hidden: int = 0


keys = st.text() | st.integers() | st.floats() | st.none() | st.booleans()
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary()
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner) | st.dictionaries(keys, inner) | st.builds(Record, st.text(), inner) | st.tuples(inner)
    ),
)
"""Also some that cannot be written: large integers, bytes, and texts with lone surrogates."""


def outcome(call, *args):
    try:
        return repr(call(*args))  # which tells 1 from 1.0, and 0.0 from -0.0
    except (TypeError, json.JSONDecodeError) as error:
        return json.JSONDecodeError if isinstance(error, json.JSONDecodeError) else TypeError


@given(values)
@example(1e-7)
@example([1e16, -0.0, 2**64 - 1, -(2**63), float("nan"), float("inf")])
@example(2**64)
@example({2**64: 1})
@example("\ud800")
@example({"\ud800": 1})
@example(b"")
@example({b"": 1})
@example(Record)
def test_both_write_the_same_values_and_refuse_the_same(value):
    expected = outcome(lambda: loads(dumps(value)))
    for write, read in FAST_AND_STANDARD:
        assert outcome(lambda: read(write(value))) == expected  # noqa: B023  called at once


texts = st.text(st.sampled_from('[]{}:,"\\ud8ABcf019-+.eE \n\tnultrefasNI')) | st.text() | values.map(repr)


@given(texts | texts.map(str.encode) | st.binary() | values.map(lambda value: json.dumps(repr(value))))
@example("-0")
@example("1e400")
@example("9" * 5000)
@example(str(2**64))
@example(str(-(2**63) - 1))
@example("NaN")
@example('"\\ud83d\\ude00"')
@example('"\\ud83d"')
@example('"\\uD83D"')
@example('"\\\\ud83d"')
@example("\ud83d")
@example('"\ud83d"')
@example("\ufeff1")
@example(b"\xef\xbb\xbf1")
@example(b'"\xff"')
@example('"\x00"')
@example('{"a":1,"a":2}')
@example(b"")
def test_both_read_the_same_and_refuse_the_same(content):
    if isinstance(content, str):
        content = content.encode(errors="surrogatepass")
    assert outcome(standard_loads, content) == outcome(loads, content) == outcome(standard_loads, memoryview(content))


@pytest.mark.parametrize("nest", [lambda value: [value], lambda value: {"a": value}, lambda value: Record("", value)])
def test_both_write_values_of_the_same_depth(nest):
    value = 1
    for _ in range(DEEPEST):
        value = nest(value)
    assert loads(standard_dumps(value)) == loads(dumps(value)) == standard_loads(dumps(value))
    for write in (dumps, standard_dumps):
        with pytest.raises(TypeError):
            write(nest(value))


def test_values_that_are_nested_too_deep_are_not_read():
    for read in (loads, standard_loads):
        with pytest.raises(json.JSONDecodeError):
            read("[" * 100_000)


def test_not_a_number_is_read_as_nothing():
    assert [read(write([float("nan")])) for write, read in FAST_AND_STANDARD] == [[None]] * 3


def test_orjson_is_used_where_it_is_installed():
    assert loads is orjson.loads
