"""Code that runs for a tool call changes no rules and answers nothing, wherever it runs."""

import asyncio
import functools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from traitlets import TraitError

from sessionmagic.exceptions import ToolError
from sessionmagic.notebook.settings import Settings
from sessionmagic.tools.tool_code import running
from tests.turns import acted, acting, ask, asked, on_a_loop, returned, until


def directly(act):
    return act()


def in_a_thread(act):
    with_result = []
    thread = threading.Thread(target=lambda: with_result.append(act()))
    thread.start()
    thread.join()
    return with_result[0]


def in_a_thread_of_a_thread(act):
    return in_a_thread(lambda: in_a_thread(act))


def in_a_pool(act):
    with ThreadPoolExecutor() as pool:
        return pool.submit(act).result()


def in_a_timer(act):
    with_result = []
    timer = threading.Timer(0, lambda: with_result.append(act()))
    timer.start()
    timer.join()
    return with_result[0]


def on_another_loop(act):
    async def run():
        return await asyncio.create_task(asyncio.to_thread(act))

    return asyncio.run(run())


PLACES = [directly, in_a_thread, in_a_thread_of_a_thread, in_a_pool, in_a_timer, on_another_loop]


def refusal_of(act):
    try:
        act()
    except ToolError as error:
        return f"{type(error).__name__}: {error}"
    return "done"


@pytest.mark.parametrize("place", PLACES)
@on_a_loop
async def test_tool_cannot_change_the_permissions_of_a_session(manager, place):
    def free() -> str:
        return place(lambda: refusal_of(lambda: manager.sessions.set_permissions("chat", {"*": "allow"}, "autonomous")))

    _, events, _ = await acted(manager, [("free", {})], "Done", tools=[free], yes=True)
    refusal = "ToolError: code that free runs cannot change permissions; ask the user to do it in a cell"
    assert returned(events) == [("free", "success", refusal)]
    session = manager.sessions.load("chat")
    assert (session.permissions, session.safety) == ({}, "balanced")


@on_a_loop
async def test_asynchronous_tool_cannot_change_the_permissions_of_a_session(manager):
    async def free() -> str:
        return await asyncio.create_task(
            asyncio.to_thread(refusal_of, lambda: manager.sessions.set_permissions("new", {"*": "allow"}, new=True))
        )

    _, events, _ = await acted(manager, [("free", {})], "Done", tools=[free], yes=True)
    [(_, _, said)] = returned(events)
    assert "cannot change permissions" in said
    assert [summary.name for summary in manager.sessions.summaries()[0]] == ["chat"]


@on_a_loop
async def test_thread_that_outlives_its_call_cannot_change_permissions(manager):
    called, over = threading.Event(), []

    def free() -> None:
        def later():
            called.wait()
            over.append(refusal_of(lambda: manager.sessions.set_permissions("chat", {"*": "allow"})))

        threading.Thread(target=later).start()

    await acted(manager, [("free", {})], "Done", tools=[free], yes=True)
    called.set()
    await until(lambda: over)
    assert "cannot change permissions" in over[0]


@pytest.mark.parametrize("place", PLACES)
@on_a_loop
async def test_tool_cannot_approve_a_call_that_waits(manager, tools, place):
    said = []

    def free() -> None:
        [(turn, approval)] = manager.turns.approvals()
        said.append(place(lambda: refusal_of(lambda: manager.turns.approve(approval.id, "all"))))
        said.append(place(lambda: refusal_of(lambda: turn.approvals.resolve(approval.id, "all"))))

    waiting, _ = await acting(manager, [("run", {"code": "1"})], "Done", tools=tools.all, attended=True)
    await asked(waiting)
    await acted(manager, [("free", {})], "Done", session="other", tools=[free], yes=True)
    assert len(said) == 2
    assert all("ToolError: code that free runs cannot decide on a tool call" in words for words in said)
    assert len(waiting.approvals.open) == 1
    waiting.cancel()
    await waiting.result()


@on_a_loop
async def test_user_may_approve_a_call_while_another_one_runs(manager):
    gate = asyncio.Event()
    ran = []

    async def slow() -> None:
        await gate.wait()

    def run() -> None:
        ran.append("run")
        gate.set()

    await ask(manager)
    manager.sessions.set_permissions("chat", {"slow": "allow"})
    turn, _ = await acting(manager, [("slow", {}), ("run", {})], "Done", tools=[slow, run], attended=True)
    [approval] = (await asked(turn)).values()
    thread = threading.Thread(target=turn.approvals.resolve, args=(approval.id, "once"))
    thread.start()
    assert (await turn.result()).status == "completed"
    assert ran == ["run"]


@pytest.mark.parametrize(
    ("option", "what"), [("yes", "approve the calls of a turn in advance"), ("send_keys", "send keys")]
)
@on_a_loop
async def test_tool_cannot_start_a_turn_with_what_only_the_user_can_say(manager, option, what):
    options = {"session": "other", "model": "calm", option: True}

    def in_a_worker() -> str:
        return refusal_of(lambda: manager.run_sync("Go", **options))

    async def on_the_loop() -> str:
        try:
            return (await (await manager.run("Go", **options)).result()).text
        except ToolError as error:
            return f"ToolError: {error}"

    steps = [("in_a_worker", {})], [("on_the_loop", {})], "Done"
    _, events, _ = await acted(manager, *steps, tools=[in_a_worker, on_the_loop], yes=True)
    assert returned(events) == [
        (tool, "success", f"ToolError: code that {tool} runs cannot {what}; ask the user to do it in a cell")
        for tool in ("in_a_worker", "on_the_loop")
    ]
    assert [summary.name for summary in manager.sessions.summaries()[0]] == ["chat"]


@on_a_loop
async def test_work_of_a_users_pool_is_whose_it_was_when_it_was_submitted(manager):
    act = functools.partial(refusal_of, lambda: manager.sessions.set_permissions("chat", {"look": "deny"}))
    with ThreadPoolExecutor(1) as begun_by_user, ThreadPoolExecutor(1) as begun_by_tool:
        begun_by_user.submit(int).result()

        def free() -> list[str]:
            return [pool.submit(act).result() for pool in (begun_by_user, begun_by_tool)]

        _, events, _ = await acted(manager, [("free", {})], "Done", tools=[free], yes=True)
        [(_, _, said)] = returned(events)
        assert said.count("code that free runs cannot change permissions") == 2
        for pool in (begun_by_user, begun_by_tool):
            assert await asyncio.wrap_future(pool.submit(act)) == "done"


@pytest.mark.parametrize("name", ["safety", "approval", "store", "kernel_tools", "request_limit", "tool_call_limit"])
def test_tool_cannot_change_the_settings_that_decide_about_calls(name):
    values = {"safety": "autonomous", "approval": "stdin", "store": "/elsewhere", "kernel_tools": False}
    settings = Settings()
    before = getattr(settings, name)
    with running("run_python"):
        with pytest.raises(TraitError, match=f"code that run_python runs cannot set {name}; ask the user"):
            setattr(settings, name, values.get(name, 1_000))
        settings.refresh_hz = 5
    assert getattr(settings, name) == before
    setattr(settings, name, values.get(name, 1_000))


def test_code_outside_of_a_call_is_not_refused(manager):
    with running("run"), pytest.raises(ToolError):
        manager.sessions.set_permissions("chat", {}, new=True)
    for place in PLACES:
        assert place(lambda: refusal_of(lambda: manager.sessions.set_permissions("chat", {}, new=True))) == "done"
        manager.store.delete(manager.sessions.load("chat").id)
