"""Turns of an agent with a fallback. The models are scripted; `tests/providers` has the real SDK."""

import asyncio

import pytest
from pydantic_ai.exceptions import ModelHTTPError

from sessionmagic import (
    AgentDefinition,
    Fallback,
    Limits,
    MemoryStore,
    Models,
    SessionManager,
    TinyStore,
    register_model,
)
from sessionmagic.comparing.contestants import contestants
from sessionmagic.conversation.events import ModelFellBack, TurnFinished, Warned
from sessionmagic.conversation.folding import fold
from sessionmagic.conversation.stored_transcript import transcript_of
from sessionmagic.conversation.transcript import Transcript
from sessionmagic.exceptions import ModelReferenceError, TurnFailedError, TurnLimitError, UsageError
from sessionmagic.notebook.captions import footer, status_line
from sessionmagic.sessions.usage import usage_by
from sessionmagic.testing import ScriptedModel, call, hang, script
from sessionmagic.turns import fallback
from sessionmagic.turns.output_type import OutputType
from sessionmagic.turns.request import Cell, Request
from tests.scripted import Pausing
from tests.turns import ask, events_of, manager_on, on_a_loop, said

BUSY, REFUSED = ModelHTTPError(503, "m"), ModelHTTPError(429, "m")


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(fallback, "FIRST_WAIT", 0.001)


def look() -> str:
    """Look."""
    return "seen"


def manager_of(*models, store=None, model="first", **numbers):
    agent = AgentDefinition(name="assistant", model=model, fallback=Fallback(models or ("second",), **numbers))
    return SessionManager(store or MemoryStore(), Models("first"), {"assistant": agent})


def fell_back(events):
    return [
        (each.failed, each.fallback, each.reason, each.attempt) for each in events if isinstance(each, ModelFellBack)
    ]


def warnings(events):
    return [each.text for each in events if isinstance(each, Warned)]


async def run(manager, **options):
    turn = await manager.run("Go", **({"session": "chat"} | options))
    return await turn.result(), await events_of(turn), turn


@on_a_loop
async def test_the_next_model_answers_and_everything_that_is_shown_and_stored_names_it():
    first, second = script("first", BUSY), script("second", "Done.")
    manager = manager_of()
    result, events, turn = await run(manager)
    assert (result.status, result.text, result.model) == ("completed", "Done.", "second")
    assert (len(first.sent), len(second.sent)) == (3, 1)
    assert fell_back(events) == [("first", "second", "HTTP 503", 3)]
    assert [each.model for each in events if isinstance(each, TurnFinished)] == ["second"]
    stored = manager.sessions.load("chat")
    assert [(each.model, each.asked) for each in stored.turns[0].requests] == [(None, "first")] * 3 + [("second", "")]
    assert (stored.turns[0].model, stored.turns[0].answered_by) == ("first", "second")
    assert stored.agent_model_overrides == {}
    shown = transcript_of("chat", stored.turns[0])
    assert shown.warnings == turn.transcript.warnings == ("first failed (HTTP 503), so second was asked",)
    assert "chat · turn 1 · second · " in footer(shown)


@on_a_loop
async def test_status_line_says_who_failed_and_who_is_asked_until_that_one_has_answered():
    script("first", REFUSED)
    script("second", ["I look.", call("look")], "Done.")
    _, events, _ = await run(manager_of(), tools=[look], yes=True)
    at = next(number for number, each in enumerate(events) if isinstance(each, ModelFellBack))
    line = status_line(fold(Transcript(), events[: at + 1]), "", "", 0.0)
    assert line.startswith("chat · second · ")
    assert line.endswith(" · first failed (HTTP 429), asking second")
    assert fold(Transcript(), events).asking == ""


@on_a_loop
async def test_failed_requests_are_counted_for_the_models_that_failed():
    script("first", REFUSED)
    script("second", REFUSED)
    script("third", "Done.")
    manager = manager_of("second", "third")
    await run(manager)
    entries = usage_by([manager.sessions.load("chat")], "model")
    assert [(entry.model, entry.requests, entry.output_tokens > 0) for entry in entries] == [
        ("first", 1, False),
        ("second", 1, False),
        ("third", 1, True),
    ]


@on_a_loop
async def test_stopped_answer_of_a_fallback_is_recorded_as_its_own():
    script("first", REFUSED)
    script("second", ["So far", hang()])
    manager = manager_of()
    turn = await manager.run("Go", session="chat")
    await said(turn)
    turn.cancel()
    assert (await turn.result()).model == "second"
    [failed, stopped] = manager.sessions.load("chat").turns[0].requests
    assert (failed.model, stopped.model, stopped.usage.unmeasured_requests) == (None, "second", 1)


