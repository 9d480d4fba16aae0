"""A process that is killed in mid-stream costs what its model was saying, and nothing else."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sessionmagic import TinyStore
from sessionmagic.conversation.stored_transcript import transcript_of
from tests.turns import ask, manager_on, prompts, statuses

KILLS = int(os.environ.get("SESSIONMAGIC_KILLS", "20"))
ROOT = Path(__file__).parents[2]
STREAMS = """
import os, sys
import sessionmagic.turns.agent_run  # what is slow to import
from sessionmagic import Models, SessionManager, TinyStore
from sessionmagic.testing import hang, paced, script
script("slow", paced("word " * 50, 0.002))
script("hangs", ["word ", hang()])
for line in sys.stdin:
    if os.fork() == 0:
        os.write(1, f"pid {os.getpid()}\\n".encode())
        prompt, model = line.split(" with ")
        manager = SessionManager(TinyStore(sys.argv[1]), Models("slow"))
        manager.run_sync(prompt, session="chat", model=model.strip(), once=True)
        os._exit(0)
    os.wait()
    os.write(1, b"dead\\n")
"""

HANGS = """
import sys
import sessionmagic.turns.partial as partial
from sessionmagic import Models, SessionManager, TinyStore
from sessionmagic.testing import hang, script, think
partial.PAUSE_SECONDS = 0.05
script("hangs", [think("Let me think."), "Half of ", "an answer", hang()])
SessionManager(TinyStore(sys.argv[1]), Models("hangs")).run_sync("What?", session="chat")
"""


def has_begun(home, prompt):
    store = TinyStore(home)
    key = store.find("chat")
    return key is not None and prompt in prompts(store.load(key))


@pytest.mark.once
@pytest.mark.timeout(900)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_kill_at_any_moment_of_a_turn_leaves_a_session_that_goes_on(tmp_path):
    """SESSIONMAGIC_KILLS sets how often."""
    moments, seen = random.Random(11), set()
    command = [sys.executable, "-c", STREAMS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        for number in range(KILLS):
            hangs = number % 5 == 0  # so that some die in mid-stream, however slow the machine is
            process.stdin.write(f"killed {number} with {'hangs' if hangs else 'slow'}\n")
            process.stdin.flush()
            pid = int(process.stdout.readline().removeprefix("pid "))
            if not hangs:
                time.sleep(moments.uniform(0.0, 0.25))
            while hangs and not has_begun(tmp_path, f"killed {number}"):
                time.sleep(0.002)
            os.kill(pid, signal.SIGKILL)
            assert process.stdout.readline() == "dead\n"
            manager = manager_on(tmp_path)
            result = asyncio.run(ask(manager, f"after {number}"))
            assert result.text == "It is fine."
            session = manager.sessions.load("chat")
            assert set(statuses(session)) <= {"completed", "interrupted"}
            assert prompts(session)[-1] == f"after {number}"
            seen.update(statuses(session))
        process.stdin.close()
    assert seen == {"completed", "interrupted"}
    assert prompts(manager.sessions.load("chat")) == [turn.prompt for turn in manager.sessions.load("chat").path()]


def blocks(home):
    """Return the kinds and texts that a listing of the session's latest turn shows now."""
    store = TinyStore(home)
    key = store.find("chat")
    turns = store.load(key).turns if key else []
    return [(type(block).__name__, block.text) for turn in turns[-1:] for block in transcript_of("chat", turn).blocks]


@pytest.mark.once
def test_what_was_said_before_a_kill_is_kept_and_sent_with_the_next_turn(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HANGS, str(tmp_path)], cwd=ROOT) as process:
        deadline = time.monotonic() + 60
        while ("TextBlock", "Half of an answer") not in blocks(tmp_path):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
    manager = manager_on(tmp_path)
    killed = manager.sessions.load("chat").turns[-1]
    assert (killed.status, killed.error_code) == ("interrupted", "crashed")
    assert blocks(tmp_path) == [("ReasoningBlock", "Let me think."), ("TextBlock", "Half of an answer")]
    result = asyncio.run(ask(manager, "And then?", model="recalls"))
    assert "text: Half of an answer" in result.text.splitlines()
    assert prompts(manager.sessions.load("chat")) == ["What?", "And then?"]
