"""Work and its waiting caller on the only thread."""

import asyncio
import signal
import sys
import threading
from concurrent.futures import CancelledError, Future
from types import ModuleType

import pytest

from sessionmagic import loop
from sessionmagic.exceptions import NoThreadsError
from sessionmagic.only_thread import OnlyThread
from tests.turns import on_a_loop


@pytest.fixture
def only(monkeypatch):
    monkeypatch.setattr("sessionmagic.only_thread.CHECK_SECONDS", 0.02)
    thread = OnlyThread()
    yield thread
    for task in asyncio.all_tasks(thread.loop):
        task.cancel()
    thread.loop.run_until_complete(asyncio.sleep(0))
    thread.loop.close()


async def answered(answer):
    await asyncio.sleep(0)
    return answer


async def failed(error):
    raise error


async def hang():
    await asyncio.Event().wait()


async def interrupted():
    asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
    await hang()


def test_result_error_and_cancellation_reach_the_caller_that_waits(only):
    assert only.run_sync(lambda: answered(1)) == 1
    with pytest.raises(ValueError, match="no"):
        only.run_sync(lambda: failed(ValueError("no")))
    for work, error in ((failed(ValueError("no")), ValueError), (failed(asyncio.CancelledError()), CancelledError)):
        future = only.submit(work)
        only.wait(future)
        with pytest.raises(error):
            future.result(0)


def test_work_goes_on_while_something_else_is_waited_for(only):
    first, second = only.submit(answered(1)), only.submit(answered(2))
    only.wait(second)
    assert (first.result(0), second.result(0)) == (1, 2)
    only.wait(first)  # which is done


def test_waiting_ends_after_the_given_time(only):
    future = Future()
    only.wait(future, 0.01)
    assert not future.done()


def test_interrupt_cancels_the_work_that_is_run_and_only_ends_a_wait(only):
    ended = []

    async def work():
        try:
            await interrupted()
        finally:
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        only.run_sync(work)
    assert ended == [True]
    future = only.submit(interrupted())
    with pytest.raises(KeyboardInterrupt):
        only.wait(future)
    assert not future.done()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_second_interrupt_is_raised_at_once(only):
    async def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    future = only.submit(twice())
    with pytest.raises(KeyboardInterrupt):
        only.wait(future)


def test_other_threads_can_wait_and_are_not_interrupted(only):
    waiting = threading.Thread(target=lambda: found.append(only.run_sync(lambda: answered(1))))
    found = []
    waiting.start()
    waiting.join(5)
    assert found == [1]


@on_a_loop
async def test_work_runs_on_the_loop_that_runs():
    only = OnlyThread()
    assert await only.run(answered(1)) == 1
    assert await asyncio.wrap_future(only.submit(answered(2))) == 2


@on_a_loop
async def test_code_that_cannot_wait_is_told_what_to_await(monkeypatch):
    only, work = OnlyThread(), answered(1)
    monkeypatch.setattr(loop, "_shared", only)
    assert not only.can_wait
    for wait in (lambda: only.wait(Future()), lambda: only.run_sync(hang), lambda: loop.result_of(work)):
        with pytest.raises(NoThreadsError, match=r"await SessionManager\(\).run\("):
            wait()
    with pytest.raises(RuntimeError, match="reuse"):
        await work  # it was closed, so that Python does not warn of it


@on_a_loop
async def test_code_that_pyodide_can_suspend_waits(monkeypatch):
    """`tests/matrix/test_pyodide.py` does it with Pyodide."""
    told = []
    monkeypatch.setattr(asyncio.get_running_loop(), "default_exception_handler", told.append)
    suspended = []
    pyodide = ModuleType("pyodide.ffi")
    pyodide.can_run_sync = lambda: True

    def run_sync(work):
        suspended.append(work.__name__)
        work.close()
        for context in (
            {"exception": ValueError("awaited later")},
            {"message": "lost", "exception": ValueError("lost")},
        ):
            asyncio.get_running_loop().call_exception_handler(context)

    pyodide.run_sync = run_sync
    monkeypatch.setitem(sys.modules, "pyodide", ModuleType("pyodide"))
    monkeypatch.setitem(sys.modules, "pyodide.ffi", pyodide)
    only = OnlyThread()
    assert only.can_wait
    only.wait(Future())
    assert suspended == ["_wait"]
    assert [context["message"] for context in told] == ["lost"]