@pytest.mark.parametrize("model", ["first", "first,first"], ids=["single", "alloy"])
def test_loop_that_closes_under_an_answer_leaves_what_was_said(model):
    script("first", ["So far", hang()])
    script("second", "Done.")
    manager = manager_of(model=model)

    async def scenario():
        await said(await manager.run("Go", session="chat"))

    asyncio.run(scenario())
    [record] = manager.sessions.load("chat").turns
    assert (record.status, record.who_answered) == ("interrupted", "first")
    assert [part["content"] for message in record.messages for part in message["parts"]] == ["Go", "So far"]


@on_a_loop
async def test_stored_answer_is_reused_whatever_the_fallbacks_are():
    script("first", "Done.")
    script("second", "No.")
    store = MemoryStore()
    await run(manager_of(store=store), cell=Cell(id="c"))
    plain = SessionManager(store, Models("first"), {"assistant": AgentDefinition(name="assistant", model="first")})
    result, _, _ = await run(plain, cell=Cell(id="c"), reuse=True)
    assert (result.text, result.reused) == ("Done.", True)


@on_a_loop
async def test_failed_model_is_left_out_of_later_requests_and_turns():
    first, second = script("first", REFUSED), script("second", ["I look.", call("look")], "Done.")
    manager = manager_of()
    result, events, _ = await run(manager, tools=[look], yes=True)
    assert (result.text, len(first.sent), len(second.sent)) == ("I look.\n\nDone.", 1, 2)
    assert fell_back(events) == [("first", "second", "HTTP 429", 1)]
    result, events, _ = await run(manager, session="another")
    assert (result.text, len(first.sent)) == ("Done.", 1)
    [(failed, asked, reason, attempt)] = fell_back(events)
    assert (failed, asked, attempt) == ("first", "second", 0)
    assert reason.startswith("HTTP 429, left out for ")


@pytest.mark.parametrize("choice", ["turn", "once", "default", "command"])
@on_a_loop
async def test_model_that_the_user_chooses_is_asked_although_it_has_just_failed(choice):
    first = script("first", REFUSED, "I am back.")
    script("second", "Done.")
    manager = manager_of()
    await run(manager)
    if choice == "command":
        manager.sessions.set_model("chat", "first")
    options = {
        "turn": {"model": "first"},
        "once": {"model": "first", "once": True},
        "default": {"model": "default"},
        "command": {},
    }[choice]
    result, events, _ = await run(manager, **options)
    assert (result.text, len(first.sent), fell_back(events)) == ("I am back.", 2, [])


@on_a_loop
async def test_request_that_is_refused_before_it_is_stored_clears_no_cooldown():
    first = script("first", REFUSED, "I am back.")
    script("second", "Done.")
    manager = manager_of()
    await run(manager)
    with pytest.raises(ModelReferenceError):
        await run(manager, model="furst")
    assert (await run(manager))[0].text == "Done."
    assert len(first.sent) == 1


@on_a_loop
async def test_override_falls_back_to_the_models_of_the_agent_and_stays_the_override():
    script("third", REFUSED)
    first, second = script("first", "No."), script("second", "Done.")
    manager = manager_of()
    result, events, _ = await run(manager, model="third")
    assert (result.text, fell_back(events)) == ("Done.", [("third", "second", "HTTP 429", 1)])
    assert (len(first.sent), len(second.sent)) == (0, 1)
    assert manager.sessions.load("chat").agent_model_overrides == {"assistant": "third"}


@on_a_loop
async def test_model_that_is_its_own_only_fallback_has_none():
    second = script("second", REFUSED)
    result, events, _ = await run(manager_of(), model="second")
    assert (result.status, len(second.sent), fell_back(events)) == ("failed", 1, [])


@on_a_loop
async def test_when_all_models_fail_the_turn_says_why_for_each_and_is_not_on_the_path():
    script("first", BUSY)
    script("second", REFUSED)
    manager = manager_of(retries=0)
    result, events, _ = await run(manager)
    assert type(result.error) is TurnFailedError
    assert str(result.error) == (
        "no model has answered: first (503: Service Unavailable); second (429: Too Many Requests); try again later, or "
        "name another model with --model"
    )
    assert fell_back(events) == [("first", "second", "HTTP 503", 1)]
    session = manager.sessions.load("chat")
    assert (session.head, session.turns[0].answered_by) == (None, None)
    assert [each.asked for each in session.turns[0].requests] == ["first", "second"]


@on_a_loop
async def test_answer_that_breaks_off_is_kept_and_nothing_is_said_twice():
    script("first", ["Half", BUSY])
    second = script("second", "Done.")
    result, events, _ = await run(manager_of())
    assert (result.status, result.text, len(second.sent), fell_back(events)) == ("failed", "Half", 0, [])


