"""Many prompts for several models: what is asked, what is not, and what the rows say."""

import asyncio
import functools
import math
import os
import signal
import time
from concurrent.futures import CancelledError
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.usage import RequestUsage

from sessionmagic import (
    ModelReferenceError,
    Models,
    SessionBusyError,
    SessionManager,
    TurnLimitError,
    UsageError,
)
from sessionmagic.comparing.grid import GridInterrupt
from sessionmagic.comparing.pace import Pace
from sessionmagic.comparing.plan import GridRequest
from sessionmagic.comparing.provider_run import CELL_TRIES
from sessionmagic.loop import LoopThread
from sessionmagic.models.sources import register_model
from sessionmagic.testing import hang, pause, script
from sessionmagic.turns.account import KERNEL
from tests.clock import MovedClock, passes
from tests.turns import on_a_loop, until


def prompt_of(messages):
    return messages[-1].parts[-1].content


def echo(name, **faults):
    """Register a model that repeats the prompt, or raises the fault of that prompt."""
    return script(name, lambda messages: faults.get(prompt_of(messages), f"{name}: {prompt_of(messages)}"))


def priced(manager, *, dollars, **models):
    """Return a manager like this one, for which each answer of these models costs about that many dollars."""
    return SessionManager(manager.store, Models(prices={name: [dollars * 1_000_000, 0] for name in models}))


class Costs:
    """A model whose answers have one input token each."""

    def __init__(self, name="costs", seconds=0.0):
        from pydantic_ai.messages import ModelResponse, TextPart
        from pydantic_ai.models.function import FunctionModel

        self.asked = 0

        async def answer(_messages, _info):
            self.asked += 1
            await asyncio.sleep(seconds)
            return ModelResponse([TextPart("ok")], usage=RequestUsage(input_tokens=1, output_tokens=1))

        self.model = FunctionModel(answer)
        register_model(name, self.model)


def test_rows_are_prompt_by_prompt_then_by_model_then_by_repeat(manager):
    echo("a")
    echo("b")
    results = manager.grid_sync(["one", "two"], ["a", "b"], repeat=2)
    assert [(row.number, row.model, row.repeat) for row in results] == [
        (number, model, repeat) for number in (0, 1) for model in ("a", "b") for repeat in (1, 2)
    ]
    assert [row.answer for row in results][::4] == ["a: one", "a: two"]
    assert (results.total, results.missing, results.asked, results.errors) == (8, 0, 8, [])


def test_a_model_answers_with_each_setting_that_varies_and_the_same_instructions(manager):
    model = echo("a")
    results = manager.grid_sync(["one"], "a", vary={"temperature": [0, 0.5]}, settings={"seed": 7}, system="Be brief.")
    assert sorted(sent["temperature"] for sent in model.sent_settings) == [0, 0.5]
    assert {sent["seed"] for sent in model.sent_settings} == {7}
    assert [row.label for row in results] == ["a temperature=0", "a temperature=0.5"]
    assert results[0].settings == {"seed": 7, "temperature": 0}


def test_what_is_done_is_not_asked_again_and_what_is_new_is(manager):
    model = echo("a")
    first = manager.grid_sync(["one", "two"], "a")
    again = manager.grid_sync(["two", "three", "one"], "a")
    assert [prompt_of(sent) for sent in model.sent] == ["one", "two", "three"]
    assert (first.asked, again.asked) == (2, 1)
    assert [row.answer for row in again] == ["a: two", "a: three", "a: one"]
    assert again[2].seconds == first[0].seconds
    assert again[2].input_tokens == first[0].input_tokens


@pytest.mark.parametrize(
    "change", [{"system": "Be brief."}, {"settings": {"seed": 1}}, {"repeat": 2}, {"name": "another"}]
)
def test_what_is_asked_in_another_way_is_another_cell(manager, change):
    echo("a")
    manager.grid_sync(["one"], "a")
    assert manager.grid_sync(["one"], "a", **change).asked == 1


def test_contestants_that_differ_in_what_their_model_ignores_do_not_share_an_answer(manager):
    profile = {"openai_unsupported_model_settings": ("temperature",)}
    model = script("a", "It is fine.", each_turn=True, profile=profile)
    results = manager.grid_sync(["one"], "a", vary={"temperature": [0, 1]})
    assert len(model.sent) == 2
    assert results.warnings == ["a ignores temperature: its library does not send it"]


def test_equal_prompts_are_asked_once_and_share_the_answer(manager):
    model = echo("a")
    results = manager.grid_sync(["one", "two", "one"], "a", repeat=2)
    assert len(model.sent) == 4
    assert [row.number for row in results if row.answer == "a: one"] == [0, 0, 2, 2]


