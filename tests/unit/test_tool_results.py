"""What the model, the page and the disk get of a tool's result, or of its failure."""

import asyncio
from enum import IntEnum

import numpy as np
import pytest
from pydantic_ai.exceptions import ModelHTTPError, ModelRetry, ToolFailed, ToolFailedError, ToolRetryError
from pydantic_ai.messages import BinaryContent, ToolReturn, ToolReturnPart
from pydantic_ai.models.function import DeltaToolCall, FunctionModel

from sessionmagic import register_model
from sessionmagic.conversation.event_json import event_from_json, event_to_json
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.notebook.page.answer import answer_html
from sessionmagic.testing import call, script
from sessionmagic.tools.functions import tool_of
from sessionmagic.tools.results import RESULT_LIMIT
from sessionmagic.turns.sent import BRIDGE
from tests.turns import acted, acting, ask, events_of, manager_on, on_a_loop, returned, whole


@pytest.fixture
def on_disk(home):
    """A manager that stores results as JSON."""
    return manager_on(home)


def add(a: int) -> int:
    return a + 2


def fails(a: int) -> int:
    raise ValueError(a)


def giving(result):
    """A tool that returns this."""

    def give():
        return result

    return give


def raising(error):
    """A tool that raises this."""

    def give():
        raise error

    return give


def blocks(manager):
    """The blocks of the session's last turn as they are remembered."""
    return transcript_of("chat", manager.sessions.load("chat").turns[-1]).blocks


def first_block(manager):
    """The first of these blocks."""
    return blocks(manager)[0]


class Odd(BaseException):
    pass


ERRORS = [
    ValueError("too\nbad"),
    SystemExit(3),
    KeyboardInterrupt(),
    StopIteration(),
    TimeoutError(),
    Odd("odd"),
    asyncio.CancelledError(),
]


@pytest.mark.parametrize("kind", ["sync", "async"])
@on_a_loop
async def test_errors_in_tools_are_failed_results_and_the_other_calls_go_on(manager, kind):
    def raising_later(error):
        async def give():
            raise error

        return give

    give = raising if kind == "sync" else raising_later
    tools = {type(error).__name__: tool_of(give(error), name=type(error).__name__) for error in ERRORS}
    calls = [*((name, {}) for name in tools), ("add", {"a": 1})]
    result, events, model = await acted(manager, calls, "Sorry.", tools=[*tools.values(), add], yes=True)
    assert (result.status, result.text) == ("completed", "Sorry.")
    outcomes = {tool: (outcome, text) for tool, outcome, text in returned(events)}
    assert outcomes.pop("add") == ("success", "3")
    read = {part.tool_name: part.content for part in model.sent[1][-1].parts}
    for error in ERRORS:
        name = type(error).__name__
        assert outcomes[name] == ("failed", read[name])
        assert name in read[name]
        assert str(error) in read[name]


class UnspeakableError(Exception):
    def __str__(self):
        raise RuntimeError("no words")

    __repr__ = __str__


@pytest.mark.parametrize(
    "give",
    [raising(UnspeakableError()), giving(UnspeakableError()), giving(ToolReturn("x", metadata=5)), giving(10**50_000)],
    ids=["error", "value", "metadata", "number"],
)
@on_a_loop
async def test_tool_whose_outcome_cannot_be_written_does_not_end_the_run(manager, give):
    result, events, _ = await acted(manager, [("give", {})], "Sorry.", tools=[give], yes=True)
    assert (result.status, result.text) == ("completed", "Sorry.")
    [(tool, _, shown)] = returned(events)
    assert tool == "give"
    assert len(shown) < RESULT_LIMIT + 100


@pytest.mark.parametrize("value", [UnspeakableError(), [UnspeakableError()]], ids=["value", "list"])
@on_a_loop
async def test_call_whose_result_cannot_be_written_has_succeeded_all_the_same(manager, value):
    _, events, _ = await acted(manager, [("give", {})], "Done", tools=[giving(value)], yes=True)
    [(_, outcome, shown)] = returned(events)
    assert outcome == "success"
    assert "that cannot be shown as text: " in shown


@on_a_loop
async def test_tool_may_ask_the_model_to_try_again(manager):
    def pick(n: int) -> str:
        if n > 3:
            raise ModelRetry("at most 3")
        return "picked"

    result, events, _ = await acted(manager, [("pick", {"n": 5})], [("pick", {"n": 3})], "Done", tools=[pick], yes=True)
    assert returned(events) == [("pick", "retried", "at most 3"), ("pick", "success", "picked")]
    assert result.text == "Done"


