"""A budget refuses the next model request of a session or a kernel, and what was said is kept."""

import asyncio

import pytest
from pydantic_ai.messages import ModelRequest, UserPromptPart
from pydantic_ai.models import ModelRequestParameters

from sessionmagic import ROOT, Request
from sessionmagic.conversation.budget import checked_budget, parsed_budget
from sessionmagic.conversation.events import LimitReached
from sessionmagic.conversation.usage import Usage
from sessionmagic.exceptions import ToolError, TurnLimitError, UsageError
from sessionmagic.sessions.budgets import session_account, set_budget
from sessionmagic.testing import call, script
from sessionmagic.tools.tool_code import running
from sessionmagic.turns.account import KERNEL, Account
from sessionmagic.turns.charged_model import ChargedModel
from tests.turns import ask, events_of, on_a_loop, prompts, said, statuses, until

DOLLAR = [20_000.0, 0.0]
"""A price with which each short request costs about one dollar: a prompt without instructions has some 50 tokens."""


@pytest.fixture
def priced(manager):
    """A manager whose models have prices."""
    manager.models.prices |= dict.fromkeys(("calm", "hang", "acts", "also"), DOLLAR)
    return manager


def look() -> str:
    """Look."""
    return "seen"


def spent(manager, session="chat"):
    return session_account(manager.sessions.load(session)).used


@on_a_loop
async def test_next_turn_is_refused_when_the_budget_is_spent(priced):
    first = await ask(priced, "one", budget=0.01)
    assert (first.status, first.cost > 0.01) == ("completed", True)  # only afterwards is its cost known
    second = await ask(priced, "two")
    assert (second.status, type(second.error)) == ("limit", TurnLimitError)
    assert str(second.error) == (
        f"session 'chat' has spent ${first.cost:.4f} of its budget of $0.0100; %agent set --budget AMOUNT -s chat "
        "raises it, and --budget none removes it"
    )
    stored = priced.sessions.load("chat")
    assert (prompts(stored), statuses(stored), stored.head) == (["one", "two"], ["completed", "limit"], "1")
    assert (stored.budget, stored.turns[1].requests) == (0.01, [])


@on_a_loop
async def test_turn_that_is_refused_its_second_request_keeps_what_was_said(priced):
    script("acts", ["I look.", call("look")], "Done.")
    turn = await priced.run("Go", session="chat", model="acts", tools=[look], yes=True, budget=0.01)
    events = await events_of(turn)
    result = await turn.result()
    assert (result.status, result.text) == ("limit", "I look.")
    assert [(event.which, event.value) for event in events if isinstance(event, LimitReached)] == [("budget", 0.01)]
    stored = priced.sessions.load("chat")
    assert (stored.head, len(stored.turns[0].requests)) == ("1", 1)


@on_a_loop
async def test_emptied_session_still_counts_what_it_has_spent_and_a_fork_does_not(priced):
    first = await ask(priced, budget=0.01)
    priced.branches.reset("chat")
    assert spent(priced).cost == first.cost
    assert (await ask(priced)).status == "limit"
    priced.branches.fork("chat", "copy")
    assert spent(priced, "copy").cost is None
    assert (await ask(priced, session="copy")).status == "completed"
    await priced.delete("chat")
    assert (await ask(priced, budget=0.01)).status == "completed"


@on_a_loop
async def test_raised_budget_lets_the_session_continue(priced):
    await ask(priced, budget=0.01)
    set_budget(priced.sessions, priced.store, "chat", 1000)
    assert (await ask(priced)).status == "completed"
    set_budget(priced.sessions, priced.store, "chat", None)
    assert (await ask(priced)).status == "completed"
    assert priced.sessions.load("chat").budget is None


