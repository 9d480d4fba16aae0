"""A kernel that is asked to end ends its turns first, and the processes that it has started for them."""

import json
import os
import signal
import sys
import time

import psutil
import pytest

from sessionmagic.storage.journaled import JournaledStorage
from tests.kernel.acting import acts, in_background, told
from tests.kernel.cells import SOON
from tests.kernel.kernels import PATIENCE, TESTS, appears, comes_true

SETTINGS = """
import mcp.client.stdio as stdio, sessionmagic.tools.mcp.server as server
stdio.PROCESS_TERMINATION_TIMEOUT = stdio.FORCE_KILL_TIMEOUT = 0.2
server.READY_SECONDS = 60  # on a busy machine
"""
PIDS = """
import os, subprocess
child, leader = subprocess.Popen(["sleep", "600"]), subprocess.Popen(["sleep", "600"], start_new_session=True)
orphan = subprocess.getoutput("setsid sleep 600 >/dev/null 2>&1 & echo $!")
print(os.getpid(), child.pid, leader.pid, orphan)
"""
SERVER = {"command": sys.executable, "args": [str(TESTS / "mcp_server.py")], "env": {"STUBBORN": "1"}}


def runs(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def pids():
    """Processes that are ended if the test fails to."""
    pids = []
    yield pids
    for pid in filter(runs, pids):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("option", ["", "-b"])
def test_a_kernel_that_shuts_down_ends_its_turns_cleanly(start, session, option):
    kernel = start()
    cell = kernel.send(f"%%agent -m hang {option} -s {session}\nhi")
    cell.until_shows("partial answer")
    kernel.manager.shutdown_wait_time = PATIENCE  # after half of it, the kernel is terminated
    began = time.monotonic()
    kernel.shutdown()
    assert time.monotonic() - began < SOON
    (path,) = (kernel.store / "sessions").glob("*.json")
    (turn,) = JournaledStorage(path).read()["turns"].values()
    assert (turn["status"], turn["error_code"]) == ("interrupted", "cancelled")
    assert "partial answer" in json.dumps(turn["messages"])
    assert not list((kernel.store / "sessions").glob("*.holder"))


def test_a_kernel_that_answered_nothing_shuts_down_at_once(start):
    kernel = start()
    kernel.manager.shutdown_wait_time = PATIENCE
    began = time.monotonic()
    kernel.shutdown()
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize(
    ("when", "how"),
    [
        ("in a call", "shutdown"),
        ("between turns", "restart"),
        pytest.param("in a call", "kill", marks=pytest.mark.once),
        pytest.param("in a server's call", "kill", marks=pytest.mark.once),
    ],
)
def test_a_kernel_that_ends_takes_its_servers_and_scratch_kernels_along(start, pids, session, tmp_path, when, how):
    pytest.importorskip("fastmcp")
    kernel = start()
    kernel.manager.shutdown_wait_time = PATIENCE
    file, begun = tmp_path / "mcp.json", tmp_path / "begun"
    file.write_text(json.dumps({"mcpServers": {"tests": SERVER}}))
    assert "tests offers" in kernel.run(f"{SETTINGS}%agent tools add-mcp {file}").ok().text
    acts(kernel, [("tests__pid", {}), ("run_python_isolated", {"code": PIDS})], "Done.")
    kernel.run(f"%%agent -m acts -s {session} --yes\ngo").ok()
    server, isolated = (text for _, _, text in told(kernel))
    pids += [int(pid) for pid in (server, *isolated.split())]
    assert [runs(pid) for pid in pids] == [True] * 5
    if when == "in a call":
        endless = f"open({str(begun)!r}, 'w').close()\nwhile True: pass"
        acts(kernel, [("run_python_isolated", {"code": endless})])
        in_background(kernel, session, "--yes")
        appears(begun)
    elif when == "in a server's call":
        acts(kernel, [("tests__slow", {"seconds": 600, "begun": str(begun)})])
        in_background(kernel, session, "--yes")
        appears(begun)
    getattr(kernel, how)()
    comes_true(lambda: not any(map(runs, pids)))


@pytest.mark.once
@pytest.mark.parametrize("how", ["shutdown", "kill"])
def test_servers_end_with_a_kernel_that_never_ran_a_turn(start, pids, tmp_path, how):
    pytest.importorskip("fastmcp")
    kernel = start()
    kernel.manager.shutdown_wait_time = PATIENCE
    file = tmp_path / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"tests": SERVER}}))
    assert "tests offers" in kernel.run(f"{SETTINGS}%agent tools add-mcp {file}").ok().text
    pids += [child.pid for child in psutil.Process(kernel.pid).children(recursive=True)]
    assert pids
    getattr(kernel, how)()
    comes_true(lambda: not any(map(runs, pids)))