@on_a_loop
async def test_tool_that_cancels_itself_leaves_a_session_that_goes_on(manager):
    _, events, _ = await acted(manager, [("give", {})], "Done", tools=[raising(asyncio.CancelledError())], yes=True)
    assert [tool for tool, _, _ in returned(events)] == ["give"]
    assert (await ask(manager, "Next", model="calm")).status == "completed"


HUGE = 200_000


@pytest.mark.parametrize(
    "give",
    [
        giving("a" + "x" * HUGE + "z"),
        giving(["x" * 100] * 2_000),
        giving({"x": "y" * HUGE}),
        giving(ToolReturn("x" * HUGE)),
        raising(ValueError("x" * HUGE)),
    ],
    ids=["text", "list", "dict", "ToolReturn", "error"],
)
@on_a_loop
async def test_huge_result_is_cut_for_the_model_the_page_and_the_disk(manager, give):
    result, events, model = await acted(manager, [("give", {})], "Done", tools=[give], yes=True)
    assert result.status == "completed"
    [(_, _, shown)] = returned(events)
    read = model.sent[1][-1].parts[0].model_response_str(wrap_if_error=False)
    for text in (shown, read, first_block(manager).content):
        assert RESULT_LIMIT // 2 < len(text) < RESULT_LIMIT + 100
        assert "characters]" in text


KEY = "sk-0123456789"
LONG = "x" * HUGE + KEY


def result_that_is(outcome):
    return ToolReturnPart("give", LONG, "id", outcome=outcome)


@pytest.mark.parametrize(
    ("step", "give"),
    [
        (("give", {}), raising(ToolFailed(LONG))),
        (("give", {}), raising(ModelRetry(LONG))),
        (("give", {}, "id"), raising(ToolFailedError(result_that_is("failed")))),
        (("give", {}, "id"), raising(ToolRetryError(result_that_is("retried")))),
        (("give", {"a": LONG}), add),
        (("give", f'{{"a": "{LONG}'), add),
        ((LONG, {}), add),
    ],
    ids=["ToolFailed", "ModelRetry", "ToolFailedError", "ToolRetryError", "arguments", "no JSON", "no tool"],
)
@on_a_loop
async def test_no_result_is_sent_stored_or_shown_whole_or_with_a_key_whoever_wrote_it(manager, monkeypatch, step, give):
    monkeypatch.setenv("OUR_API_KEY", KEY)
    result, events, model = await acted(manager, [step], "Sorry.", tools=[tool_of(give, name="give")], yes=True)
    assert (result.status, result.text) == ("completed", "Sorry.")
    [(_, _, shown)] = returned(events)
    read = model.sent[1][-1].parts[0].model_response_str(wrap_if_error=False)
    assert shown == read == first_block(manager).content
    assert len(shown) < RESULT_LIMIT + 100
    assert KEY not in shown


@on_a_loop
async def test_results_that_are_in_when_the_turn_is_stopped_are_cut_too(manager):
    async def give(n: int) -> str:  # noqa: ARG001  the model gives it
        return LONG

    turn, _ = await acting(manager, [("give", {"n": n}) for n in range(5)], tools=[give], yes=True)
    async for event in turn.events():
        if event.type == "tool_returned":
            turn.cancel()
            break
    result = await turn.result()
    assert result.status == "interrupted"
    shown = [content for _, _, content in returned(await events_of(turn))]
    stored = [part.content for part in result.messages[-1].parts]
    assert max(map(len, shown + stored)) < RESULT_LIMIT + 100


@on_a_loop
async def test_name_of_a_tool_that_there_is_not_is_cut_everywhere(manager):
    result, events, _ = await acted(manager, [(LONG, {})], yes=True)
    assert (result.status, "times in a row with the same arguments" in str(result.error)) == ("limit", True)
    [turn] = manager.sessions.load("chat").turns
    for said in (*map(event_to_json, events), str(result.messages), answer_html(transcript_of("chat", turn))):
        assert len(said) < 10_000


@on_a_loop
async def test_cut_result_keeps_both_ends_and_says_how_much_is_missing(manager):
    give = giving("a" + "x" * 99_998 + "z")
    _, events, _ = await acted(manager, [("give", {})], "Done", tools=[give], yes=True)
    [(_, _, shown)] = returned(events)
    assert (shown[0], shown[-1]) == ("a", "z")
    assert f"\n[cut: {100_000 - RESULT_LIMIT:,} characters]\n" in shown
    whole = giving("x" * RESULT_LIMIT)
    _, events, _ = await acted(manager, [("give", {})], "Done", tools=[whole], yes=True)
    assert returned(events) == [("give", "success", "x" * RESULT_LIMIT)]


