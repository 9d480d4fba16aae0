"""Scratch kernels: what a model's code does in a process of its own, and that none is left behind."""

import asyncio
import base64
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from sessionmagic.exceptions import ScratchError
from sessionmagic.notebook.kernel import scratch
from sessionmagic.notebook.kernel.bounded import TEXT_LIMIT
from sessionmagic.notebook.kernel.outputs import SHOWN_LIMIT
from sessionmagic.notebook.kernel.scratch import ScratchKernels
from sessionmagic.notebook.kernel.scratch_process import MEMORY_LIMIT
from sessionmagic.testing import call
from tests.kernel.cells import SOON
from tests.kernel.kernels import PATIENCE, comes_true

DEAF = """
import time
while True:
    try:
        time.sleep(9)
    except KeyboardInterrupt:
        pass
"""
HOLDS_THE_GIL = "sum(range(10**12))"
NEW = "its variables are gone"


@pytest.fixture(scope="module")
def loop():
    """Runs coroutines, as the thread does on which turns run."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(scope="module")
def shared(loop):
    kernels = ScratchKernels()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SOME_API_KEY", "some_token", "A_SECRET", "HARMLESS"):
            patch.setenv(name, "there")
        loop(kernels.run("chat", "", PATIENCE))
    yield kernels
    for session in ("chat", "other"):
        loop(kernels.end(session))


@pytest.fixture
def run(loop, shared):
    """Run code in a kernel of all the tests that leave it as it was."""
    return lambda code, timeout=PATIENCE: loop(shared.run("chat", code, timeout))


@pytest.fixture
def kernels(loop):
    kernels = ScratchKernels()
    yield kernels
    for session in ("chat", "other"):
        loop(kernels.end(session))


def runs(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def pid_of(kernels, session="chat"):
    return int((await kernels.run(session, "import os; os.getpid()", PATIENCE)).text)


async def exists(path):
    async with asyncio.timeout(PATIENCE):
        while not path.exists():  # noqa: ASYNC110  nothing tells of a new file
            await asyncio.sleep(0.01)


def test_output_comes_in_the_order_in_which_it_appeared(run):
    code = (
        "import sys; print('one', flush=True)\nprint('two', file=sys.stderr, flush=True)\n"
        "display(3)\nprint('four', end='')\n5"
    )
    ran = run(code)
    assert (ran.text, ran.shown, ran.error) == ("one\ntwo\n3\nfour\n5", [], None)


def test_figures_come_as_png(run):
    ran = run("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nprint('drawn')")
    assert ran.error is None
    assert "drawn" in ran.text
    ((kind, content),) = [output.image for output in ran.shown]
    assert kind == "image/png"
    assert base64.b64decode(content).startswith(b"\x89PNG")


def test_what_code_raises_is_an_error_with_a_plain_traceback(run):
    ran = run("print('before')\n1 / 0")
    assert isinstance(ran.error, ScratchError)
    assert str(ran.error) == "ZeroDivisionError: division by zero"
    assert ran.text.startswith("before\n")
    assert "----> 2 1 / 0" in ran.text
    assert "\x1b" not in ran.text
    assert "SyntaxError" in str(run("1 +").error)


def test_code_runs_in_another_process(run):
    assert run("import os; os.getpid()").text != str(os.getpid())
    assert "NameError" in str(run("test_code_runs_in_another_process").error)


@pytest.mark.once
def test_keys_are_not_handed_on(run):
    assert run("import os; sorted(k for k, v in os.environ.items() if v == 'there')").text == "['HARMLESS']"


def test_code_cannot_ask_on_stdin(run):
    assert "StdinNotImplementedError" in str(run("input('name?')").error)


def test_variables_stay_between_calls_and_in_their_session(loop, shared):
    async def check():
        await shared.run("chat", "x = 1", PATIENCE)
        assert (await shared.run("chat", "x += 1; x", PATIENCE)).text == "2"
        assert "NameError" in str((await shared.run("other", "x", PATIENCE)).error)

    loop(check())


@pytest.mark.once
def test_one_session_runs_in_turn_and_two_at_once(loop, shared, tmp_path):
    mark = tmp_path / "mark"
    wait = f"import os, time\nwhile not os.path.exists({str(mark)!r}): time.sleep(0.01)\nx = 'waited'"

    async def check():
        first = asyncio.create_task(shared.run("chat", wait, PATIENCE))
        second = asyncio.create_task(shared.run("chat", "x", PATIENCE))
        await shared.run("other", f"open({str(mark)!r}, 'w').close()", PATIENCE)
        assert (await first).error is None
        assert (await second).text == "'waited'"

    loop(check())


@pytest.mark.once
def test_code_that_takes_too_long_is_interrupted_and_its_variables_stay(run):
    ran = run("kept = 1\nprint('begun')\nwhile True: pass", 2)
    assert str(ran.error) == "stopped: it took longer than 2 s"
    assert "begun" in ran.text
    assert "[stopped: it took longer than 2 s]" in ran.text
    assert "KeyboardInterrupt" in ran.text
    assert run("kept").text == "1"


@pytest.mark.once
def test_code_that_cannot_be_interrupted_is_killed(loop, kernels, monkeypatch):
    monkeypatch.setattr(scratch, "GRACE_SECONDS", 0.4)

    async def check(session, code):
        pid = await pid_of(kernels, session)
        began = time.monotonic()
        ran = await kernels.run(session, code, 0.3)
        assert time.monotonic() - began < SOON
        assert str(ran.error) == "stopped: it took longer than 0.3 s"
        assert "killed" in ran.text
        assert NEW in ran.text
        assert not runs(pid)
        assert (await kernels.run(session, "1 + 1", PATIENCE)).text == "2"

    async def check_both():
        await asyncio.gather(check("chat", DEAF), check("other", HOLDS_THE_GIL))

    loop(check_both())


@pytest.mark.once
def test_cancelling_interrupts_the_code_and_withdraws_what_waits(loop, shared, tmp_path):
    begun, never = tmp_path / "begun", tmp_path / "never"

    async def check():
        code = f"x = 'kept'\nopen({str(begun)!r}, 'w').close()\nwhile True: pass"
        first = asyncio.create_task(shared.run("chat", code, PATIENCE))
        second = asyncio.create_task(shared.run("chat", f"open({str(never)!r}, 'w')", PATIENCE))
        await exists(begun)
        for task in (second, first):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (await shared.run("chat", "x", PATIENCE)).text == "'kept'"
        assert not never.exists()

    loop(check())


@pytest.mark.once
def test_cancelling_while_the_kernel_starts_runs_nothing(loop, kernels, tmp_path):
    never = tmp_path / "never"

    async def check():
        task = asyncio.create_task(kernels.run("chat", f"open({str(never)!r}, 'w')", PATIENCE))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await kernels.run("chat", "1", PATIENCE)).text == "1"
        assert not never.exists()

    loop(check())


@pytest.mark.once
def test_many_lines_come_in_bounded_size(run):
    ran = run("for n in range(200_000): print(n)")
    assert ran.error is None
    assert ran.text.startswith("0\n1\n")
    assert ran.text.endswith("\n199999")
    assert "[cut: " in ran.text
    assert len(ran.text) < TEXT_LIMIT + 100


@pytest.mark.once
@pytest.mark.parametrize("code", ["print('x' * 1000)", "print('', flush=True)", "display(HTML('<p>'))"])
def test_code_that_prints_without_end_is_stopped(run, monkeypatch, code):
    monkeypatch.setattr(scratch, "OUTPUT_LIMIT", 1_000_000)
    ran = run(f"from IPython.display import HTML\nwhile True: {code}")
    assert str(ran.error) == "stopped: it printed more than 1,000,000 characters"
    assert len(ran.text) < TEXT_LIMIT + 400  # with the notes on a kernel that had to be killed
    assert len(ran.shown) == (SHOWN_LIMIT if "HTML" in code else 0)
    assert run("1").text.endswith("1")  # what was printed last may come with it


@pytest.mark.once
def test_a_message_that_is_too_large_is_not_read(loop, kernels, monkeypatch):
    monkeypatch.setattr(scratch, "MESSAGE_LIMIT", 10**5)
    monkeypatch.setattr(scratch, "GRACE_SECONDS", 0.3)

    async def check():
        ran = await kernels.run("chat", "print('x' * 10**6)", PATIENCE)
        assert "too large" in str(ran.error)
        assert (await kernels.run("chat", "1", PATIENCE)).text == "1"

    loop(check())


@pytest.mark.once
def test_a_kernel_that_dies_is_an_error_and_the_next_call_has_a_new_one(loop, kernels):
    async def check():
        ran = await kernels.run("chat", "import os; os._exit(3)", PATIENCE)
        assert str(ran.error) == "the scratch kernel died"
        assert NEW in ran.text
        pid = await pid_of(kernels)
        os.kill(pid, signal.SIGKILL)
        clears = "from IPython.display import clear_output; clear_output()"
        assert NEW in (await kernels.run("chat", clears, PATIENCE)).text
        assert (await kernels.run("chat", "1", PATIENCE)).text == "1"

    loop(check())


@pytest.mark.once
def test_memory_is_limited(run):
    pytest.importorskip("resource")
    ran = run(f"x = bytearray({MEMORY_LIMIT + 1})")
    assert str(ran.error).startswith("MemoryError")
    assert run("1").text == "1"


@pytest.mark.once
def test_the_end_of_a_session_ends_its_kernel_and_what_runs_there(loop, kernels, tmp_path):
    begun = tmp_path / "begun"

    async def check():
        pid, other = await pid_of(kernels), await pid_of(kernels, "other")
        code = f"open({str(begun)!r}, 'w').close()\nwhile True: pass"
        running = asyncio.create_task(kernels.run("chat", code, PATIENCE))
        await exists(begun)
        await kernels.end("chat")
        assert not runs(pid)
        assert str((await running).error) == "the scratch kernel died"
        assert runs(other)
        await kernels.end("never seen")

    loop(check())


@pytest.mark.once
@pytest.mark.parametrize("started", [False, True])
def test_close_while_a_kernel_starts_or_runs_code_ends_the_call_and_the_process(loop, kernels, started):
    before = psutil.Process().children()

    async def check():
        if started:
            await kernels.run("chat", "1", PATIENCE)
        call = asyncio.create_task(kernels.run("chat", "while True: pass", PATIENCE))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(kernels.close)
        with pytest.raises(ScratchError):
            raise (await call).error
        assert not [child for child in psutil.Process().children() if child not in before and runs(child.pid)]
        with pytest.raises(ScratchError, match="shut down"):
            await kernels.run("chat", "1", PATIENCE)

    loop(check())


@pytest.mark.parametrize("option", ["", pytest.param("-b", marks=pytest.mark.once)])
def test_the_tool_sees_no_variable_of_the_user_and_shows_its_figures(kernel, session, option):
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nprint('drawn', 'mine' in globals())"
    calls = [call("run_python_isolated", code="mine", timeout=60), call("run_python_isolated", code=code)]
    kernel.run(f"mine = 1\nscript('isolated', *{calls!r}, 'Done.')").ok()
    cell = kernel.run(f"%%agent -m isolated -s {session} --yes {option}\ngo").ok()
    cell.until_shows("Done.")
    comes_true(lambda: [output for output in cell.outputs if "image/png" in output.get("data", {})])
    comes_true(lambda: kernel.value("getattr(_agent, 'session', '')") == repr(session))
    told = kernel.value(
        "[p.model_response_str() for m in _agent.messages for p in m.parts if p.part_kind == 'tool-return']"
    )
    first, second = eval(told)
    assert "NameError: name 'mine' is not defined" in first
    assert "drawn False" in second
    assert "[1 figure shown to the user]" in second


PARENT = """
import asyncio, atexit, threading
from sessionmagic.loop import loop_thread
from sessionmagic.notebook.kernel.scratch import ScratchKernels
kernels = ScratchKernels()
def run(code):
    return kernels.run("chat", code, 60)
