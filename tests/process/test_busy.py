"""One turn at a time per session over all processes, and free again when the one that holds it dies."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from sessionmagic.exceptions import SessionBusyError
from tests.turns import ask, manager_on, on_a_loop, prompts


@pytest.fixture
def home(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def manager(home):
    return manager_on(home)


HOLD = """
import asyncio, sys
from sessionmagic import SessionManager, Models, TinyStore
from sessionmagic.testing import hang, script

async def hold():
    script("hang", ["So far", hang()])
    manager = SessionManager(TinyStore(sys.argv[1]), Models("hang"))
    turn = await manager.run("held", session="chat", where="cell elsewhere")
    async for event in turn.events():
        if event.type == "text_delta":
            print("held", flush=True)

asyncio.run(hold())
"""


@contextmanager
def holding(home):
    """Run a turn on the session in another process for as long as the context lasts."""
    command = [sys.executable, "-c", HOLD, str(home)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.once
@on_a_loop
async def test_refusal_names_the_other_process(manager, home):
    await ask(manager)
    with holding(home) as process, pytest.raises(SessionBusyError) as caught:
        await manager.run("Second", session="chat")
    assert f"'chat' is busy: cell elsewhere of process {process.pid} has held" in str(caught.value)
    assert str(caught.value).endswith("%agent stop 'chat' in that process stops it")
    assert prompts(manager.sessions.load("chat")) == ["Hello", "held"]


@on_a_loop
async def test_session_of_a_killed_process_is_free_at_once_and_goes_on(manager, home):
    with holding(home) as process:
        assert [summary.status for summary in manager.sessions.summaries()[0]] == ["running"]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        [summary] = manager.sessions.summaries()[0]
        assert (summary.status, summary.unmeasured_requests) == ("interrupted", 1)
        result = await ask(manager, "Go on", model="recalls")
    session = manager.sessions.load("chat")
    assert [(turn.prompt, turn.status) for turn in session.turns] == [("held", "interrupted"), ("Go on", "completed")]
    assert [turn.id for turn in session.path()] == ["1", "2"]
    assert result.text == "user-prompt: held\n\nGo on"  # sent as one message of the user