class Thing:
    def __repr__(self):
        return "<a thing>"


class Number(IntEnum):
    ONE = 1


CIRCLE = []
CIRCLE.append(CIRCLE)


RESULTS = [
    ("text 🦊\n", "text 🦊\n"),
    (True, "true"),
    (0, "0"),
    (2.5, "2.5"),
    (2**70, str(2**70)),
    (Number.ONE, "1"),
    (float("nan"), "NaN"),
    (float("-inf"), "-Infinity"),
    (np.float64(2.5), "2.5"),
    (np.int64(3), "3"),
    (np.array([1, 2]), "[1 2]"),
    ([1, None], "[1,null]"),
    ({"a": {"b": 1}}, '{"a":{"b":1}}'),
    ({1, 2}, "[1,2]"),
    (Thing(), "<a thing>"),
    ({"x": [Thing()]}, '{"x":["<a thing>"]}'),
    ({(1, 2): "x"}, "1"),
    (b"\xff\x00", ""),
    (CIRCLE, ""),
    ("\ud800", ""),
]
"""Values, and words by which they can be read."""


@on_a_loop
async def test_results_of_all_kinds_are_readable_and_the_same_live_and_stored(on_disk):
    tools = [tool_of(giving(value), name=f"give{number}") for number, (value, _) in enumerate(RESULTS)]
    calls = [(tool.name, {}) for tool in tools]
    result, events, model = await acted(on_disk, calls, "Done", tools=tools, yes=True)
    assert (result.status, result.text) == ("completed", "Done")
    shown = {tool: text for tool, _, text in returned(events)}
    read = {part.tool_name: part.model_response_str(wrap_if_error=False) for part in model.sent[1][-1].parts}
    stored = {block.tool: block.content for block in blocks(on_disk)[: len(tools)]}
    for tool, (value, words) in zip(tools, RESULTS, strict=True):
        assert shown[tool.name], value
        assert words in shown[tool.name]
    assert read == stored == shown
    assert [event_from_json(event_to_json(event)) for event in events] == events
    assert (await ask(on_disk, "Next", model="calm")).status == "completed"


@pytest.mark.parametrize("value", [None, ""])
@on_a_loop
async def test_result_that_says_nothing_is_empty(manager, value):
    _, events, _ = await acted(manager, [("give", {})], "Done", tools=[giving(value)], yes=True)
    assert returned(events) == [("give", "success", "")]
    assert (first_block(manager).outcome, first_block(manager).content) == ("success", "")


def png(size):
    return BinaryContent(b"\x89PNG" + b"\xff" * (size - 4), media_type="image/png")


def images_in(messages):
    """The images that stand in a request."""
    return [
        content
        for message in messages
        for part in message.parts
        if part.part_kind == "user-prompt" and isinstance(part.content, list)
        for content in part.content
        if isinstance(content, BinaryContent)
    ]


@on_a_loop
async def test_image_reaches_the_model_as_it_is(manager):
    _, events, model = await acted(manager, [("give", {})], "Done", tools=[giving(png(30_000))], yes=True)
    said = "[image/png, 30,000 bytes]"
    assert [part.content for message in model.sent[1][2:4] for part in message.parts] == [said, BRIDGE]
    assert [image.data for image in images_in(model.sent[1])] == [png(30_000).data]
    assert returned(events) == [("give", "success", said)]
    assert first_block(manager).content == said
    _, _, next_model = await acted(manager, "And now?")
    assert [image.data for image in images_in(next_model.sent[0])] == [png(30_000).data]


LARGE = 9_000_000
TOO_LARGE = "[image/png of 9,000,000 bytes: too large to be sent to the model]"


@pytest.mark.parametrize(
    ("result", "said", "sent"),
    [
        (png(LARGE), f"[image/png, 9,000,000 bytes]\n{TOO_LARGE}", 0),
        (ToolReturn("a plot", content=[png(LARGE), "and", png(100)]), f"a plot\n{TOO_LARGE}", 1),
        (ToolReturn("a plot", content=[png(LARGE)]), f"a plot\n{TOO_LARGE}", 0),
        (["a plot", png(100)], "a plot\n[image/png, 100 bytes]", 1),
        (
            ToolReturn("plots", content=[png(100)] * 12),
            "plots\n[images left out: 2; only the first 10 of a result are sent to the model]",
            10,
        ),
        (BinaryContent(b"<svg/>", media_type="image/svg+xml"), "[image/svg+xml, 6 bytes]", 0),
        (
            ToolReturn("a plot", content=[BinaryContent(b"BM", media_type="image/bmp")]),
            "a plot\n[image/bmp: cannot be sent to the model]",
            0,
        ),
        (BinaryContent(b"PK", media_type="application/zip"), "[application/zip, 2 bytes]", 0),
        (
            BinaryContent(b"", media_type="image/png"),
            "[image/png, 0 bytes]\n[image/png: cannot be sent to the model]",
            0,
        ),
        (ToolReturn("a plot", content=[object()]), "a plot\n[object: cannot be sent to the model]", 0),
    ],
    ids=["large", "one of two", "ToolReturn", "mixed", "many", "svg", "bmp", "zip", "none", "any object"],
)
@on_a_loop
async def test_image_that_a_provider_would_refuse_is_named_and_not_sent(manager, result, said, sent):
    outcome, events, model = await acted(manager, [("give", {})], "Done", tools=[giving(result)], yes=True)
    assert returned(events) == [("give", "success", said)]
    assert len(images_in(model.sent[1])) == len(images_in(outcome.messages)) == sent


