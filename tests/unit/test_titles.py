"""The titles that models make for sessions."""

import asyncio
from dataclasses import replace

import pytest

from sessionmagic.agents.definition import BUILT_IN
from sessionmagic.comparing.contestants import contestants
from sessionmagic.conversation.events import TitleChanged
from sessionmagic.conversation.session import TITLE_LENGTH, summarize
from sessionmagic.sessions.budgets import session_account
from sessionmagic.sessions.usage import usage_by
from sessionmagic.testing import hang, script
from sessionmagic.turns.request import Request
from sessionmagic.turns.title import TYPED_LENGTH, cleaned
from tests.turns import ask, on_a_loop, said

KEY = "PASSWORD=hunter2"
CLEAN = "PASSWORD=[key left out]"


@pytest.fixture
def titler(manager):
    """A manager whose agent has its titles made by a scripted model, and that model."""
    manager.agents.define(replace(BUILT_IN["assistant"], title_model="titler"))
    manager.titler = script("titler", "Why customers leave")
    script("calm", "It is fine.")
    return manager


async def asked(manager, prompt="Why do customers\nleave us?", session="chat", **options):
    """Run a turn and wait for the title that it causes to be made; return the stored session."""
    turn = await manager.run(prompt, session=session, **{"model": "calm", "titles": True, **options})
    await turn.result()
    await made(manager)
    return manager.store.load(turn.session_id)


async def made(manager):
    await asyncio.sleep(0)  # lets the end of the turn be noticed
    await asyncio.gather(*manager._titling._tasks.values(), return_exceptions=True)


@on_a_loop
async def test_title_is_made_once_after_the_first_turn_and_counted(titler):
    stored = await asked(titler)
    assert stored.title == "Why customers leave"
    [turn] = stored.turns
    assert [request.purpose for request in turn.requests] == ["answer", "title"]
    assert turn.answered_by == "calm"
    both = sum(request.usage.output_tokens for request in turn.requests)
    assert summarize(stored).output_tokens == both > turn.usage.output_tokens
    assert [entry.model for entry in usage_by([stored], "model")] == ["calm", "titler"]
    await asked(titler, "And more?")
    assert len(titler.titler.sent) == 1


