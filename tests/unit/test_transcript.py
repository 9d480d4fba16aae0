"""Events, their ring, and the transcript that they fold into."""

import asyncio
from dataclasses import asdict
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sessionmagic.conversation.event_json import event_from_json, event_to_json
from sessionmagic.conversation.events import (
    AgentSwitched,
    ApprovalRequested,
    ApprovalResolved,
    Event,
    HistoryCompacted,
    InputProvided,
    InputRequested,
    LimitReached,
    MessageInjected,
    ModelFellBack,
    NotesChanged,
    ReasoningDelta,
    ResponseBegan,
    SubAgentFinished,
    SubAgentStarted,
    TextDelta,
    TitleChanged,
    ToolBegan,
    ToolCallDelta,
    ToolCalled,
    ToolPrinted,
    ToolReturned,
    TurnFinished,
    TurnStarted,
    UsageReported,
    ValueDelta,
    ValueGiven,
    Warned,
)
from sessionmagic.conversation.folding import fold
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.transcript import ReasoningBlock, TextBlock, ToolBlock, Transcript
from sessionmagic.conversation.usage import Usage
from sessionmagic.testing import script, think
from sessionmagic.turns.event_log import RING_SIZE, EventLog
from tests.examples import examples
from tests.stored import turn
from tests.turns import ask, events_of, manager_on, on_a_loop

HEAD = {"session_id": "s", "turn_id": "1", "agent": "assistant", "at": 5.0}


def numbered(*contents):
    """Events of these kinds and contents, numbered from one."""
    return [kind(seq=seq, **HEAD, **content) for seq, (kind, content) in enumerate(contents, start=1)]


texts = st.text(max_size=8)
deltas = st.tuples(st.sampled_from([TextDelta, ReasoningDelta]), texts.map(lambda text: {"text": text}))
ids = st.integers(1, 3).map(str)
drafts = st.tuples(ids, st.text(min_size=1, max_size=8)).map(
    lambda pair: (ToolCallDelta, {"call_id": pair[0], "tool": "t", "text": pair[1]})
)
values = st.tuples(ids, st.text(min_size=1, max_size=8)).map(
    lambda pair: (ValueDelta, {"attempt": pair[0], "text": pair[1]})
)
given_values = st.booleans().map(lambda takes_text: (ValueGiven, {"value": {"a": 1}, "takes_text": takes_text}))
calls = st.integers(1, 3).map(lambda n: (ToolCalled, {"call_id": str(n), "tool": "t", "args": {"n": n}}))
questions = ids.map(
    lambda key: (
        ApprovalRequested,
        {"approval_id": f"a{key}", "call_id": key, "tool": "t", "args": {"n": 0}, "why": "w"},
    )
)
answers = ids.map(lambda key: (ApprovalResolved, {"approval_id": f"a{key}", "call_id": key, "decision": "once"}))
asked = ids.map(lambda key: (InputRequested, {"question_id": key, "server": "s", "message": "m", "schema": {}}))
provided = ids.map(lambda key: (InputProvided, {"question_id": key, "action": "decline"}))
injected = texts.map(lambda text: (MessageInjected, {"text": text, "kind": "steer"}))
limits = st.just((LimitReached, {"which": "requests", "value": 5}))
returns = st.tuples(st.integers(1, 3), texts).map(
    lambda pair: (
        ToolReturned,
        {"call_id": str(pair[0]), "tool": "t", "outcome": "success", "content": pair[1], "duration": 1.0},
    )
)
warnings = texts.map(lambda text: (Warned, {"text": text}))
usages = st.integers(0, 9).map(lambda n: (UsageReported, {"usage": Usage(input_tokens=n, output_tokens=n)}))
began = ids.map(lambda key: (ToolBegan, {"call_id": key, "tool": "t"}))
printed = st.tuples(ids, st.lists(st.sampled_from(["a", "b", "\n", "\r", "\x1b[31m"]), max_size=8)).map(
    lambda pair: (ToolPrinted, {"call_id": pair[0], "tool": "t", "text": "".join(pair[1])})
)
tool_events = st.one_of(drafts, calls, began, printed, questions, answers, asked, provided, returns)
contents = st.lists(
    st.one_of(deltas, values, given_values, drafts, tool_events, injected, limits, warnings, usages), max_size=20
)


