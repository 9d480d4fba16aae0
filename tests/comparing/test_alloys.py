"""Alloys in comparisons, in grids and as judges: one column, whose answers come from several models."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from sessionmagic import MemoryStore, Models, SessionManager, UsageError
from sessionmagic.comparing.contestants import contestants
from sessionmagic.comparing.judge import Judge
from sessionmagic.models.sources import register_model
from sessionmagic.testing import ScriptedModel, script
from sessionmagic.turns.request import Request
from tests.chat_server import ChatServer, Reply
from tests.turns import on_a_loop


class InTurn:
    """Chooses the members one after the other."""

    def __init__(self):
        self.count = -1

    def __call__(self, members):
        self.count += 1
        return members[self.count % len(members)]


@pytest.fixture
def alloys(manager):
    manager.models.choose = InTurn()
    for name in "abc":
        script(name, name.upper(), each_turn=True)
    return manager


@on_a_loop
async def test_an_alloy_is_one_column(alloys):
    comparison = await alloys.compare(Request(prompt="Hi", session="chat"), contestants(["a,b", "c"]), repeat=2)
    answers = await comparison.answers()
    assert [each.column.label for each in answers] == ["a,b", "a,b", "c", "c"]
    assert sorted(str(each) for each in answers) == ["A", "B", "C", "C"]
    alloys.comparisons.keep("chat", "a,b", model=True)
    assert alloys.sessions.load("chat").agent_model_overrides == {"assistant": "a,b"}


@on_a_loop
async def test_the_requests_of_a_judge_name_the_member_that_answered(alloys):
    for name in ("x", "y"):
        script(name, "VERDICT: tie", each_turn=True)
    await (await alloys.compare(Request(prompt="Hi", session="chat"), contestants(["a", "b"]))).answers()
    [first, *_] = await alloys.comparisons.judge("chat", Judge("x,y"))
    assert sorted(each.model for each in first.requests if each.purpose == "judge") == ["x", "y"]
    assert first.verdicts[0].judge == "x,y"


def test_each_answer_of_a_grid_comes_from_a_member_which_its_row_names(alloys):
    results = alloys.grid_sync(["one", "two"], ["a,b", "c"], repeat=2)
    assert [row.label for row in results][:4] == ["a,b", "a,b", "c", "c"]
    assert sorted(row.answered_by for row in results) == ["a", "a", "b", "b", "c", "c", "c", "c"]
    assert all(row.answer == row.answered_by.upper() for row in results)
    assert alloys.grid_sync(["one", "two"], ["a,b", "c"], repeat=2).asked == 0


@pytest.mark.parametrize("output_type", [None, dict[str, int]])
def test_a_row_names_the_member_of_an_own_server_by_its_reference(output_type):
    with ChatServer(lambda _: Reply('{"x": 1}')) as server:  # which gives all its models one name
        manager = SessionManager(MemoryStore(), Models(endpoints={"lab": server.url}))
        manager.models.choose = InTurn()
        rows = manager.grid_sync(["one"], "lab:m,lab:n", repeat=2, output_type=output_type)
    assert sorted(row.answered_by for row in rows) == ["lab:m", "lab:n"]


def test_a_member_answers_a_grid_with_its_own_settings_and_price(alloys):
    first, second = ScriptedModel("A", name="first"), ScriptedModel("B", name="second")
    register_model("first", first, {"temperature": 0.1})
    register_model("second", second)
    alloys.models.prices |= {"first": [1.0, 0.0], "second": [1000.0, 0.0]}
    rows = list(alloys.grid_sync(["one", "two"], "first,second", settings={"top_p": 0.5}, max_cost=100.0))
    assert first.sent_settings[0] == {"temperature": 0.1, "top_p": 0.5, "max_retries": 0}
    assert second.sent_settings[0] == {"top_p": 0.5, "max_retries": 0}
    costs = {row.answered_by: row.cost / row.input_tokens for row in rows}
    assert costs == {"first": pytest.approx(1e-6), "second": pytest.approx(1e-3)}


def test_answers_do_not_count_any_more_when_a_member_has_other_settings(alloys):
    alloys.grid_sync(["one"], "a,b")
    register_model("b", ScriptedModel("B", name="b"), {"temperature": 0.1})
    assert alloys.grid_sync(["one"], "a,b").asked == 1


def test_max_cost_needs_the_price_of_each_member(alloys):
    alloys.models.prices |= {"a": [1.0, 1.0]}
    with pytest.raises(UsageError, match=r"^b has no known price"):
        alloys.grid_sync(["one"], "a,b", max_cost=1.0)


def test_the_workers_of_an_executor_ask_an_alloy_at_the_prices_of_its_members():
    with ChatServer(lambda body: Reply(f"{body['model']}")) as server:
        models = Models(endpoints={"lab": server.url}, prices={"lab:m": [1, 1], "lab:n": [2, 2]})
        with ThreadPoolExecutor(2) as executor:
            prompts = [str(number) for number in range(30)]
            results = SessionManager(MemoryStore(), models).grid_sync(prompts, "lab:m,lab:n", executor=executor)
    assert {(row.answer, round(row.cost * 1e6)) for row in results} == {("m", 10), ("n", 20)}