@on_a_loop
async def test_title_is_made_from_what_was_typed_and_not_from_values_or_keys(titler):
    typed = f"Describe $`df` with {KEY} " + "and more " * (TYPED_LENGTH // 8)
    stored = await asked(titler, "Describe a b c d", typed=typed)
    sent = str(titler.titler.sent)
    assert f"Describe $`df` with {CLEAN}" in sent
    assert "a b c d" not in sent
    assert len(sent) < 3 * TYPED_LENGTH
    assert "title" not in stored.turns[0].prompt


@on_a_loop
async def test_first_prompt_gives_the_title_and_no_later_one_changes_it(manager):
    for prompt in ("What is it?\nBriefly.", "And more?"):
        await ask(manager, prompt)
        assert manager.sessions.load("chat").title == "What is it?"


@on_a_loop
async def test_first_words_of_what_was_typed_are_the_title_where_no_model_is_asked(titler):
    for number, options in enumerate([{"titles": False}, {"moves_head": False}]):
        stored = await asked(titler, "a b", f"chat{number}", typed="Describe $`df`\nwell", **options)
        assert stored.title == "Describe $`df`"
    assert titler.titler.sent == []


@on_a_loop
async def test_embedded_test_and_scripted_models_are_not_asked_without_a_say(manager):
    script("calm", "It is fine.")
    for model in ("calm", "test"):
        stored = await asked(manager, session=model, model=model)
        assert stored.title == "Why do customers"
        assert len(stored.turns[0].requests) == 1


@on_a_loop
@pytest.mark.parametrize("answer", [RuntimeError("no"), "", "  \n<b></b>"])
async def test_first_words_stay_if_the_request_fails_and_nothing_is_said(titler, answer):
    script("titler", answer)
    stored = await asked(titler)
    assert stored.title == "Why do customers"
    assert [request.purpose for request in stored.turns[0].requests] == ["answer", "title"]
    assert stored.turns[0].warnings == []
    assert [entry.model for entry in usage_by([stored], "request")] == ["calm", "titler"]


@on_a_loop
async def test_title_that_a_budget_does_not_allow_is_no_request(titler):
    titler.models.prices |= {name: [20_000.0, 0.0] for name in ("calm", "titler")}
    assert len((await asked(titler, budget=0.01)).turns[0].requests) == 1
    del titler.models.prices["titler"]
    assert len((await asked(titler, session="other", budget=1000)).turns[0].requests) == 1
    assert titler.titler.sent == []


@on_a_loop
async def test_model_that_takes_too_long_is_given_up(titler, monkeypatch):
    monkeypatch.setattr("sessionmagic.turns.title.SECONDS", 0.01)
    script("titler", ["A ", hang()])
    stored = await asked(titler)
    assert stored.title == "Why do customers"
    assert stored.turns[0].requests[1].usage.unmeasured_requests == 1


@on_a_loop
async def test_unknown_title_model_changes_nothing(titler):
    titler.agents.define(replace(BUILT_IN["assistant"], title_model="nonsense:x"))
    stored = await asked(titler)
    assert (stored.title, len(stored.turns[0].requests)) == ("Why do customers", 1)


def gated():
    """Let the title model wait until the returned event is set."""
    go_on = asyncio.Event()

    async def waits(_messages):
        await go_on.wait()
        yield "Late title"

    script("titler", waits)
    return go_on


@on_a_loop
async def test_late_title_holds_no_session_and_changes_no_name(titler):
    go_on = gated()
    turn = await titler.run("Why?", session="chat", model="calm", titles=True)
    await turn.result()
    await asyncio.sleep(0)
    await (await titler.run("Again?", session="chat")).result()
    titler.sessions.rename("chat", "churn")
    go_on.set()
    await made(titler)
    stored = titler.store.load(turn.session_id)
    assert (stored.name, stored.title) == ("churn", "Why?")


@on_a_loop
async def test_late_title_does_not_replace_another_one(titler):
    go_on = gated()
    turn = await titler.run("Why?", session="chat", model="calm", titles=True)
    await turn.result()
    titler.store.update(turn.session_id, lambda session: replace(session, title="Mine"))
    go_on.set()
    await made(titler)
    assert titler.store.load(turn.session_id).title == "Mine"


@on_a_loop
async def test_late_title_brings_no_deleted_session_back(titler):
    go_on = gated()
    turn = await titler.run("Why?", session="chat", model="calm", titles=True)
    await turn.result()
    await asyncio.sleep(0)
    await titler.delete("chat")
    go_on.set()
    await made(titler)
    assert titler.sessions.summaries()[0] == []


@on_a_loop
async def test_shutdown_gives_up_a_title(titler):
    gated()
    turn = await titler.run("Why?", session="chat", model="calm", titles=True)
    await turn.result()
    await asyncio.sleep(0)
    [task] = titler._titling._tasks.values()
    titler.shutdown(0)
    await asyncio.wait([task], timeout=30)
    assert task.cancelled()
    assert titler.store.load(turn.session_id).title == "Why?"


@on_a_loop
async def test_next_turn_reports_the_new_title(titler):
    await asked(titler)
    turn = await titler.run("Again?", session="chat", model="calm")
    events = [event async for event in turn.events()]
    assert [event.title for event in events if isinstance(event, TitleChanged)] == ["Why customers leave"]
    assert type(events[1]) is TitleChanged
    again = await titler.run("Again?", session="chat", model="calm")
    assert not [event async for event in again.events() if isinstance(event, TitleChanged)]


@on_a_loop
async def test_turn_that_runs_when_the_title_comes_reports_it(titler, gate):
    go_on = gated()
    await (await titler.run("Why?", session="chat", model="calm", titles=True)).result()
    await asyncio.sleep(0)
    turn = await titler.run("Again?", session="chat", model="gate")
    seen = 0
    while not turn.transcript.blocks:
        seen = await turn.news(seen, 5)
    go_on.set()
    await made(titler)
    gate.open.set()
    await turn.result()
    titles = [event.title for event in [event async for event in turn.events()] if isinstance(event, TitleChanged)]
    assert titles == ["Late title"]


@on_a_loop
async def test_title_of_an_emptied_session_is_not_reported(titler):
    await asked(titler)
    titler.branches.reset("chat")
    turn = await titler.run("Something else", session="chat", model="calm")
    assert not [event async for event in turn.events() if isinstance(event, TitleChanged)]
    assert titler.sessions.load("chat").title == "Something else"


@on_a_loop
async def test_late_title_of_an_emptied_session_is_only_counted(titler):
    go_on = gated()
    titler.models.prices |= {"titler": [20_000.0, 0.0]}
    await (await titler.run("Why?", session="chat", model="calm", titles=True)).result()
    await asyncio.sleep(0)
    titler.branches.reset("chat")
    await (await titler.run("Why?", session="chat", model="calm", titles=True)).result()
    go_on.set()
    await made(titler)
    stored = titler.sessions.load("chat")
    assert (stored.title, len(stored.turns[0].requests)) == ("Why?", 1)
    assert stored.removed_usage.cost > 0


@on_a_loop
async def test_turn_that_runs_when_the_title_comes_is_charged_for_it(titler, gate):
    go_on = gated()
    titler.models.prices |= {"calm": [20_000.0, 0.0], "titler": [20_000.0, 0.0], "gate": [0.0, 0.0]}
    await (await titler.run("Why?", session="chat", model="calm", titles=True)).result()
    await asyncio.sleep(0)
    turn = await titler.run("Again?", session="chat", model="gate", budget=100)
    go_on.set()
    await made(titler)
    stored = titler.sessions.load("chat")
    assert session_account(stored).used.cost == stored.usage.cost > stored.turns[0].usage.cost
    gate.open.set()
    await turn.result()


@on_a_loop
async def test_title_that_a_budget_refuses_is_not_a_request(titler):
    titler.models.prices |= {"calm": [20_000.0, 0.0], "titler": [20_000.0, 0.0]}
    stored = await asked(titler, budget=0.01)
    assert (stored.title, len(stored.turns[0].requests)) == ("Why do customers", 1)


@on_a_loop
async def test_title_of_a_copied_or_imported_session_stays(titler):
    script("fails", RuntimeError("no"))
    await ask(titler, "Why?", model="fails")
    titler.branches.fork("chat", "copy")
    assert (await asked(titler, "And more?", "copy")).title == "Why?"
    assert titler.titler.sent == []


@on_a_loop
async def test_summary_is_no_reason_for_a_title(titler):
    turn = await titler.run("Why?", session="chat", model="hang", titles=True)
    await said(turn)
    turn.cancel()
    await turn.result()
    script("calm", "In short.")
    assert (await (await titler.compact("chat", model="calm", titles=True)).result()).status == "completed"
    await made(titler)
    assert titler.sessions.load("chat").title == "Why?"


@on_a_loop
async def test_first_column_of_a_comparison_gives_the_title(titler):
    for first, asked_for in (("dumb", 0), ("calm", 1)):
        request = Request(prompt="Why?", session="chat", titles=True)
        comparison = await titler.compare(request, contestants([first, "recalls"]), repeat=2)
        await comparison.answers()
        await made(titler)
        assert len(titler.titler.sent) == asked_for
    stored = titler.sessions.load("chat")
    assert stored.title == "Why customers leave"
    [counted] = [turn for turn in stored.turns if any(each.purpose == "title" for each in turn.requests)]
    assert (counted.model, counted.column.number) == ("calm", 1)


@on_a_loop
async def test_first_turn_that_fails_leaves_the_title_to_the_next(titler):
    script("fails", RuntimeError("no"))
    assert (await asked(titler, model="fails")).title == "Why do customers"
    assert (await asked(titler, "Why?")).title == "Why customers leave"


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ('"Why customers leave."\n', "Why customers leave"),
        ("# **Why** `customers` _leave_", "Why customers leave"),
        ("Title: Why\n\ncustomers leave", "Why"),
        ("<think>Let me see.\nA title.</think>\n\nChurn", "Churn"),
        ("<think>never ends", ""),
        ("<script>alert(1)</script> a < b snake_case", "alert(1) a < b snake_case"),
        ("[Churn](http://evil.test/x) ![p](http://evil.test/p)", "Churn p"),
        (f"About {KEY}", f"About {CLEAN}"),
        ("two\x1b[31m\u202ewords", "two\ufffd[31m\ufffdwords"),
        ("", ""),
    ],
)
def test_title_is_one_clean_line(written, title):
    assert cleaned(written) == title


def test_title_is_cut():
    assert len(cleaned("word " * 100)) <= TITLE_LENGTH
