"""A kernel that is asked to end ends its turns first."""

import json
import time

import pytest


@pytest.mark.parametrize("option", ["", "-b"])
def test_a_kernel_that_shuts_down_ends_its_turns_cleanly(start, session, option):
    kernel = start()
    cell = kernel.send(f"%%agent -m hang {option} -s {session}\nhi")
    cell.until_shows("partial answer")
    began = time.monotonic()
    kernel.shutdown()
    assert time.monotonic() - began < 5
    (path,) = (kernel.store / "sessions").glob("*.json")
    (turn,) = json.loads(path.read_text())["turns"].values()
    assert (turn["status"], turn["error_code"]) == ("interrupted", "cancelled")
    assert "partial answer" in json.dumps(turn["messages"])
    assert not list((kernel.store / "sessions").glob("*.holder"))


def test_a_kernel_that_answered_nothing_shuts_down_at_once(start):
    kernel = start()
    began = time.monotonic()
    kernel.shutdown()
    assert time.monotonic() - began < 5
