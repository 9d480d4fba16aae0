"""Programs with an IPython shell of their own, such as ploomber-engine: outputs are saved, and nobody answers."""

import sys
from contextlib import redirect_stdout
from io import StringIO

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from sessionmagic.notebook.magics import AgentMagics
from sessionmagic.notebook.recognition import LITE
from sessionmagic.testing import call, paced, script


class Program:
    """Runs cells, and collects what they display, print and raise."""

    def __init__(self):
        unstored = Config({"HistoryManager": {"enabled": False}})
        self.shell = InteractiveShell.instance(config=unstored, display_pub_class=CapturingDisplayPublisher)
        self.magics = AgentMagics(self.shell)
        self.shell.register_magics(self.magics)

    def run(self, cell):
        """Run a cell; return its displays and what it prints."""
        self.shell.display_pub.outputs.clear()
        with redirect_stdout(StringIO()) as printed:
            self.shell.run_cell(cell).raise_error()
        return [content["data"] for content in self.shell.display_pub.outputs], printed.getvalue()


@pytest.fixture
def program():
    program = Program()
    yield program
    program.magics.context.close()
    InteractiveShell.clear_instance()


@pytest.fixture
def hello():
    script("hello", ["Hello ", "**world**"])


@pytest.mark.usefixtures("hello")
def test_answer_is_saved_once_with_its_footer(program):
    (answer, footer), printed = program.run("%%agent -m hello -s a\nhi")
    assert answer["text/plain"] == "Hello **world**"
    assert "<strong>world</strong>" in answer["text/html"]
    assert "a · turn 1 · hello" in footer["text/plain"]
    assert not printed


def test_call_is_denied_because_nobody_can_approve_it(program):
    program.shell.user_ns["launch"] = lambda: "launched"
    script("launches", call("launch"), "Understood.")
    (answer, _), printed = program.run("%%agent -m launches -s a -t launch\ngo")
    assert "nobody is available to approve the call" in answer["text/html"]
    assert not printed


@pytest.mark.usefixtures("hello")
def test_background_turn_ends_with_its_cell(program):
    (answer, _), _ = program.run("%%agent -b -m hello -s a\nhi")
    assert answer["text/plain"] == "Hello **world**"


@pytest.mark.usefixtures("hello")
def test_shown_turn_is_an_output_and_not_printed(program):
    program.run("%%agent -m hello -s a\nhi")
    (shown,), printed = program.run("%agent show a")
    assert "<strong>world</strong>" in shown["text/html"]
    assert not printed


@pytest.mark.usefixtures("hello")
def test_comparison_is_saved_once(program):
    script("goodbye", "Goodbye")
    (compared,), printed = program.run("%%agent -s a --compare hello goodbye\nhi")
    assert compared["text/plain"].count("Hello **world**") == 1
    assert not printed


@pytest.mark.usefixtures("hello")
def test_only_the_last_line_of_a_grids_progress_is_saved(program):
    program.shell.user_ns["questions"] = ["How many?", "How much?"]
    _, printed = program.run("answers = %agent compare --prompts questions --models hello")
    assert "2 of 2 answered" in printed
    assert printed.count("\n") == 1
    assert "\r" not in printed


def test_cell_that_no_history_counts_has_no_number(program):
    program.run("x = 1")  # not part of a history, as in ploomber-engine
    assert program.magics.context.front_end.place == "a cell"


def test_answer_is_shown_while_it_streams_in_jupyterlite(program, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyodide_kernel", sys)
    script("slow", paced([f"word{number} " for number in range(8)], 0.1))
    displays, _ = program.run("%%agent -m slow -s a\nhi")
    shown = [display["text/html"] for display in displays]
    assert any("word0" in text and "word7" not in text for text in shown)
    assert any("word7" in text for text in shown)
    assert program.magics.context.front_end.kind is LITE