def rechunked(contents, cuts):
    """The same contents, with each delta's text cut into pieces at these places."""
    for kind, content in contents:
        if kind not in (TextDelta, ReasoningDelta, ValueDelta, ToolCallDelta, ToolPrinted):
            yield kind, content
            continue
        text = content["text"]
        ends = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
        yield from ((kind, content | {"text": text[a:b]}) for a, b in pairwise(ends))


@given(contents, st.lists(st.integers(0, 50), max_size=3))
def test_transcript_is_the_same_however_the_text_was_chunked(contents, cuts):
    assert fold(Transcript(), numbered(*contents)) == fold(Transcript(), numbered(*rechunked(contents, cuts)))


@given(contents, st.lists(st.integers(0, 20), max_size=4))
def test_transcript_is_the_same_however_the_events_were_batched(contents, cuts):
    events = numbered(*contents)
    transcript = Transcript()
    ends = sorted({min(cut, len(events)) for cut in cuts} | {0, len(events)})
    for a, b in pairwise(ends):
        transcript = fold(transcript, events[a:b])
    assert transcript == fold(Transcript(), events)


@given(contents)
def test_transcript_holds_every_character_in_order(contents):
    transcript = fold(Transcript(), numbered(*contents))
    for kind, block in ((TextDelta, TextBlock), (ReasoningDelta, ReasoningBlock)):
        sent = "".join(content["text"] for each, content in contents if each is kind)
        assert "".join(shown.text for shown in transcript.blocks if isinstance(shown, block)) == sent
    assert transcript.warnings == tuple(content["text"] for kind, content in contents if kind is Warned)


@pytest.mark.parametrize("batch", [1, 9])
def test_text_may_turn_out_to_have_been_reasoning(batch):
    events = numbered(
        (ToolCalled, {"call_id": "1", "tool": "t", "args": {}}),
        (TextDelta, {"text": "My "}),
        (TextDelta, {"text": "plan"}),
        (ReasoningDelta, {"text": "", "takes_text": True}),
        (ReasoningDelta, {"text": "."}),
        (TextDelta, {"text": "Hi"}),
    )
    transcript = Transcript()
    for begin in range(0, len(events), batch):
        transcript = fold(transcript, events[begin : begin + batch])
    assert transcript.blocks[1:] == (ReasoningBlock("My plan."), TextBlock("Hi"))


def test_transcript_of_a_whole_turn():
    events = numbered(
        (TurnStarted, {"session": "chat", "prompt": "Hello", "model": "test"}),
        (ReasoningDelta, {"text": "Let me "}),
        (ReasoningDelta, {"text": "see."}),
        (TextDelta, {"text": "First."}),
        (ToolCalled, {"call_id": "a", "tool": "look", "args": {"at": 1}}),
        (ToolReturned, {"call_id": "a", "tool": "look", "outcome": "failed", "content": "dark", "duration": 0.5}),
        (TextDelta, {"text": "Sec"}),
        (TextDelta, {"text": "ond."}),
        (Warned, {"text": "careful"}),
        (UsageReported, {"usage": Usage(input_tokens=3, output_tokens=4, cost=0.5)}),
        (TurnFinished, {"status": "failed", "model": "lab:x", "error_code": "auth", "error": "refused"}),
    )
    transcript = fold(Transcript(), events)
    assert transcript.blocks == (
        ReasoningBlock("Let me see."),
        TextBlock("First."),
        ToolBlock("a", "look", {"at": 1}, "failed", "dark", 0.5),
        TextBlock("Second."),
    )
    assert transcript.text == "First.\n\nSecond."
    assert (transcript.session, transcript.prompt, transcript.model) == ("chat", "Hello", "lab:x")
    assert (transcript.status, transcript.error, transcript.warnings) == ("failed", "refused", ("careful",))
    assert transcript.usage == Usage(input_tokens=3, output_tokens=4, cost=0.5)