@on_a_loop
async def test_budget_that_is_set_while_a_turn_runs_holds_for_its_next_request(priced):
    asked = asyncio.Event()

    async def wait() -> str:
        """Wait."""
        await asked.wait()
        return "waited"

    script("acts", call("wait"), "Done.")
    turn = await priced.run("Go", session="chat", model="acts", tools=[wait], yes=True)
    await until(lambda: turn.transcript.blocks)
    set_budget(priced.sessions, priced.store, "chat", 0.01)
    asked.set()
    assert (await turn.result()).status == "limit"


@on_a_loop
async def test_refused_compaction_says_what_was_spent(priced):
    await ask(priced, budget=0.01)
    result = await (await priced.compact("chat")).result()
    assert (result.status, type(result.error)) == ("limit", TurnLimitError)
    stored = priced.sessions.load("chat")
    assert (stored.head, stored.turns[1].status, stored.turns[1].requests) == ("1", "limit", [])


@on_a_loop
async def test_turns_of_a_group_do_not_spend_the_same_last_cent(priced):
    await ask(priced, budget=0.01)
    set_budget(priced.sessions, priced.store, "chat", spent(priced).cost + 0.01)
    async with priced.group("chat") as group:
        turns = [await priced.start(Request(prompt=f"p{n}", session="chat", moves_head=False), group) for n in range(3)]
        results = [await turn.result() for turn in turns]
    assert sorted(result.status for result in results) == ["completed", "limit", "limit"]


@on_a_loop
async def test_budget_of_a_reused_turn_holds_for_the_turns_beside_it(priced):
    await ask(priced)
    async with priced.group("chat") as group:
        running = await priced.start(Request(prompt="Go", session="chat", model="hang", once=True), group)
        again = Request(prompt="Hello", session="chat", after=ROOT, reuse=True, budget=0.5)
        assert (await (await priced.start(again, group)).result()).reused
        assert session_account(priced.sessions.load("chat")).budget == 0.5
        running.cancel()


@on_a_loop
async def test_request_that_is_stopped_while_it_waits_for_another_was_not_made(priced):
    KERNEL.budget = 100
    turn = await priced.run("Go", session="first", model="hang")
    await said(turn)
    before = KERNEL._last
    waiting = await priced.run("Go", session="second", model="calm")
    await until(lambda: KERNEL._last is not before)
    waiting.cancel()
    assert (await waiting.result()).usage == Usage()
    assert priced.sessions.load("second").turns[0].requests == []
    turn.cancel()
    await turn.result()


@on_a_loop
async def test_request_that_waits_for_another_can_be_stopped():
    account = Account("x", "y", budget=1.0)
    entered = []

    async def request(name):
        async with account.request():
            entered.append(name)
            await asyncio.sleep(0)

    async with account.request():
        waiting, last = asyncio.ensure_future(request("stopped")), asyncio.ensure_future(request("last"))
        await asyncio.sleep(0)
        waiting.cancel()
    await last
    assert entered == ["last"]


@on_a_loop
async def test_budget_of_the_kernel_is_for_all_its_sessions(priced):
    KERNEL.budget = 0.01
    assert (await ask(priced, session="one")).status == "completed"
    refused = await ask(priced, session="two")
    assert refused.status == "limit"
    assert "this kernel has spent $" in str(refused.error)
    assert "%config AgentMagics.budget" in str(refused.error)


@on_a_loop
async def test_budget_on_a_model_without_a_price_is_an_error_before_anything_is_stored(manager):
    with pytest.raises(UsageError, match=r'calm has no known price.*AgentMagics.prices = \{"calm": \[INPUT, OUTPUT\]'):
        await ask(manager, budget=1)
    assert manager.sessions.summaries()[0] == []
    await ask(manager)
    with pytest.raises(UsageError, match="no known price"):
        set_budget(manager.sessions, manager.store, "chat", 1)
    assert manager.sessions.load("chat").budget is None
    KERNEL.budget = 1.0
    with pytest.raises(UsageError, match="this kernel cannot keep to its budget"):
        await ask(manager)
    assert len(manager.sessions.load("chat").turns) == 1