PIDS = "import os, subprocess; print(os.getpid(), subprocess.Popen(['sleep', '600']).pid)"
"""
ENDS = "print(loop_thread().submit(run(PIDS)).result().text, flush=True)"
ENDS_RUNNING = "\natexit.register(kernels.close)\nloop_thread().submit(run('while True: pass'))"
LOOP_GONE = "print(asyncio.run(run(PIDS)).text, flush=True)\nkernels.close()"


@pytest.mark.once
@pytest.mark.parametrize("rest", [ENDS + ENDS_RUNNING, LOOP_GONE], ids=["running", "without a loop"])
def test_nothing_is_left_of_a_process_that_ends(rest):
    command = [sys.executable, "-c", PARENT + rest]
    parent = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert parent.returncode == 0
    assert "Traceback" not in parent.stderr  # an older debugpy prints advice there
    pids = [int(word) for word in parent.stdout.split()]
    assert len(pids) == 2
    comes_true(lambda: not any(map(runs, pids)))


@pytest.mark.once
def test_no_kernel_is_left_of_a_process_that_is_killed():
    rest = f"{ENDS}\nloop_thread().submit(run({HOLDS_THE_GIL!r}))\nthreading.Event().wait()"
    with subprocess.Popen([sys.executable, "-c", PARENT + rest], stdout=subprocess.PIPE) as parent:
        pid, child = map(int, parent.stdout.readline().split())
        started = psutil.Process(pid).cpu_times().user
        comes_true(lambda: psutil.Process(pid).cpu_times().user > started + 0.3)
        parent.kill()
    comes_true(lambda: not (runs(pid) or runs(child)))