@on_a_loop
async def test_call_that_breaks_off_is_not_asked_of_another_model():
    script("first", [call("look"), BUSY])
    second = script("second", "Done.")
    result, _, _ = await run(manager_of(), tools=[look], yes=True)
    assert (result.status, len(second.sent)) == ("failed", 0)


@on_a_loop
async def test_empty_answer_is_asked_of_the_next_model():
    script("first", "")
    script("second", "Done.")
    result, events, _ = await run(manager_of())
    assert (result.text, fell_back(events)) == ("Done.", [("first", "second", "the answer was empty", 1)])


@pytest.mark.parametrize(("step", "text"), [(["", "Left."], "Left."), (["", BUSY], "Done.")], ids=["goes on", "fails"])
@on_a_loop
async def test_an_empty_text_at_the_beginning_has_said_nothing_yet(step, text):
    script("first", step)
    script("second", "Done.")
    assert (await run(manager_of()))[0].text == text


@on_a_loop
async def test_later_request_of_a_turn_falls_back_with_all_that_was_said_so_far():
    first, second = script("first", ["I look.", call("look")], REFUSED), script("second", "Done.")
    result, events, _ = await run(manager_of(), tools=[look], yes=True)
    assert (result.text, len(first.sent)) == ("I look.\n\nDone.", 2)
    assert [type(part).__name__ for each in second.sent[0] for part in each.parts] == [
        "UserPromptPart",
        "TextPart",
        "ToolCallPart",
        "ToolReturnPart",
    ]
    assert [each.model for each in events if isinstance(each, TurnFinished)] == ["first, second"]


@on_a_loop
async def test_each_model_is_asked_with_its_own_settings_and_tools():
    first = ScriptedModel(REFUSED, name="first")
    second = ScriptedModel("Done.", name="second", profile={"supports_tools": False})
    register_model("first", first, {"temperature": 0.1, "seed": 3})
    register_model("second", second, {"top_p": 0.5})
    _, events, _ = await run(manager_of(), settings={"temperature": 0.7}, tools=[look], yes=True)
    assert first.sent_settings == [{"temperature": 0.7, "seed": 3, "max_retries": 0}]
    assert second.sent_settings == [{"temperature": 0.7, "top_p": 0.5, "max_retries": 0}]
    assert ([set(each) for each in first.offered], second.offered) == ([{"look"}], [{}])
    assert "second cannot call tools, so it is not offered look" in warnings(events)


@on_a_loop
async def test_each_model_costs_its_own_price_and_a_budget_needs_all_of_them():
    script("first", ["I look.", call("look")], REFUSED)
    script("second", "Done.")
    manager = manager_of()
    manager.models.prices |= {"first": [1.0, 0.0]}
    with pytest.raises(UsageError, match=r"^second has no known price"):
        await run(manager, budget=1.0)
    manager.models.prices |= {"second": [1000.0, 0.0]}
    await run(manager, budget=1.0, tools=[look], yes=True)
    one, failed, two = (request.usage for request in manager.sessions.load("chat").turns[0].requests)
    assert one.cost == pytest.approx(one.input_tokens / 1e6)
    assert failed.cost is None
    assert two.cost == pytest.approx(two.input_tokens / 1e3)


@on_a_loop
async def test_spent_budget_stops_the_turn_and_asks_no_other_model():
    script("first", ["I look.", call("look")], "Done.")
    second = script("second", "Done.")
    manager = manager_of()
    manager.models.prices |= {"first": [1e6, 0.0], "second": [0.0, 0.0]}
    result, events, _ = await run(manager, budget=1.0, tools=[look], yes=True)
    assert (result.status, type(result.error)) == ("limit", TurnLimitError)
    assert (len(second.sent), fell_back(events)) == (0, [])


@on_a_loop
async def test_retries_are_no_further_requests_for_the_limit_of_a_turn():
    script("first", BUSY)
    script("second", "Done.")
    assert (await run(manager_of(), limits=Limits(requests=1)))[0].text == "Done."


@on_a_loop
async def test_column_of_a_comparison_does_not_fall_back():
    first, second = script("first", REFUSED), script("second", "Done.")
    script("third", "Three.")
    manager = manager_of()
    comparison = await manager.compare(Request(prompt="Go", session="chat"), contestants(["first", "third"]))
    answers = await comparison.answers()
    assert [answer.status for answer in answers] == ["failed", "completed"]
    assert (len(first.sent), len(second.sent)) == (1, 0)
    assert all(not turn.warnings for turn in manager.sessions.load("chat").turns)