@on_a_loop
async def test_free_model_is_never_refused_for_its_price(manager):
    manager.models.prices["calm"] = [0, 0]
    assert [(await ask(manager, budget=0.01)).cost for _ in range(2)] == [0.0, 0.0]


@on_a_loop
async def test_requests_of_unknown_cost_are_named_and_not_counted_as_free(priced):
    turn = await priced.run("Hello", session="chat", model="hang", budget=1000)
    await said(turn)
    turn.cancel()
    await turn.result()
    turn = await priced.run("Hello", session="chat", model="calm")
    await turn.result()
    [warning] = turn.transcript.warnings
    assert warning == "session 'chat' has made 1 request of unknown cost, not counted in its budget of $1000.0000"
    set_budget(priced.sessions, priced.store, "chat", 0.01)
    error = str((await ask(priced, model="calm")).error)
    assert "has spent at least $" in error
    assert "(1 request of unknown cost not counted)" in error


@on_a_loop
async def test_answer_without_a_price_is_the_last_one_under_a_budget(priced, monkeypatch):
    from sessionmagic.turns import charged_model

    monkeypatch.setattr(charged_model, "has_price", lambda _: True)  # as for an alias of another model
    del priced.models.prices["calm"]
    script("calm", call("look"), "Done.")
    result = await ask(priced, model="calm", tools=[look], yes=True, budget=1)
    assert (result.status, result.usage.unpriced_requests) == ("failed", 1)
    assert "calm has no known price" in str(result.error)


@on_a_loop
async def test_any_model_can_be_charged_to_accounts(priced):
    account = Account("the titles", "ask for fewer", budget=0.01)
    model = ChargedModel(script("also", "A title"), priced.models.resolve("also"), [account])
    messages = [ModelRequest([UserPromptPart("Give it a title")])]
    await model.request(messages, None, ModelRequestParameters())
    assert account.used.cost > 0.01
    with pytest.raises(TurnLimitError, match=r"the titles has spent .*; ask for fewer"):
        await model.request(messages, None, ModelRequestParameters())


@on_a_loop
async def test_failed_request_costs_nothing(priced):
    script("also", RuntimeError("it broke"))
    await ask(priced, model="also", budget=1)
    assert KERNEL.used == spent(priced) == Usage()


@on_a_loop
async def test_what_the_account_counts_is_what_the_records_say(priced):
    script("acts", call("look"), "Done.")
    await ask(priced, model="acts", tools=[look], yes=True)
    turn = await priced.run("Hello", session="chat", model="hang")
    await said(turn)
    turn.cancel()
    await turn.result()
    assert KERNEL.used == spent(priced)
    assert KERNEL.used.unmeasured_requests == 1


def test_code_of_a_tool_call_cannot_set_a_budget(priced):
    priced.run_sync("Hello", session="chat", budget=1)
    with running("run_python"), pytest.raises(ToolError, match="cannot set a budget"):
        set_budget(priced.sessions, priced.store, "chat", None)

    @on_a_loop
    async def more():
        with running("run_python"):
            await priced.run("Hello", session="chat", budget=1000)

    with pytest.raises(ToolError, match="cannot set a budget"):
        more()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("0", "would allow no model request; give an amount above 0"),
        ("-1", "would allow no model request"),
        ("cheap", "'cheap' is not an amount of dollars; give a number such as 0.50"),
        ("", "is not an amount"),
        ("nan", "is not an amount"),
        ("inf", "is not an amount"),
        ("1e999", "is not an amount"),
        ("none", "%agent set --budget none removes"),
    ],
)
def test_amount_that_cannot_be_a_budget_is_refused(typed, words):
    with pytest.raises(UsageError, match=words):
        parsed_budget(typed)


@pytest.mark.parametrize("amount", [True, None, "1", [1], 10**400])
def test_only_a_number_is_a_budget(amount):
    with pytest.raises(UsageError):
        checked_budget(amount)


def test_budget_is_typed_with_or_without_a_dollar_sign():
    assert (parsed_budget("0.50"), parsed_budget("$2")) == (0.5, 2.0)
