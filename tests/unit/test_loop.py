"""The thread with a loop on which turns run, and the threads in which they wait for the disk."""

import asyncio
import threading

import pytest

from sessionmagic import loop
from sessionmagic.loop import LoopThread, in_own_thread, in_thread, loop_thread, settled_in_thread, started
from tests.turns import on_a_loop


@pytest.fixture
def other():
    """A loop thread of the test's own."""
    thread = LoopThread("test")
    yield thread
    thread.submit(asyncio.sleep(0)).result(30)


async def name_of_thread():
    return threading.current_thread().name


@on_a_loop
async def test_work_runs_on_the_other_loop_and_its_result_or_error_comes_back(other):
    async def fails():
        raise ValueError("no")

    assert await other.run(name_of_thread()) == "test"
    with pytest.raises(ValueError, match="no"):
        await other.run(fails())


@on_a_loop
async def test_cancelled_caller_waits_until_the_work_has_ended(other):
    began, ended = threading.Event(), []

    async def work():
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.append(True)

    calling = asyncio.create_task(other.run(work()))
    await asyncio.to_thread(began.wait, 30)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert ended == [True]


def test_work_of_a_caller_whose_loop_has_closed_ends_all_the_same(other):
    go_on, ended = threading.Event(), threading.Event()

    async def work():
        await asyncio.to_thread(go_on.wait, 30)
        ended.set()

    async def leave():
        left.append(asyncio.ensure_future(other.run(work())))
        await asyncio.sleep(0)

    left = []
    calling = asyncio.new_event_loop()
    calling.run_until_complete(leave())
    calling.close()
    go_on.set()
    assert ended.wait(30)


def test_system_exit_in_one_task_leaves_the_loop_running(other):
    async def leave():
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        other.submit(leave()).result(30)
    assert other.submit(name_of_thread()).result(30) == "test"


def test_there_is_one_loop_thread_for_the_process_and_a_forked_child_starts_its_own(monkeypatch):
    monkeypatch.setattr(loop, "_shared", loop_thread())
    monkeypatch.setattr(loop, "_starting", loop._starting)
    before = loop_thread()
    assert loop_thread() is before
    loop._forget_after_fork()
    assert loop_thread() is not before


@on_a_loop
async def test_call_in_a_thread_goes_on_to_its_end_when_its_task_is_cancelled():
    began, go_on, ended = threading.Event(), threading.Event(), []

    def call(value):
        began.set()
        go_on.wait(30)
        ended.append(value)
        return value

    for wait, expected in ((settled_in_thread, (1, True)), (in_thread, None)):
        began.clear()
        go_on.clear()
        waiting = asyncio.create_task(wait(call, 1))
        await asyncio.to_thread(began.wait, 30)
        waiting.cancel()
        await asyncio.sleep(0)
        assert not waiting.done()
        go_on.set()
        if expected:
            assert await waiting == expected
        else:
            with pytest.raises(asyncio.CancelledError):
                await waiting
    assert ended == [1, 1]


def no_more_threads(_thread):
    raise RuntimeError("can't start new thread")


@on_a_loop
async def test_call_is_made_once_when_a_pool_with_busy_threads_cannot_grow(monkeypatch):
    free, made = threading.Event(), []
    busy = asyncio.create_task(in_thread(free.wait, 30))
    await asyncio.sleep(0)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_more_threads)
        assert await settled_in_thread(lambda: made.append(1) or len(made)) == (1, False)
    free.set()
    await busy
    await in_thread(made.append, 2)  # after what the pool has kept
    assert made == [1, 2]


@on_a_loop
async def test_call_in_its_own_thread_is_made_here_when_there_can_be_none(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_more_threads)
        assert await in_own_thread(threading.current_thread) is threading.current_thread()


@on_a_loop
async def test_loop_that_runs_stays_the_loop_where_no_thread_can_be_started(monkeypatch):
    """In Pyodide, making another loop would break the page's."""
    monkeypatch.setattr(threading.Thread, "start", no_more_threads)
    monkeypatch.setattr(asyncio, "new_event_loop", lambda: pytest.fail("made another loop"))
    assert started().loop is asyncio.get_running_loop()


@on_a_loop
async def test_call_runs_at_once_when_no_thread_can_be_started_any_more():
    await asyncio.get_running_loop().shutdown_default_executor()
    assert await settled_in_thread(threading.current_thread) == (threading.current_thread(), False)


def test_an_interrupt_before_the_work_has_begun_keeps_it_from_beginning(other, monkeypatch):
    begun, go_on = [], threading.Event()
    other.loop.call_soon_threadsafe(go_on.wait, 30)  # the loop is busy

    async def work():
        begun.append(True)

    def interrupted(coroutine, submit=other.submit):
        submit(coroutine)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(other, "submit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            other.run_sync(work)
    go_on.set()
    other.submit(asyncio.sleep(0)).result(30)
    assert begun == []


@on_a_loop
async def test_a_call_is_made_here_when_no_thread_can_be_started(monkeypatch):
    def fails(*_):
        raise RuntimeError("cannot schedule new futures after shutdown")

    monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", fails)
    assert await in_thread(threading.current_thread) is threading.current_thread()
