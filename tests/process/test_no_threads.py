"""Where no thread can be started, as in Pyodide, magics name the method that works there, and it does."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.once

PROGRAM = """
import asyncio, threading
from dataclasses import dataclass

def start(thread):
    raise RuntimeError("can't start new thread")

threading.Thread.start = start

from sessionmagic import SessionManager
from sessionmagic.testing import call, script

@dataclass
class Answer:
    number: int

async def count():
    return [1, 2]

script("hello", "Hello.")
script("counts", call("count"), "Two.")
script("typed", '{"number": 3}')
"""
MAGICS = """
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
shell.user_ns.update(SessionManager=SessionManager, prompts=["How many?"])
shell.run_cell("%load_ext sessionmagic")
shell.run_cell("%%agent -m hello\\nhi")
shell.run_cell("%%agent --compare hello counts\\nhi")
shell.run_cell("%agent compare --prompts prompts --models hello")
shell.run_cell("SessionManager().run_sync('hi', session='chat', model='hello')")
"""
METHOD = """
async def run(**options):
    turn = await SessionManager().run("hi", session="chat", **options)
    return await turn.result()

async def main():
    print(await run(model="hello"))
    result = await run(model="counts", tools=[count], yes=True)
    print(result, result.messages[-2].parts[0].content)
    print((await run(model="typed", output_type=Answer)).value)

asyncio.new_event_loop().run_until_complete(main())
"""


def lines_of(code):
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM + code], capture_output=True, text=True, timeout=60, check=False
    )
    assert not ran.stderr
    return ran.stdout.splitlines()


def test_magics_name_the_method_that_needs_no_threads():
    refused = "no thread can be started here; await SessionManager().run(prompt, session=name), which needs none"
    assert lines_of(MAGICS) == [f"NoThreadsError: {refused}"] * 4


def test_manager_runs_turns_with_tools_and_types_without_threads():
    assert lines_of(METHOD) == ["Hello.", "Two. [1,2]", "Answer(number=3)"]