def test_cells_that_have_failed_keep_their_error_and_are_asked_again(manager):
    model = echo("a", two=RuntimeError("it broke"))
    results = manager.grid_sync(["one", "two"], "a")
    assert [row.error for row in results] == [None, "a: RuntimeError: it broke"]
    assert [row.answer for row in results.errors] == [None]
    assert results.missing == 0
    again = manager.grid_sync(["one", "two"], "a")
    assert (again.asked, len(model.sent)) == (1, 3)


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        (["one", None], "prompt 1 is missing"),
        (["one", math.nan], "prompt 1 is missing"),
        ([" "], "prompt 0 is empty"),
        ([3], "prompt 0 is of type int"),
        (["one", pd.NA], "prompt 1 is missing"),
        ([np.array([1, 2])], "prompt 0 is of type ndarray"),
        ("one", "not a list"),
        (None, "not a list"),
        (np.array("one"), "not a list"),
        (pd.DataFrame({"question": ["one"]}), "a column of a DataFrame"),
        ({"one": "two"}, "not a list"),
    ],
)
def test_prompts_that_are_no_texts_are_refused_before_anything_is_asked(manager, prompts, words):
    model = echo("a")
    with pytest.raises(UsageError, match=words):
        manager.grid_sync(prompts, "a")
    assert model.sent == []


