"""Model requests in the form in which they are compared."""

import contextvars

import pytest
from pydantic_ai.messages import (
    BinaryContent,
    ImageUrl,
    ModelRequest,
    ModelResponse,
    RetryFeedbackPart,
    RetryInfo,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.test import TestModel

from sessionmagic import ReplayError
from sessionmagic.conversation.usage import RequestRecord
from sessionmagic.models.difference import Said
from sessionmagic.models.recording import Answer, Recording, Wanted
from sessionmagic.models.resolved import ResolvedModel
from sessionmagic.models.said import said_in
from sessionmagic.turns.comparable import Comparable
from sessionmagic.turns.model_requests import ModelRequests
from sessionmagic.turns.run_history import RunHistory


def test_each_part_is_what_a_reader_would_call_it():
    looked_at = [
        "Look",
        TextContent("at this"),
        BinaryContent(b"x", media_type="image/png"),
        ImageUrl("http://x/y.png"),
    ]
    called = ToolCallPart("add", '{"b": 1, "a": 2}', "id1")
    messages = [
        ModelRequest([SystemPromptPart("Be brief"), UserPromptPart(looked_at)]),
        ModelResponse([ThinkingPart("Hm"), TextPart("  "), TextPart("I call"), called]),
        ModelRequest([ToolReturnPart("add", {"z": 1}, "id1")]),
        ModelResponse([ToolCallPart("add", '{"b": ', "id2")]),
        ModelRequest([RetryFeedbackPart("Not valid", retry=RetryInfo(cause="no_output"))]),
    ]
    said = said_in(messages)
    assert said[:6] == (
        Said("instructions", "Be brief"),
        Said("prompt", "Look\n\nat this\n\n[image/png 2d711642b726]\n\n[image-url]"),
        Said("answer", "I call"),
        Said("call of add", '{"a": 2, "b": 1}'),
        Said("result of add", '{"z":1}'),
        Said("call of add", '{"b": '),
    )
    assert said[6].who == "correction"
    assert "Not valid" in said[6].text


def test_ids_order_of_arguments_numbers_of_cells_and_names_of_the_machine_do_not_count():
    one = [
        ModelRequest([UserPromptPart("Cell In[3] and In [4], in /home/jane/x")]),
        ModelResponse([ToolCallPart("f", {"a": 1, "b": 2}, "1")], model_name="m"),
    ]
    other = [
        ModelRequest([UserPromptPart("Cell In[11] and In [12], in /home/joe/x")]),
        ModelResponse([ToolCallPart("f", '{"b": 2, "a": 1}', "2")]),
    ]
    assert said_in(one) == said_in(other)


def answer(*said, turn="1"):
    return Answer(
        turn=turn, parent=None, prompt="Go", reference="m", own=said, settings={}, system="",
        record=RequestRecord(agent="a", model="m"), response={}, results={},
    )  # fmt: skip


PROMPT = Said("prompt", "Go")


@pytest.mark.parametrize(
    ("recorded", "asked", "difference"),
    [
        ([PROMPT, Said("answer", "x")], [PROMPT], 'there is no answer, where the recording has "x"'),
        ([PROMPT], [PROMPT, Said("answer", "y")], 'there is a further answer, "y"'),
        (
            [PROMPT, Said("answer", "x")],
            [PROMPT, Said("call of f", "{}")],
            'there is the call of f "{}" where the recording has the answer',
        ),
        (
            [PROMPT, Said("result of f", "1\n2")],
            [PROMPT, Said("result of f", "1\n3")],
            'result of f line 2: "3" where the recording has "2"',
        ),
        (
            [PROMPT, Said("result of f", "1\n2")],
            [PROMPT, Said("result of f", "1")],
            'result of f line 2: is missing where the recording has "2"',
        ),
    ],
)
def test_first_difference_is_told(recorded, asked, difference):
    with pytest.raises(ReplayError) as raised:
        Recording("it", [answer(*recorded)], lambda _: ()).find(Wanted(said=tuple(asked), offered=None), "me")
    assert str(raised.value) == f'it has the prompt "Go", but not after what was said before: {difference}'


def test_recording_without_answers_says_so():
    with pytest.raises(ReplayError, match="it has no answers at all"):
        Recording("it", [], lambda _: ()).find(Wanted(said=(PROMPT,), offered=None), "me")


def test_what_is_offered_is_recorded_also_of_a_request_that_nobody_replays():
    requests = ModelRequests()
    requests.begin("assistant", ResolvedModel("test", TestModel()))
    context = contextvars.Context()
    context.run(Comparable(requests, RunHistory(), None).tell, [ModelRequest([UserPromptPart("Hi")])], [])
    requests.end(ModelResponse([], model_name="m"))
    [record] = requests.records
    assert (record.offered, record.typed) == ({}, "")
