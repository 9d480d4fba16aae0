"""A grid whose process is killed pays again only for the requests that were open."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from sessionmagic import Models, SessionManager, TinyStore
from sessionmagic.comparing.pace import START
from tests.chat_server import ChatServer, Reply, prompt_of

KILLS = int(os.environ.get("SESSIONMAGIC_GRID_KILLS", "5"))
CELLS = int(os.environ.get("SESSIONMAGIC_GRID_CELLS", "80"))
ROOT = Path(__file__).parents[2]
LONGEST = 0.6
"""Seconds after which a run is killed at the latest."""
MOST_OPEN = START + CELLS // START
"""How many requests may be open at once: one more for as many answers as there are open requests, or more."""
RUNS = """
import os, sys
import sessionmagic.comparing.grid
from genai_prices.data_snapshot import get_snapshot
from sessionmagic import Models, SessionManager, TinyStore
home, url, cells = sys.argv[1:]
Models(endpoints={"lab": url}).resolve("lab:m")  # imports what is slow to import
get_snapshot()
prompts = [f"question {number}" for number in range(int(cells))]
for line in sys.stdin:
    if os.fork() == 0:
        os.write(1, f"pid {os.getpid()}\\n".encode())
        SessionManager(TinyStore(home), Models(endpoints={"lab": url})).grid_sync(prompts, "lab:m", name=line.strip())
        os._exit(0)
    _, status = os.wait()
    os.write(1, b"killed\\n" if status else b"done\\n")
"""


def run(process, name, seconds):
    """Run the grid; kill it after that time, if one is given. Return whether it was killed."""
    process.stdin.write(f"{name}\n")
    process.stdin.flush()
    pid = int(process.stdout.readline().removeprefix("pid "))
    if seconds is not None:
        time.sleep(seconds)
        with suppress(ProcessLookupError):  # it has ended
            os.kill(pid, signal.SIGKILL)
    return process.stdout.readline() == "killed\n"


@pytest.mark.once
@pytest.mark.timeout(900)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_kill_at_any_moment_of_a_grid_costs_only_the_requests_that_were_open(tmp_path):
    """SESSIONMAGIC_GRID_KILLS sets how often, and SESSIONMAGIC_GRID_CELLS how many cells each grid has."""
    moments, kills, number = random.Random(7), 0, 0
    with ChatServer(lambda body: Reply(f"re: {prompt_of(body)}", seconds=0.03)) as server:
        command = [sys.executable, "-c", RUNS, str(tmp_path), server.url, str(CELLS)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            while kills < KILLS:
                number, before, earlier = number + 1, len(server.requests), kills
                while run(process, f"grid-{number}", moments.uniform(0.0, LONGEST) if kills < KILLS else None):
                    kills += 1
                asked = len(server.requests) - before
                assert CELLS <= asked <= CELLS + (kills - earlier) * MOST_OPEN
                if KILLS > 20:
                    print(f"grid {number}: {asked} requests for {CELLS} cells, {kills - earlier} kills")
            process.stdin.close()
        manager = SessionManager(TinyStore(tmp_path), Models(endpoints={"lab": server.url}))
        prompts = [f"question {each}" for each in range(CELLS)]
        whole = manager.grid_sync(prompts, "lab:m", name="uninterrupted")
        rows = [(row.prompt, row.answer, row.error, row.input_tokens, row.output_tokens, row.repeat) for row in whole]
        for each in range(1, number + 1):
            again = manager.grid_sync(prompts, "lab:m", name=f"grid-{each}")
            assert (again.asked, again.warnings, again.missing) == (0, [], 0)
            assert rows == [
                (row.prompt, row.answer, row.error, row.input_tokens, row.output_tokens, row.repeat) for row in again
            ]
