"""Pyodide, on which JupyterLite runs: one thread, no sockets, no processes, no orjson and no nh3. It runs in node."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.matrix.environments import REPOSITORY

ENVIRONMENT = "pyodide"
HERE = Path(__file__).parent
PROGRAM = """
import sys

sys.path[:0] = ["/repository", "/packages"]
sys.dont_write_bytecode = True
sys.modules["fcntl"] = None  # as in JupyterLite

import asyncio
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

config = Config({"HistoryManager": {"enabled": False}})
shell = InteractiveShell.instance(config=config, colors="nocolor")

def cell(code):
    shell.run_cell(code)

async def count():
    return [1, 2]

def add(a, b):
    print("adding")
    return a + b

cell("%load_ext sessionmagic")

from sessionmagic import MemoryStore, SessionManager
from sessionmagic.testing import call, hang, script

script("hello", "Hello **you**.")
script("counts", call("count"), "Two.")
script("adds", call("add", a=1, b=2), "Three.")
script("hangs", ["begun ", hang()])
shell.user_ns.update(add=add, count=count, prompts=["How many?"])

async def main():
"""


@pytest.fixture
def shown(python, tmp_path):
    """Run statements within a coroutine, as JupyterLite runs cells, and return what was printed."""

    def run(*statements, waits):
        environment = Path(python).parents[1]
        program = tmp_path / "program.py"
        body = "".join(f"    {statement}\n" for statement in statements)
        program.write_text(f"{PROGRAM}{body}\nawait main()\n")
        node = [str(environment / "bin" / "node"), "--experimental-wasm-stack-switching", str(HERE / "in_pyodide.mjs")]
        command = [*node, str(environment), str(REPOSITORY), str(program), *(["waits"] if waits else [])]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        assert (ran.returncode, ran.stderr) == (0, "")
        return ran.stdout

    return run


def cell(code):
    return f"cell({code!r})"


GOES_ON = "the cell cannot wait here; its work goes on, and `await _agent` in another cell waits for it"
REFUSED = (
    "NoThreadsError: no thread can be started here, and this code cannot wait; "
    "await SessionManager().run(prompt, session=name), which works here"
)


def test_cells_wait_where_python_can_be_suspended(shown):
    out = shown(
        cell("%%agent -m test -s chat\nhi"),
        cell("print('>', _agent.status, 'run_python' in _agent.text)"),
        cell("%%agent -m counts -t count --yes -s chat\nhi"),
        cell("print('>', _agent, _agent.messages[-2].parts[0].content)"),
        cell("%%agent -m adds -t add --yes -s chat\nhi"),
        cell("print('>', _agent, _agent.messages[-2].parts[0].content)"),
        cell("%%agent -m hello -s lesson\nhi"),
        cell("%%agent -m replay:lesson -s again\nhi"),
        cell("print('>', _agent)"),
        cell("%%agent --compare hello adds\nhi"),
        cell("print('>', [answer.text for answer in _agent])"),
        cell("%agent compare --prompts prompts --models hello -o answers"),
        cell("print('>', [answer.answer for answer in answers])"),
        cell("%agent models"),  # asks the usual servers, without a warning
        "asyncio.get_running_loop().call_later(0.1, interrupt)",
        cell("%%agent -m hangs -s other\nhi"),
        cell("%agent delete other --yes"),
        "print('>', len(SessionManager().sessions.load('chat').turns))",
        waits=True,
    )
    assert [line for line in out.splitlines() if line.startswith((">", "begun", "Keyboard", "deleted"))] == [
        "> completed True",
        "> Two. [1, 2]",
        "> Three. adding",
        "> Hello **you**.",
        "> ['Hello **you**.', 'Three.']",
        "> ['Hello **you**.']",
        "begun ",
        "KeyboardInterrupt: turn interrupted",
        "deleted other (1 turn)",
        "> 3",
    ]
    assert "Error:" not in out.partition("> completed")[2]


def test_turns_go_on_one_after_the_other_where_python_cannot_be_suspended(shown):
    out = shown(
        cell("%%agent -m test -s chat\nhi"),
        cell("%%agent -m counts -t count --yes -s chat\nhi"),
        cell("%%agent -m adds -t add --yes -s chat\nhi"),
        "print('>', await shell.user_ns['_agent'])",
        cell("%agent compact -s chat"),
        "turn = await SessionManager(MemoryStore()).run('hi', session='other', model='hello')",
        "print('>', await turn.result())",
        waits=False,
    )
    assert out.count(GOES_ON) == 3
    assert re.findall(r"chat · turn (\d) · (\w+)", out) == [("1", "test"), ("2", "counts"), ("3", "adds")]
    shown = [line for line in out.splitlines() if line.startswith((">", "NoThreadsError"))]
    assert shown == ["> Three.", REFUSED, "> Hello **you**."]
