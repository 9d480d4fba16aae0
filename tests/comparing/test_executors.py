"""Grids whose requests are made by executors: threads, processes, a Dask cluster."""

import multiprocessing
import os
import pickle
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from sessionmagic import Models, SessionManager, ToolError
from sessionmagic.testing import script
from tests.chat_server import ChatServer, Reply, prompt_of

KEY = "correct-horse-battery"
PROMPTS = ["one", "two", "three"]


@pytest.fixture
def server():
    numbers = iter(range(1_000))
    with ChatServer(lambda body: Reply(f"{prompt_of(body)}: answer {next(numbers)}")) as server:
        yield server


@pytest.fixture
def asked(manager, server, monkeypatch):
    """Return a function that runs a small grid with an executor."""
    monkeypatch.setenv("LAB_API_KEY", KEY)
    manager = SessionManager(manager.store, Models(endpoints={"lab": server.url}, prices={"lab": [1, 1]}))

    def ask(executor, prompts=PROMPTS, **options):
        options = {"repeat": 3, "system": "Be brief.", "settings": {"temperature": 0.5}, **options}
        return manager.grid_sync(prompts, "lab:m", executor=executor, **options)

    return ask


def check(results, server):
    assert [row.error for row in results] == [None] * 9
    assert len({row.answer for row in results}) == 9  # no repeat is the answer of another one
    assert all(row.answer.startswith(f"{row.prompt}: answer") for row in results)
    assert len(server.requests) == 9
    assert server.headers["authorization"] == f"bearer {KEY}"
    assert server.requests[0]["temperature"] == 0.5
    assert results.cost == pytest.approx(9 * 10 / 1_000_000)


def test_threads_ask(asked, server):
    with ThreadPoolExecutor(4) as executor:
        check(asked(executor), server)


@pytest.mark.once
@pytest.mark.skipif(os.name == "nt", reason="a server for all processes is quicker")
def test_processes_ask(asked, server):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sessionmagic.comparing.asking", "pydantic_ai.models.openai"])
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        check(asked(executor), server)
        assert asked(executor).asked == 0


@pytest.mark.once
def test_a_dask_cluster_asks(asked, server):
    import distributed

    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=4, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        check(asked(client.get_executor()), server)


class Recorder(Executor):
    """Records what it is given, as another process would get it."""

    def __init__(self, *fails):
        self.calls = []
        self._fails = fails

    def submit(self, function, /, *arguments, **named):
        self.calls.append(pickle.dumps((function, arguments, named)))
        future = Future()
        if self._fails:
            future.set_exception(self._fails[0])
        else:
            function, arguments, named = pickle.loads(self.calls[-1])  # noqa: S301  our own bytes
            threading.Thread(target=lambda: future.set_result(function(*arguments, **named))).start()
        return future


def test_calls_can_be_pickled_are_all_different_and_have_no_keys(asked, server):
    recorder = Recorder()
    check(asked(recorder), server)
    assert len(set(recorder.calls)) == 9
    assert not any(KEY.encode() in call for call in recorder.calls)
    asked(recorder, [f"use {KEY}"], repeat=1)
    assert KEY.encode() not in recorder.calls[-1]


def test_what_an_executor_raises_is_the_error_of_the_cell(asked):
    results = asked(Recorder(RuntimeError("the worker is lost")))
    assert [row.error for row in results] == ["RuntimeError: the worker is lost"] * 9


def test_an_executor_that_is_broken_ends_the_run(asked):
    from concurrent.futures.process import BrokenProcessPool

    recorder = Recorder(BrokenProcessPool("a process died"))
    with pytest.raises(ToolError, match="the executor has failed: BrokenProcessPool: a process died"):
        asked(recorder, [f"{number}" for number in range(100)])
    assert len(recorder.calls) <= 20


def test_a_model_that_only_this_process_knows_is_one_error_a_cell(manager):
    script("ours", "It is fine.")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        results = manager.grid_sync(["one"], "ours", executor=executor)
    assert "not a model reference" in results[0].error