@given(st.lists(drafts, max_size=10))
def test_drafts_of_calls_hold_every_character_in_order(contents):
    blocks = fold(Transcript(), numbered(*contents)).blocks
    assert [block.call_id for block in blocks] == list(dict.fromkeys(content["call_id"] for _, content in contents))
    for block in blocks:
        sent = "".join(content["text"] for _, content in contents if content["call_id"] == block.call_id)
        assert (block.draft, block.tool, block.args, block.outcome) == (sent, "t", {}, None)


EXAMPLES = {
    TurnStarted: {"session": "a/b 🦊", "prompt": "{x}\n", "model": "test", "cell_id": "c", "values": ("x", "len(x)")},
    ResponseBegan: {"seconds": 0.25},
    TextDelta: {"text": '\x1b[31m<b>\u2028 \\ " 🦊'},
    ReasoningDelta: {"text": ""},
    ToolCalled: {"call_id": "a", "tool": "t", "args": {"nested": [1, 2.5, None, {"deep": True}]}},
    ToolReturned: {"call_id": "a", "tool": "t", "outcome": "denied", "content": "no", "duration": 0.25},
    ToolCallDelta: {"call_id": "a", "tool": "t", "text": '{"path": "\n'},
    ToolBegan: {"call_id": "a", "tool": "t"},
    ToolPrinted: {"call_id": "a", "tool": "t", "text": "50%\r"},
    ValueDelta: {"attempt": "1", "text": '{"name": "\n'},
    ValueGiven: {"value": {"name": ["🦊", None, 1.5]}, "takes_text": True},
    ApprovalRequested: {"approval_id": "q", "call_id": "a", "tool": "t", "args": {"n": [None, "🦊"]}, "why": "strict"},
    ApprovalResolved: {"approval_id": "q", "call_id": "a", "decision": "reject", "reason": "no\nnever"},
    InputRequested: {"question_id": "q", "server": "s", "message": "Which?\n", "schema": {"properties": {"n": {}}}},
    InputProvided: {"question_id": "q", "action": "accept", "content": {"n": [1, "🦊"]}},
    MessageInjected: {"text": "Be brief", "kind": "queue", "values": ("x",)},
    ModelFellBack: {"failed": "lab:m", "fallback": "local", "reason": "HTTP 503", "attempt": 3},
    SubAgentStarted: {"turn": "3", "task": "Look\n", "model": "lab:m", "for_calls": ("a", "b")},
    SubAgentFinished: {"status": "failed", "model": "m", "error": "no", "seconds": 0.5, "for_calls": ("a",)},
    AgentSwitched: {"to": "tutor", "model": "lab:m"},
    HistoryCompacted: {"compaction": "3", "summary": "Short.", "tokens_before": 9, "tokens_after": 3},
    LimitReached: {"which": "repeated_call", "value": 5},
    UsageReported: {"usage": Usage(input_tokens=2**40, reasoning_tokens=1, cost=0.125)},
    TitleChanged: {"title": "Why customers leave"},
    NotesChanged: {"notes": ("calls run unasked",)},
    Warned: {"text": "w"},
    TurnFinished: {"status": "interrupted", "model": "m", "error_code": None, "error": None},
}


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_every_event_comes_back_from_one_line_of_json(kind):
    [event] = numbered((kind, EXAMPLES[kind]))
    line = event_to_json(event)
    assert "\n" not in line
    assert event_from_json(line) == event
    assert type(event_from_json(line)) is kind


def test_every_event_has_a_type_of_its_own():
    kinds = [event.type for kind in EXAMPLES for event in numbered((kind, EXAMPLES[kind]))]
    assert len(set(kinds)) == len(get_args(Event)) == len(EXAMPLES)


@pytest.mark.parametrize("text", ["", "{}", '{"type": "nothing"}', "[]", '{"type": "text_delta", "text": "x"}'])
def test_what_is_no_event_is_not_read_as_one(text):
    with pytest.raises(ValidationError):
        event_from_json(text)


def log_of(count):
    log = EventLog("s", "1", "assistant")
    for number in range(count):
        log.emit(TextDelta, text=f"{number} ")
    return log


