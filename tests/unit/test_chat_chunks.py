"""The chunks of a streamed chat completion, as they are read from the bytes of a response."""

import json

import pytest
from httpx2 import Request
from hypothesis import given
from hypothesis import strategies as st
from openai import APIError
from openai.types.chat import ChatCompletionChunk

from sessionmagic.models.chat_chunks import Events, parsed
from tests.provider import call_delta, chunk, usage

REQUEST = Request("POST", "http://lab/v1")
LINES = st.lists(
    st.sampled_from(["data: a", "data:b", "data:  c", "data", "data:", ": data: d", "event: ping", "id: 1", "", ""]),
    max_size=8,
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def read(blocks):
    events = Events()
    return [data.decode() for block in blocks for data in events.feed(block)]


def expected_of(lines):
    """Return the data of the events in these lines, as the HTML standard finds them."""
    found, data = [], []
    for line in lines:
        name, _, value = line.partition(":")
        if line and name == "data":
            data.append(value.removeprefix(" "))
        elif not line:
            found += ["\n".join(data)] if "".join(data) else []
            data = []
    return found


@given(LINES, ENDS, st.lists(st.integers(0, 100), max_size=6))
def test_events_are_the_same_however_their_bytes_are_cut(lines, end, places):
    text = "".join(f"{line}{end}" for line in lines).encode()
    cuts = sorted({place % (len(text) + 1) for place in places} | {len(text)})
    assert read(text[a:b] for a, b in zip([0, *cuts], cuts, strict=False)) == expected_of(lines)


def test_event_comes_with_the_line_that_ends_it():
    events = Events()
    assert [list(events.feed(block)) for block in (b"data: a\r\n\r", b"\ndata: b\n", b"\n")] == [[b"a"], [], [b"b"]]


@pytest.mark.parametrize(
    "body",
    [
        chunk({"content": "Hi"}),
        chunk({"role": "assistant", "content": "", "reasoning": None}, provider="lab", system_fingerprint=None),
        chunk({}, "stop", usage=usage(7, 3)),
        chunk({"tool_calls": [call_delta(0, "c", "look", "{}", extra_content={"a": 1})]}),
        chunk({"content": [{"type": "text", "text": "Hi"}]}),
        chunk({"content": 5}, "eos", created="1", usage={"prompt_tokens": 7.0}),
        chunk(choices=None),
        chunk(choices=[{"delta": None}]),
        chunk({"content": "\ud83d"}),
        {"object": "done"},
    ],
    ids=lambda body: json.dumps(body)[-40:],
)
def test_chunk_is_as_the_sdk_makes_it(body):
    found, expected = parsed(json.dumps(body).encode(), REQUEST), ChatCompletionChunk.construct(**body)
    assert found == expected
    assert repr(found) == repr(expected)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"message": "too many requests"}, "too many requests"),
        ({"code": 500}, "An error occurred during streaming"),
        ("overloaded", "An error occurred during streaming"),
    ],
)
@pytest.mark.parametrize("other", [{}, chunk({"content": "Hi"})], ids=["alone", "in a chunk"])
def test_error_in_a_chunk_is_raised(error, words, other):
    with pytest.raises(APIError, match=words) as raised:
        parsed(json.dumps(other | {"error": error}).encode(), REQUEST)
    assert raised.value.body == error


@pytest.mark.parametrize("data", [b"[1]", b"5", b"null"])
def test_json_that_is_no_object_is_passed_over(data):
    assert parsed(data, REQUEST) is None


@pytest.mark.parametrize("data", [b"{", b"hello", b'{"a": "\xff"}'])
def test_data_that_is_not_json_is_an_error(data):
    with pytest.raises(ValueError, match=r"Expecting|decode"):
        parsed(data, REQUEST)
