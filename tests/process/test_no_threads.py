"""Where neither threads nor sockets nor processes can be started, as in Pyodide, magics and the manager run turns."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.once

PROGRAM = """
import _thread, socket, sys
from dataclasses import dataclass

REFUSED = ("subprocess.", "os.fork", "os.posix_spawn", "os.system", "socket.connect", "socket.bind", "socket.getaddr")

def refuse(event, args):
    is_socket = event == "socket.__new__" and args[1] != socket.AF_UNIX  # a loop wakes itself by a pair of those
    if is_socket or event.startswith(REFUSED):
        raise OSError("there are no sockets and no processes")

def start(*args, **options):
    raise RuntimeError("can't start new thread")

sys.addaudithook(refuse)
sys.modules.update(orjson=None, nh3=None, psutil=None)  # are not there either
_thread.start_new_thread = _thread.start_joinable_thread = start  # before `threading` takes them

import threading
threading.Thread.start = start

import asyncio
from pydantic_ai._utils import disable_threads
inline = disable_threads()  # as in Pyodide
inline.__enter__()

from sessionmagic import SessionManager
from sessionmagic.testing import call, script

@dataclass
class Answer:
    number: int

async def count():
    return [1, 2]

script("hello", "Hello.")
script("counts", call("count"), "Two.")
script("adds", call("add", a=1, b=2), "Three.")
script("typed", '{"number": 3}')
"""
MAGICS = """
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))

def cell(code):
    shell.run_cell(code)

def add(a, b):
    print("adding")
    return a + b

shell.user_ns.update(SessionManager=SessionManager, add=add, count=count, prompts=["How many?"])
cell("%load_ext sessionmagic")
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


def shown_by(*cells):
    return lines_of(MAGICS + "\n".join(f"cell({code!r})" for code in cells))


ANSWERS = {"hello": "Hello.", "test": '{"list_variables":"SessionManager: type'}
"""How models begin that a cell can ask where there are no sockets."""


@pytest.mark.parametrize("model", ANSWERS)
def test_cell_waits_for_a_turn_where_no_loop_runs(model):
    answer, _, footer = shown_by(f"%%agent -m {model} -s chat\nhi")
    assert answer.startswith(ANSWERS[model])
    assert "can't start new thread" not in answer
    assert footer.startswith("chat · turn 1")


def test_cell_waits_for_tools_comparisons_and_grids():
    shown = shown_by(
        "%%agent -m counts -t count --yes\nhi",
        "print('>', _agent, _agent.messages[-2].parts[0].content)",
        "%%agent -m adds -t add --yes\nhi",
        "print('>', _agent, _agent.messages[-2].parts[0].content)",
        "%%agent --compare hello counts\nhi",
        "print('>', [answer.text for answer in _agent])",
        "%agent compare --prompts prompts --models hello -o answers",
        "print('>', [answer.answer for answer in answers])",
        "%%agent -b -s other -m hello\nhi",
        "%agent delete other --yes",
        "print('>', SessionManager().run_sync('hi', session='chat', model='hello'))",
    )
    assert [line for line in shown if line.startswith(("> ", "deleted "))] == [
        "> Two. [1, 2]",
        "> Three. adding",
        "> ['Hello.', 'Two.']",
        "> ['Hello.']",
        "deleted other (1 turn)",
        "> Hello.",
    ]


def test_recordings_are_made_and_replayed(tmp_path):
    path = tmp_path / "lesson.jsonl"
    shown = shown_by(
        "%%agent -m counts -t count --yes -s chat\nhi",
        f"%agent record {path} -s chat",
        "%%agent -m replay:chat -t count --yes -s again\nhi",
        "print('>', _agent)",
        f"%%agent -m replay:{path} -t count --yes -s once-more\nhi",
        "print('>', _agent)",
        "%agent replay chat --speed 0",
    )
    assert [line for line in shown if line.startswith(">")] == ["> Two.", "> Two."]
    assert shown.count("Two.") == 4


INTERRUPTED = (
    MAGICS
    + """
import signal, time

def stop():
    signal.raise_signal(signal.SIGINT)
    time.sleep(20)

async def halt():
    asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
    await asyncio.Event().wait()

script("stops", call("stop"), "no")
script("halts", call("halt"), "no")
shell.user_ns.update(stop=stop, halt=halt)
cell("%%agent -m stops -t stop --yes\\nhi")
cell("%%agent -m halts -t halt --yes\\nhi")
cell("%%agent -m hello\\nhi")
"""
)


def test_interrupt_stops_the_turn_and_its_call():
    shown = lines_of(INTERRUPTED)
    assert [line for line in shown if " · turn " not in line and not line.startswith("new session")] == [
        "■ interrupted",
        "KeyboardInterrupt: turn interrupted",
        "■ interrupted",
        "KeyboardInterrupt: turn interrupted",
        "Hello.",
    ]


IN_A_LOOP = (
    MAGICS
    + """
def nested():
    cell("%%agent -m hello -s other\\nhi")
    return "begun"

script("nests", call("nested"), "Nested.")
shell.user_ns["nested"] = nested

async def main():
    cell("%%agent -m counts -t count --yes -s chat\\nhi")
    cell("%%agent -m adds -t add --yes -s chat\\nhi")
    print(">", repr(shell.user_ns["_agent"]).partition(":")[0])
    print(">", await shell.user_ns["_agent"])
    cell("%%agent --compare hello adds\\nhi")
    print(">", len(await shell.user_ns["_agent"]))
    cell("%agent compact -s chat")
    cell("%%agent -m nests -t nested --yes -s chat\\nhi")
    print(">", await shell.user_ns["_agent"])
    print(">", await shell.user_ns["_agent"])  # that of the nested cell

asyncio.new_event_loop().run_until_complete(main())
"""
)


GOES_ON = "the cell cannot wait here; its work goes on, and `await _agent` in another cell waits for it"
REFUSED = (
    "NoThreadsError: no thread can be started here, and this code cannot wait; "
    "await SessionManager().run(prompt, session=name), which works here"
)


def test_turns_go_on_in_order_where_cells_cannot_wait_because_a_loop_runs():
    shown = lines_of(IN_A_LOOP)
    turns = [line.split(" · ")[1:3] for line in shown if line.startswith("chat · turn")]
    assert turns == [["turn 1", "counts"], ["turn 2", "adds"], ["turn 3", "nests"]]
    assert shown[:2] == [GOES_ON] * 2
    assert [line for line in shown if line.startswith((">", "NoThreadsError"))] == [
        "> still running",
        "> Three.",
        "> 2",
        REFUSED,
        "> Nested.",
        "> Hello.",
    ]


def test_manager_runs_turns_with_tools_and_types_without_threads():
    assert lines_of(METHOD) == ["Hello.", "Two. [1,2]", "Answer(number=3)"]