@on_a_loop
async def test_observer_that_fell_behind_is_told_how_much_it_missed_and_the_transcript_has_it_all():
    count = RING_SIZE + 10
    log = log_of(count)
    log.emit(TurnFinished, status="completed", model="m")
    events = [event async for event in log.follow()]
    assert isinstance(events[0], Warned)
    assert events[0].text.startswith("11 events")
    assert [event.seq for event in events] == list(range(11, count + 2))
    assert log.snapshot().text == "".join(f"{number} " for number in range(count))


@on_a_loop
async def test_observer_may_begin_after_any_event():
    log = log_of(5)
    log.emit(TurnFinished, status="completed", model="m")
    assert [event.seq async for event in log.follow(3)] == [4, 5, 6]
    assert [event.seq async for event in log.follow()] == [1, 2, 3, 4, 5, 6]


@on_a_loop
async def test_waiting_for_news_ends_at_the_next_event_or_when_its_time_is_over():
    log = log_of(3)
    assert await log.news(0, 10) == 3
    assert await log.news(3, 0.01) == 3
    waiting = asyncio.create_task(log.news(3, 10))
    await asyncio.sleep(0)
    await asyncio.to_thread(log.emit, Warned, text="from another thread")
    assert await asyncio.wait_for(waiting, 30) == 4


@pytest.mark.parametrize("model", ["calm", "thinks", "breaks", "markdown", "test"])
@on_a_loop
async def test_stored_turn_shows_what_the_live_one_showed(tmp_path, model):
    manager = manager_on(tmp_path)
    script("thinks", [think("Let me see."), "It is."])
    script("markdown", ["# A\n\n", "```python\n", "x = {}\n```\n", " 🦊", "\n"])
    turn = await manager.run("Hello", session="chat", model=model)
    await turn.result()
    live, stored = turn.transcript, transcript_of("chat", manager.sessions.load("chat").turns[0])
    assert live.text
    assert stored.text == live.text
    assert stored.blocks == live.blocks
    for field in ("session", "turn_id", "agent", "prompt", "model", "status", "error"):
        assert getattr(stored, field) == getattr(live, field), field
    assert live.usage in (None, stored.usage)


@settings(max_examples=examples(15))
@given(chunks=st.lists(st.text(max_size=6), max_size=6))
def test_answer_shows_the_same_streamed_folded_stored_and_returned(tmp_path_factory, chunks):
    async def scenario():
        manager = manager_on(tmp_path_factory.mktemp("store"))
        script("chunky", ["<", *chunks, ">"])
        turn = await manager.run("Hello", session="chat", model="chunky")
        events = await events_of(turn)
        result = await turn.result()
        said = "<" + "".join(chunks) + ">"
        assert "".join(event.text for event in events if isinstance(event, TextDelta)) == said
        assert fold(Transcript(), events) == turn.transcript
        assert turn.transcript.text == result.text == str(result) == said
        assert transcript_of("chat", manager.sessions.load("chat").turns[0]).text == said

    asyncio.run(scenario())


@on_a_loop
async def test_events_can_be_kept_as_lines_and_replayed(tmp_path):
    turn = await manager_on(tmp_path).run("Hello", session="chat", model="breaks")
    events = await events_of(turn)
    replayed = [event_from_json(event_to_json(event)) for event in events]
    assert replayed == events
    assert asdict(fold(Transcript(), replayed)) == asdict(turn.transcript)
    assert (await ask(manager_on(tmp_path), "Again")).text


@pytest.mark.parametrize("metadata", [None, 5, "words", {}, {"seconds": "long"}], ids=repr)
def test_result_whose_metadata_say_nothing_has_no_duration(metadata):
    call = {"part_kind": "tool-call", "tool_name": "run", "tool_call_id": "c", "args": "{}"}
    result = {
        "part_kind": "tool-return",
        "tool_call_id": "c",
        "content": "1",
        "outcome": "success",
        "metadata": metadata,
    }
    messages = [{"kind": "response", "parts": [call]}, {"kind": "request", "parts": [result]}]
    [block] = transcript_of("chat", turn(1, messages=messages)).blocks
    assert (block.content, block.duration) == ("1", None)
