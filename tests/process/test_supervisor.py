"""A supervised command, and all that it has started, ends with the process that started it."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from sessionmagic.supervisor import supervised

pytestmark = [pytest.mark.once, pytest.mark.skipif(os.name == "nt", reason="commands are not supervised there")]
SOON = 30.0
"""Seconds after which a test that waits in vain fails."""
IGNORES = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
"""
FAMILY = f"""
{IGNORES}
import os, subprocess, sys
child = subprocess.Popen(["sleep", "600"])
group = subprocess.Popen(["sleep", "600"], start_new_session=True)
subprocess.run([sys.executable, "-c", {DAEMON!r}], env={{}})
print("ready", flush=True)
time.sleep(600)
"""
"""A program that ignores SIGTERM, with a child, one in a session of its own, and a daemon without its environment."""
INTERRUPTED = """
import time
try:
    print("ready", flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    print(input())
"""
PARENT = """
import os, subprocess, sys, time
from sessionmagic.supervisor import supervised
command = supervised([sys.executable, "-c", sys.argv[1]], float(sys.argv[2]))
subprocess.Popen(command, start_new_session=True, stdin=subprocess.PIPE)
forked = os.fork() if "forks" in sys.argv else 1
time.sleep(600)
"""


@pytest.fixture
def started():
    """Start a program; all that it has started is killed at the end if the test fails to end it."""
    processes, found = [], []

    def start(command, **options):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
        processes.append(process)
        return process

    start.found = found
    yield start
    for process in [*filter(runs, found), *processes]:
        process.kill()
    for process in processes:
        process.communicate(timeout=SOON)


def supervise(started, code, grace=0.0):
    return started(supervised([sys.executable, "-c", code], grace), start_new_session=True, stdin=subprocess.PIPE)


def runs(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def comes_true(condition):
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def descendants(process):
    return list(filter(runs, psutil.Process(process.pid).children(recursive=True)))


def family(started, process, size):
    """Wait until the program is ready, and return the process's descendants that run."""
    assert process.stdout.readline() == "ready\n"
    comes_true(lambda: len(descendants(process)) == size)
    started.found.extend(found := descendants(process))
    return found


def are_gone(processes):
    comes_true(lambda: not any(map(runs, processes)))
    return True


@pytest.mark.parametrize(("grace", "argument"), [(0, ""), (0.3, ""), (0, "forks")])
def test_all_ends_with_the_parent_that_is_killed(started, grace, argument):
    parent = started([sys.executable, "-c", PARENT, FAMILY, str(grace), argument])
    left = family(started, parent, 6 if argument else 5)
    forked = [each for each in psutil.Process(parent.pid).children() if each.cmdline()[1] == "-c"]
    assert len(forked) == (argument == "forks")
    parent.kill()
    assert are_gone([each for each in left if each not in forked])
    assert all(map(runs, forked))


def test_what_a_command_leaves_ends_with_it(started):
    process = supervise(started, FAMILY.replace("time.sleep(600)\n", "sys.stdin.read()\n"))
    left = family(started, process, 4)
    process.communicate(timeout=SOON)  # closes its input
    assert are_gone(left)


def test_all_ends_when_the_supervisor_is_terminated(started):
    process = supervise(started, FAMILY)
    left = family(started, process, 4)
    process.terminate()
    process.wait(SOON)
    assert are_gone(left)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's end")
def test_command_ends_with_its_supervisor(started):
    process = supervise(started, f"{IGNORES}print('ready', flush=True)\ntime.sleep(600)")
    left = family(started, process, 1)
    process.kill()
    assert are_gone(left)


def test_terminated_command_may_end_in_its_own_time_and_costs_no_more(started):
    says = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(print('bye')))\n"
    process = supervise(started, f"{says}print('ready', flush=True)\ntime.sleep(600)", grace=600)
    family(started, process, 1)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.stdout.read() == "bye\n"
    process.wait(SOON)


def test_interrupt_of_the_group_reaches_the_command_only(started):
    process = supervise(started, INTERRUPTED)
    family(started, process, 1)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate("passed on\n", SOON)[0] == "passed on\n"
    assert process.returncode == 0


def test_closed_output_is_seen_and_orphans_are_reaped(started):
    code = "import os, subprocess, sys, time\nsubprocess.run(['sh', '-c', 'true & true'])\nos.close(1)\ntime.sleep(600)"
    process = supervise(started, code)
    assert process.stdout.read() == ""
    comes_true(lambda: len(psutil.Process(process.pid).children(recursive=True)) == 1)  # zombies would count
    process.terminate()


def test_command_that_cannot_be_started_says_why(started):
    process = started(supervised(["/no/such/command"], 0), start_new_session=True, stderr=subprocess.PIPE)
    _, error = process.communicate(timeout=SOON)
    assert error == "not started: [Errno 2] No such file or directory: '/no/such/command'\n"
    assert process.returncode == 127


@pytest.mark.parametrize(("code", "expected"), [("pass", 0), ("raise SystemExit(3)", 3), (f"{IGNORES}os = 1 / 0", 1)])
def test_exit_code_is_that_of_the_command(started, code, expected):
    process = supervise(started, code)
    assert process.wait(SOON) == expected


def test_exit_code_tells_the_signal_that_has_ended_the_command_as_in_a_shell(started):
    process = supervise(started, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert process.wait(SOON) == 128 + signal.SIGKILL
