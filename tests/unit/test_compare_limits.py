"""A comparison that is stopped as a whole, deleted with its session, asked again, or under a budget."""

import asyncio

import pytest

from sessionmagic.comparing.comparison import PER_PROVIDER
from sessionmagic.comparing.contestants import Contestant, contestants
from sessionmagic.comparing.judge import Judge
from sessionmagic.exceptions import ModelReferenceError, SessionNotFoundError, UsageError
from sessionmagic.loop import in_thread
from sessionmagic.testing import pause, script
from sessionmagic.turns.request import Cell, Request
from tests.scripted import Gate
from tests.turns import ask, on_a_loop, until


async def full(manager):
    """Return the answers of a comparison that has more runs than one provider is asked at once, while it runs."""
    Gate("gate")
    comparison = await manager.compare(
        Request(prompt="Which?", session="chat"), contestants(["gate"]), repeat=PER_PROVIDER + 2
    )
    answering = asyncio.ensure_future(comparison.answers())
    await until(lambda: len(manager.turns.running()) == PER_PROVIDER)
    return answering


@on_a_loop
async def test_stopping_a_session_starts_no_further_runs(manager):
    answering = await full(manager)
    assert manager.turns.stop("chat")
    assert [answer.status for answer in await answering] == ["interrupted"] * PER_PROVIDER
    assert len(manager.sessions.load("chat").turns) == PER_PROVIDER
    assert (await ask(manager)).status == "completed"


@on_a_loop
async def test_a_manager_that_shuts_down_starts_no_further_runs(manager):
    answering = await full(manager)
    await in_thread(manager.shutdown)
    assert len(await answering) == PER_PROVIDER


@on_a_loop
async def test_a_session_is_deleted_with_the_runs_that_wait(manager):
    answering = await full(manager)
    await manager.delete("chat")
    await answering
    with pytest.raises(SessionNotFoundError):
        manager.sessions.load("chat")


@on_a_loop
async def test_a_comparison_that_only_holds_its_session_can_be_stopped(manager):
    await ask(manager)
    comparison = await manager.compare(Request(prompt="Which?", session="chat"), contestants(["calm"]))
    stopped = []
    comparison.on_stop = lambda: stopped.append(True)
    assert manager.turns.stop("chat")
    assert stopped == [True]
    assert len(await comparison.answers()) == 0
    assert not manager.turns.stop("chat")


@on_a_loop
async def test_times_under_a_budget_are_those_of_the_column_alone(manager):
    script("slow", [pause(2.0), "Slow."])
    manager.models.prices |= {"slow": [1, 1], "calm": [1, 1]}
    request = Request(prompt="Which?", session="chat", budget=100)
    slow, calm = await (await manager.compare(request, contestants(["slow", "calm"]))).answers()
    assert calm.seconds < 2.0 <= slow.seconds
    assert calm.first_token < 2.0


@on_a_loop
async def test_control_characters_of_models_are_not_printed(manager):
    script("hostile", "\x1b[31mred")
    [answer] = answers = await (
        await manager.compare(Request(prompt="Which?", session="chat"), contestants(["hostile"]))
    ).answers()
    assert "\x1b" in answer.text
    assert repr(answers) == "hostile: \ufffd[31mred"


@on_a_loop
async def test_a_cell_that_compares_again_continues_the_same_turn_although_others_came_later(manager):
    async def compare():
        request = Request(prompt="Which?", session="chat", cell=Cell(id="compares"))
        await (await manager.compare(request, contestants(["calm"]))).answers()

    await ask(manager, "first", cell=Cell(id="first"))
    await compare()
    await ask(manager, "later", cell=Cell(id="later"))
    await compare()
    await ask(manager, "first, changed", cell=Cell(id="first"))
    await compare()
    assert [turn.parent for turn in manager.sessions.load("chat").turns] == [None, "1", "1", "1", None, "5"]


@on_a_loop
async def test_columns_with_equal_labels_are_judged_apart(manager):
    long = "x" * 500
    script("judge", "VERDICT: tie", each_turn=True)
    columns = [Contestant("calm", {"stop": [long + end]}) for end in "ab"]
    answers = await (await manager.compare(Request(prompt="Which?", session="chat"), columns)).answers()
    assert len({answer.column.label for answer in answers}) == 1
    [first, _] = await manager.comparisons.judge("chat", Judge("judge"))
    assert [(verdict.first, verdict.second) for verdict in first.verdicts] == [("1", "2")]


@on_a_loop
async def test_a_judge_without_a_price_is_refused_under_the_budget_of_the_session(manager):
    manager.models.prices |= {"calm": [1, 1], "recalls": [1, 1]}
    request = Request(prompt="Which?", session="chat", budget=100)
    await (await manager.compare(request, contestants(["calm", "recalls"]))).answers()
    script("judge", "VERDICT: tie", each_turn=True)
    with pytest.raises(UsageError, match="judge has no known price, so session 'chat' cannot keep to its budget"):
        await manager.comparisons.judge("chat", Judge("judge"))


@on_a_loop
async def test_a_judge_that_cannot_be_asked_is_refused_before_the_columns_are_paid(manager):
    manager.models.prices |= {"calm": [1, 1], "recalls": [1, 1]}
    script("judge", "VERDICT: tie", each_turn=True)
    compared = contestants(["calm", "recalls"])
    for judge, budget, error in (("judge", 100, UsageError), ("jude", None, ModelReferenceError)):
        with pytest.raises(error, match=r"no known price|did you mean 'judge'"):
            await manager.compare(Request(prompt="Which?", session="chat", budget=budget), compared, judge=judge)
    assert manager.store.find("chat") is None


@on_a_loop
async def test_a_judge_that_may_cost_more_than_the_budget_has_left_speaks_of_the_budget(manager):
    manager.models.prices |= {"calm": [1, 1], "recalls": [1, 1], "judge": [1e6, 1e6]}
    script("judge", "VERDICT: tie", each_turn=True)
    request = Request(prompt="Which?", session="chat", budget=1)
    await (await manager.compare(request, contestants(["calm", "recalls"]))).answers()
    with pytest.raises(
        UsageError, match=r"^the judge would make .* left in the session's budget, .*; %agent set --bud"
    ):
        await manager.comparisons.judge("chat", Judge("judge"))


@on_a_loop
async def test_an_answer_of_an_emptied_session_keeps_no_other_turn(manager):
    request = Request(prompt="Which?", session="chat")
    answers = await (await manager.compare(request, contestants(["calm"]))).answers()
    manager.branches.reset("chat")
    await ask(manager)
    with pytest.raises(UsageError, match="no longer has this comparison"):
        answers.keep(1)
