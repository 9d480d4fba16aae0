"""Chunks of a chat completion that have arrived together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from sessionmagic.models.joined_chunks import joined
from tests.provider import call_delta, chunk, usage

TAGS = ("<think>", "</think>")
PIECES = st.lists(st.sampled_from([*TAGS, "<", "think>", "</", "", "a plan", "\n"]), max_size=8)


def chunk_of(delta=None, finish=None, **more):
    return ChatCompletionChunk.construct(**chunk(delta, finish, **more))


def joined_of(*chunks):
    return joined(chunks, TAGS, ("reasoning", "reasoning_content"))


def contents(chunks):
    return [each.choices[0].delta.content for each in chunks]


def test_adjacent_text_is_joined():
    chunks = [
        chunk_of({"role": "assistant", "content": ""}),
        chunk_of({"content": "It is "}),
        chunk_of({"content": "a"}),
    ]
    assert contents(joined_of(*chunks)) == ["It is a"]


def test_adjacent_reasoning_is_joined_and_kept_apart_from_text():
    deltas = [
        {"reasoning": "hm", "content": None},
        {"reasoning": ", yes", "content": ""},
        {"reasoning": None, "content": "It is "},
        {"reasoning": None, "content": "fine."},
    ]
    found = [each.choices[0].delta for each in joined_of(*map(chunk_of, deltas))]
    assert [(each.reasoning, each.content) for each in found] == [("hm, yes", None), (None, "It is fine.")]


@given(PIECES)
def test_tags_by_themselves_stay_so_and_no_others_become_so(pieces):
    found = contents(joined_of(*(chunk_of({"content": piece}) for piece in pieces)))
    assert "".join(found) == "".join(pieces)
    assert [piece for piece in found if piece in TAGS] == [piece for piece in pieces if piece in TAGS]


OTHERS = {
    "an end": chunk({"content": "b"}, "stop"),
    "usage": chunk({"content": "b"}, usage=usage(7, 3)),
    "another id": chunk({"content": "b"}, id="c2"),
    "another model": chunk({"content": "b"}, model="another"),
    "another provider": chunk({"content": "b"}, provider="another"),
    "a refusal": chunk({"content": "b", "refusal": "no"}),
    "reasoning and text": chunk({"content": "b", "reasoning": "hm"}),
    "a source": chunk({"content": "b", "annotations": [{"type": "url_citation"}]}),
    "a list": chunk({"content": ["b"]}),
    "a call": chunk({"tool_calls": [call_delta(0, "c", "look", "{}")]}),
    "probabilities": chunk(choices=[{"index": 0, "delta": {"content": "b"}, "logprobs": {"content": []}}]),
    "why it stopped": chunk(choices=[{"index": 0, "delta": {"content": "b"}, "stop_reason": 2}]),
    "no delta": chunk(choices=[{"index": 0, "delta": None}]),
    "no choice": chunk(choices=[]),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_chunk_that_brings_anything_else_is_not_joined(other):
    def chunks():
        return [chunk_of({"content": "a"}), ChatCompletionChunk.construct(**other), chunk_of({"content": "c"})]

    assert [*map(repr, joined_of(*chunks()))] == [*map(repr, chunks())]