@pytest.mark.parametrize(
    ("models", "options", "error", "words"),
    [
        (["a", "nobody:x"], {}, ModelReferenceError, "nobody"),
        (["a", "a"], {}, UsageError, "named twice"),
        ([], {}, UsageError, "no model"),
        (["a"], {"vary": {"temperature": []}}, UsageError, "temperature has no values"),
        (["a"], {"vary": {"temperature": [0, 0.0]}}, UsageError, "temperature=0 is given twice"),
        (["a"], {"repeat": 0}, UsageError, "repeat is 0"),
        (["a"], {"max_cost": -1}, UsageError, "budget of -1"),
        (["a"], {"max_cost": 1}, UsageError, "no known price"),
        (["a"], {"executor": 3}, UsageError, "the executor is of type int"),
        (["a"], {"name": "../a"}, UsageError, "not a valid name of a grid"),
        (["a"], {"settings": {"temprature": 1}}, UsageError, "did you mean"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_asked(manager, models, options, error, words):
    model = echo("a")
    with pytest.raises(error, match=words):
        manager.grid_sync(["one"], models, **options)
    assert model.sent == []


def test_default_is_the_model_that_would_answer_anyway(manager):
    echo("a")
    results = SessionManager(manager.store, Models(default="a")).grid_sync(["one"], "default")
    assert [(row.model, row.answer) for row in results] == [("a", "a: one")]


def test_thirty_models_answer_and_no_prompts_are_no_rows(manager):
    names = [f"m{number}" for number in range(30)]
    for name in names:
        echo(name)
    assert [row.answer for row in manager.grid_sync(["one"], names)] == [f"{name}: one" for name in names]
    assert manager.grid_sync([], names) == []


def test_keys_are_left_out_of_what_is_sent_and_of_answers(manager, monkeypatch):
    key = "correct-horse-battery"
    monkeypatch.setenv("SOME_API_KEY", key)
    model = script("leaks", lambda messages: f"I read {prompt_of(messages)} and {key}")
    results = manager.grid_sync([f"use {key}"], "leaks", system=f"It is {key}.")
    assert key not in repr(model.sent)
    assert key not in repr(list(results))
    assert results[0].answer == "I read use [key left out] and [key left out]"
    assert "left out" in results.warnings[0]


def test_scores_are_numbers_bools_or_several_by_name_and_what_they_raise_is_kept(manager):
    echo("a", bad=RuntimeError("it broke"))

    def score(answer, row):
        return {"length": len(answer), "short": len(answer) < 7} if row.number else 1 / 0

    results = manager.grid_sync(["one", "two", "bad"], "a", score=score)
    assert results[1].scores == {"length": 6.0, "short": True}
    assert (results[0].scores, results[0].score_error) == ({}, "ZeroDivisionError: division by zero")
    assert (results[2].scores, results[2].score_error) == ({}, None)
    results.score(lambda answer, _: len(answer))
    assert [row.scores for row in results] == [{"score": 6.0}, {"score": 6.0}, {}]
    results.score(lambda answer, _: answer)
    assert "the score is of type str" in results[0].score_error


def test_the_embedded_model_is_asked_one_prompt_after_the_other(manager):
    class Embedded(type(Costs().model)):
        system = "local"

        async def request(self, *arguments):
            began.append(len(done))
            response = await super().request(*arguments)
            done.append(True)
            return response

    began, done = [], []
    register_model("embedded", Embedded(Costs().model.function))
    assert len(manager.grid_sync([f"{n}" for n in range(5)], ["embedded"])) == 5
    assert began == [0, 1, 2, 3, 4]


def test_a_grid_that_would_cost_too_much_is_not_begun(manager):
    costs = Costs()
    manager = priced(manager, dollars=1.0, costs=costs)
    with pytest.raises(UsageError, match=r"would make 5 requests, about \$5\.0000, which is above its max_cost"):
        manager.grid_sync([f"{n}" for n in range(5)], "costs", max_cost=4.5)
    assert costs.asked == 0


def test_a_grid_that_has_cost_too_much_stops_and_goes_on_when_it_is_run_again(manager, monkeypatch):
    costs = Costs()
    monkeypatch.setattr("sessionmagic.comparing.plan.cost_of", lambda *_: 0.01)
    manager = priced(manager, dollars=1.0, costs=costs)
    results = manager.grid_sync([f"{n}" for n in range(50)], "costs", max_cost=3.0)
    assert 3 <= results.cost <= 3 + 20  # those that were open when the cost of the first became known
    assert results.asked == len(results) == costs.asked < 50
    assert "max_cost" in results.stopped
    again = manager.grid_sync([f"{n}" for n in range(50)], "costs")
    assert (again.asked, again.missing, costs.asked) == (50 - len(results), 0, 50)


def test_the_budget_of_the_kernel_holds(manager):
    costs = Costs()
    manager = priced(manager, dollars=1.0, costs=costs)
    KERNEL.budget = 2.5
    results = manager.grid_sync([f"{n}" for n in range(9)], "costs")
    assert (len(results), costs.asked, KERNEL.used.cost) == (3, 3, 3.0)
    assert "this kernel has spent $3.0000 of its budget of $2.5000" in results.stopped
    assert (type(results.error), str(results.error)) == (TurnLimitError, results.stopped)


def test_progress_tells_what_is_done_what_it_cost_and_what_it_may_cost(manager):
    costs = Costs()
    told = []
    priced(manager, dollars=0.5, costs=costs).grid_sync(["one", "two", "two"], "costs", progress=told.append)
    assert (told[0].done, told[0].total, str(told[0].estimate)) == (0, 2, "2 requests, about $1.0000")
    assert (told[-1].done, told[-1].failed, told[-1].open, told[-1].cost) == (2, 0, 0, 1.0)
    manager.grid_sync(["three"], "costs", progress=told.append)
    assert str(told[-1].estimate) == "1 request, unknown cost"


def test_a_progress_that_raises_does_not_end_what_is_paid_for(manager):
    echo("a")
    results = manager.grid_sync(["one"], "a", progress=lambda _: 1 / 0)
    assert [row.answer for row in results] == ["a: one"]
    assert "ZeroDivisionError" in results.warnings[0]


@on_a_loop
async def test_a_grid_that_is_cancelled_has_the_rows_that_are_done(manager):
    script("some", lambda messages: hang() if prompt_of(messages) == "two" else "ok")
    grid = manager.grids.new(GridRequest(prompts=["one", "two", "three"], models="some"))
    running = asyncio.create_task(grid.run())
    await until(lambda: len(grid.results) == 2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [row.prompt for row in grid.results] == ["one", "three"]
    assert grid.results.missing == 1
    script("some", "ok")
    assert len(await manager.grid(["one", "two", "three"], "some")) == 3  # it is free again


@on_a_loop
async def test_a_model_that_ignores_its_end_neither_holds_the_grid_nor_asks_on(manager):
    answer, asked = asyncio.Event(), []

    async def deaf(messages):
        asked.append(prompt_of(messages))
        while not answer.is_set():
            with suppress(asyncio.CancelledError):
                await answer.wait()
        yield "too late"

    script("deaf", deaf)
    running = asyncio.create_task(manager.grid([f"{n}" for n in range(50)], "deaf"))
    await until(lambda: len(asked) == 20)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 20)
    echo("a")
    assert len(await manager.grid(["one"], "a")) == 1
    answer.set()
    await asyncio.sleep(0.05)
    assert len(asked) == 20


@on_a_loop
async def test_a_grid_that_is_cancelled_while_it_is_opened_is_free_again(manager, monkeypatch):
    echo("a")
    grid = manager.grids.new(GridRequest(prompts=["one"], models="a"))
    opened = type(grid)._opened

    def cancels(each):
        loop.call_soon_threadsafe(running.cancel)
        while not running.cancelling():
            time.sleep(0.001)
        return opened(each)

    with monkeypatch.context() as patch:
        patch.setattr(type(grid), "_opened", cancels)
        loop, running = asyncio.get_running_loop(), asyncio.create_task(grid.run())
        with pytest.raises(asyncio.CancelledError):
            await running
    assert (await manager.grid(["one"], "a")).asked == 1


def test_an_interrupt_has_the_rows_that_are_done(manager):
    script("some", lambda messages: hang() if prompt_of(messages) == "two" else "ok")

    def interrupt(progress):
        if progress.done == 1 and not interrupted:
            interrupted.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    interrupted = []

    with pytest.raises(KeyboardInterrupt) as raised:
        manager.grid_sync(["one", "two"], "some", progress=interrupt)
    assert isinstance(raised.value, GridInterrupt)
    assert [row.prompt for row in raised.value.results] == ["one"]


def test_an_interrupt_that_comes_while_the_grid_is_begun_stops_it(manager, monkeypatch):
    script("hangs", hang())
    submit, begun = LoopThread.submit, []

    def interrupted(self, work):
        begun.append(submit(self, work))
        raise KeyboardInterrupt

    monkeypatch.setattr(LoopThread, "submit", interrupted)
    with pytest.raises(GridInterrupt):
        manager.grid_sync(["one"], "hangs")
    with pytest.raises(CancelledError):
        begun[0].result(10)


@on_a_loop
async def test_a_grid_runs_once_at_a_time(manager):
    script("hangs", hang())
    hangs = manager.grids.new(GridRequest(prompts=["one"], models="hangs", where="cell 3"))
    running = asyncio.create_task(hangs.run())
    await until(lambda: hangs.results.asked)
    with pytest.raises(SessionBusyError, match=r"grid 'grid' is running: cell 3 has held it since"):
        await manager.grid(["one"], "hangs")
    echo("a")
    assert len(await manager.grid(["one"], "a", name="other")) == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def on_a_fast_clock(test):
    """Run a test of minutes on a loop whose clock is moved."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        with asyncio.Runner(loop_factory=MovedClock) as runner:
            runner.run(test(*args, **kwargs))

    return run


class Down:
    """A model whose provider is down until its loop's clock has moved by `seconds`."""

    def __init__(self, seconds, status=503):
        self.tried = []
        self._until, self._status = seconds, status
        script("down", self._step)

    def _step(self, messages):
        now = asyncio.get_running_loop().time()
        self.began = getattr(self, "began", now)
        self.tried.append(now - self.began)
        if now - self.began < self._until:
            return ModelHTTPError(self._status, "down", None)
        return f"up: {prompt_of(messages)}"


async def moved(running, seconds):
    for _ in range(int(seconds)):
        await passes(1)
        await until(lambda: asyncio.get_running_loop().calls == 0)
        if running.done():
            break
    return await running


@on_a_fast_clock
async def test_a_provider_that_is_down_for_a_minute_is_waited_for(manager):
    down = Down(60.0)
    results = await moved(asyncio.create_task(manager.grid(["one", "two"], "down")), 100)
    assert [row.answer for row in results] == ["up: one", "up: two"]
    assert 60 <= max(down.tried) < 80
    assert len(down.tried) < 2 * 15


@on_a_fast_clock
async def test_a_provider_that_stays_down_is_given_up_and_the_others_go_on(manager, monkeypatch):
    monkeypatch.setattr("sessionmagic.comparing.pace.PATIENCE", 20.0)
    down = Down(math.inf)
    echo("a")
    told = []
    running = asyncio.create_task(manager.grid([f"{n}" for n in range(150)], ["down", "a"], progress=told.append))
    results = await moved(running, 300)
    assert {row.answer for row in results if row.model == "a"} == {f"a: {n}" for n in range(150)}
    assert 0 < len([row for row in results if row.model == "down"]) <= 100
    assert results.missing == 150 - len(results.errors)
    assert "503" in results.stopped
    assert "503" in results.errors[0].error
    assert any("503" in progress.waiting for progress in told)
    assert 20 < max(down.tried) < 40


def test_a_prompt_on_which_its_provider_always_fails_is_given_up_soon(manager, monkeypatch):
    monkeypatch.setattr("sessionmagic.comparing.pace.FIRST_WAIT", 0.001)
    tries, done = [], []

    async def step(messages):
        """Let one other prompt be answered during each try of the poisoned one."""
        prompt = prompt_of(messages)
        if prompt != "poison":
            await until(lambda: len(tries) > int(prompt))
            done.append(prompt)
            yield "ok"
            return
        tries.append(prompt)
        await until(lambda: len(done) == len(tries))
        yield pause(0.02)
        yield ModelHTTPError(500, "some", None)

    script("some", step)
    results = manager.grid_sync(["poison", *(f"{n}" for n in range(CELL_TRIES))], "some")
    assert ["500" in row.error for row in results.errors] == [True]
    assert len(tries) == CELL_TRIES


def test_a_paced_grid_does_not_hold_more_than_its_workers_at_once(manager, monkeypatch):
    """The cells are made one after the other."""
    made = []
    monkeypatch.setattr(Pace, "answered", lambda pace, _: made.append(pace.open))
    echo("a")
    manager.grid_sync([f"{n}" for n in range(120)], "a")
    assert len(made) == 120
    assert max(made) <= 20