@on_a_loop
async def test_image_that_a_provider_has_refused_is_not_sent_again(manager):
    def answer(messages):
        if images_in(messages):
            return ModelHTTPError(400, "text-only", "no images, please")
        return "I see no image." if len(messages) > 1 else call("give")

    script("text-only", answer)
    refused = await ask(manager, model="text-only", tools=[giving(png(100))], yes=True)
    assert refused.status == "failed"
    assert len(images_in(refused.messages)) == 1
    result = await ask(manager, "And now?")
    assert (result.status, result.text) == ("completed", "I see no image.")


@on_a_loop
async def test_argument_that_comes_in_halves_of_characters_is_the_models_mistake(manager):
    async def stream(messages, _info):
        if len(messages) > 1:
            yield "Done"
            return
        yield {0: DeltaToolCall("add", '{"a": 1}', tool_call_id="before")}
        yield {1: DeltaToolCall("add", '{"a": "\ud83d', tool_call_id="halves")}
        yield {1: DeltaToolCall(json_args='\ude00"}')}
        yield {2: DeltaToolCall("add", '{"a": 2}', tool_call_id="after")}

    register_model("halves", FunctionModel(stream_function=stream))
    turn = await manager.run("Go", session="chat", model="halves", tools=[add], yes=True)
    events = whole(await events_of(turn))
    assert (await turn.result()).text == "Done"
    assert sorted(outcome for _, outcome, _ in returned(events)) == ["retried", "success", "success"]
    assert (await ask(manager, "Next", model="calm")).status == "completed"


@pytest.mark.parametrize("sees", [True, False])
@on_a_loop
async def test_text_beside_an_image_is_sent_again_without_it(manager, sees):
    give = giving(ToolReturn("a plot", content=["its caption", png(100)]))
    profile = {"supports_image_input": sees}
    _, _, model = await acted(manager, [("give", {})], "Done", tools=[give], yes=True, profile=profile)
    assert "its caption" in str(model.sent[1])
    assert len(images_in(model.sent[1])) == sees
    await ask(manager, "Break", model="breaks")
    _, _, model = await acted(manager, "And now?")
    assert "its caption" in str(model.sent[0])
    assert images_in(model.sent[0]) == []


@pytest.mark.parametrize("sees", [True, False])
@pytest.mark.parametrize("between", [[], ["breaks"]], ids=["at once", "after a failure"])
@on_a_loop
async def test_image_of_an_earlier_turn_is_sent_again_to_who_sees_it_until_a_turn_has_failed(manager, between, sees):
    await acted(manager, [("give", {})], "Done", tools=[giving(png(100))], yes=True)
    for model in between:
        await ask(manager, "Break", model=model)
    _, _, model = await acted(manager, "And now?", profile={"supports_image_input": sees})
    assert len(images_in(model.sent[0])) == (1 if sees and not between else 0)


@on_a_loop
async def test_text_beside_a_result_is_cut_as_the_result_is(manager):
    give = giving(ToolReturn("a log", content="x" * HUGE))
    _, _, model = await acted(manager, [("give", {})], "Done", tools=[give], yes=True)
    [beside] = model.sent[1][-1].parts
    assert RESULT_LIMIT // 2 < len("".join(beside.content)) < RESULT_LIMIT + 100


@pytest.mark.parametrize("function", [add, fails])
@on_a_loop
async def test_result_says_how_long_the_tool_took(manager, function):
    _, events, _ = await acted(manager, [(function.__name__, {"a": 1})], "Done", tools=[function], yes=True)
    [duration] = [event.duration for event in events if event.type == "tool_returned"]
    assert 0 <= duration < 5
    assert first_block(manager).duration == duration