@on_a_loop
async def test_alloy_falls_back_as_a_whole_and_a_member_is_asked_again():
    first, third = script("first", BUSY), script("third", "Three.")
    script("second", "Done.")
    manager = manager_of(model="first,third")
    manager.models.choose = lambda members: members[0]
    result, events, _ = await run(manager)
    assert (result.text, len(first.sent), len(third.sent)) == ("Done.", 3, 0)
    assert fell_back(events) == [("first", "second", "HTTP 503", 3)]


@on_a_loop
async def test_alloy_can_be_a_fallback():
    script("first", REFUSED)
    script("second", "Two.")
    script("third", "Three.")
    manager = manager_of("second,third")
    manager.models.choose = lambda members: members[1]
    result, events, _ = await run(manager)
    assert (result.text, fell_back(events)) == ("Three.", [("first", "third", "HTTP 429", 1)])


@on_a_loop
async def test_fallback_that_cannot_be_used_is_told_once_in_a_session_and_left_out():
    script("first", REFUSED)
    script("third", "Three.")
    manager = manager_of("openai:gpt-5.2", "third")
    result, events, _ = await run(manager)
    assert result.text == "Three."
    [told] = warnings(events)
    assert told.startswith("openai:gpt-5.2 cannot be asked if first fails: ")
    assert "OPENAI_API_KEY" in told
    assert warnings((await run(manager))[1]) == warnings((await run(manager))[1]) == []


@on_a_loop
async def test_structured_answer_is_given_by_the_next_model():
    script("first", REFUSED)
    script("second", '{"value": [1, 2]}', profile={"supports_tools": False})
    result, _, _ = await run(manager_of(), output_type=OutputType(list[int]))
    assert (result.value, result.model) == ([1, 2], "second")


@on_a_loop
async def test_after_a_restart_the_turn_says_who_answered_and_the_failed_model_is_asked_again(tmp_path):
    script("first", REFUSED, "I am back.")
    script("second", "Done.")
    await run(manager_of(store=TinyStore(tmp_path)))
    manager = manager_of(store=TinyStore(tmp_path))
    stored = manager.sessions.load("chat").turns[0]
    assert (stored.who_answered, stored.warnings) == ("second", ["first failed (HTTP 429), so second was asked"])
    assert [(each.model, each.asked) for each in stored.requests] == [(None, "first"), ("second", "")]
    assert (await run(manager))[0].text == "I am back."


@on_a_loop
async def test_key_in_the_words_of_a_provider_is_left_out_of_the_event_and_the_stored_turn(monkeypatch):
    monkeypatch.setenv("LAB_API_KEY", "sk-lab-0123456789abcdef")
    script("first", RuntimeError("bad sk-lab-0123456789abcdef"))
    script("second", "Done.")
    manager = manager_of()
    _, events, turn = await run(manager)
    assert "sk-lab" not in repr([*events, turn.transcript, manager.sessions.load("chat")])
    assert len(fell_back(events)) == 1


@on_a_loop
async def test_turn_of_an_agent_without_a_fallback_is_asked_as_before():
    first = ScriptedModel(BUSY, name="first")
    register_model("first", first, {"temperature": 0.1})
    manager = manager_on(MemoryStore())
    result = await ask(manager, model="first")
    assert (result.status, len(first.sent), first.sent_settings) == ("failed", 1, [{"temperature": 0.1}])


@on_a_loop
async def test_summary_is_written_by_the_next_model_and_stored_under_its_name():
    script("first", "It is.", REFUSED)
    script("second", "We said that it is.")
    manager = manager_of()
    await run(manager)
    turn = await manager.compact("chat")
    result, events = await turn.result(), await events_of(turn)
    assert (result.status, result.model) == ("completed", "second")
    assert fell_back(events) == [("first", "second", "HTTP 429", 1)]
    assert manager.sessions.load("chat").turns[1].covers == "1"


@on_a_loop
async def test_summary_in_the_middle_of_a_turn_falls_back_and_the_user_is_told():
    script("first", "word " * 4000, REFUSED)
    second = script("second", "We said words.", "Done.")
    manager = manager_of()
    manager.models.context_limits["first"] = 4400
    await run(manager)
    result, events, _ = await run(manager)
    assert (result.status, result.text, len(second.sent)) == ("completed", "Done.", 2)
    assert fell_back(events) == [("first", "second", "HTTP 429", 1)]
    summary = manager.sessions.load("chat").turns[-1]
    assert (summary.kind, summary.who_answered) == ("compaction", "second")


@pytest.mark.parametrize(("steps", "text"), [(("", "Done."), "Done."), (("Done.", ""), "Done.")], ids=["first", "last"])
@on_a_loop
async def test_response_that_is_continued_may_begin_or_end_with_nothing(steps, text):
    register_model("first", Pausing(1, *steps))
    second = script("second", "No.")
    result, events, _ = await run(manager_of())
    assert (result.status, result.text, fell_back(events), second.sent) == ("completed", text, [], [])
