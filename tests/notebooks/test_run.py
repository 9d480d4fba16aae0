"""`example_notebooks/run.py`: a notebook in the terminal."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.kernel.conftest import MODELS
from tests.kernel.kernels import TESTS, comes_true

RUN = Path(__file__).resolve().parents[2] / "example_notebooks" / "run.py"


class Run:
    """run.py in a process of its own, and what it has printed so far."""

    def __init__(self, home, *cells):
        setup = [new_code_cell("%load_ext sessionmagic"), new_code_cell(MODELS)]
        nbformat.write(new_notebook(cells=[*setup, *cells]), home / "example.ipynb")
        self.out = home / "build" / "example.ipynb"
        self.process = subprocess.Popen(
            [sys.executable, RUN, "example.ipynb"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=home,
            env=os.environ
            | {
                "SESSIONMAGIC_HOME": str(home / "store"),
                "IPYTHONDIR": str(home / "ipython"),
                "PYTHONPATH": os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")])),
                "PYTHONIOENCODING": "utf-8",
            },
        )
        self.printed = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        while piece := os.read(self.process.stdout.fileno(), 65536):
            self.printed += piece.decode()

    def until(self, text):
        comes_true(lambda: text in self.printed or self.process.poll() is not None)
        assert text in self.printed, self.printed

    def end(self):
        code = self.process.wait(100)
        self._reader.join()
        self.process.stdout.close()
        return code


@pytest.fixture
def start(tmp_path):
    runs = []

    def start(*cells):
        runs.append(run := Run(tmp_path, *cells))
        return run

    yield start
    for run in runs:
        run.process.terminate()
        run.end()


def test_answers_are_printed_as_they_come(start, tmp_path):
    pen = tmp_path / "dictation"
    run = start(
        new_markdown_cell("# A title"), new_code_cell(f"%%agent -m dictated -s chat\n{pen}"), new_code_cell("1 + 1")
    )
    run.until("│ %%agent -m dictated -s chat")
    pen.write_text("first words ")
    run.until("first words ")
    assert "second" not in run.printed
    pen.write_text("first words second\x04")
    assert run.end() == 0, run.printed
    assert run.printed.count("first words second") == 1
    assert "# A title" in run.printed
    assert "— chat · turn 1 · " in run.printed
    assert "\n2\n" in run.printed
    assert "make lab" in run.printed.splitlines()[-1]
    saved = nbformat.read(run.out, as_version=4)
    answer, _footer = saved.cells[3].outputs
    assert answer["data"]["text/plain"] == "first words second"
    assert "first words second" in answer["data"]["text/html"]


def test_a_failing_cell_ends_the_run_with_its_error(start):
    run = start(new_code_cell("%%agent -m fails -s chat\nhi"), new_code_cell("print('went ' + 'on')"))
    assert run.end() == 1
    assert "some words" in run.printed
    assert run.printed.splitlines()[-1].startswith("A cell failed: TurnFailedError: fails: RuntimeError: it broke")
    assert "went on" not in run.printed
    assert "Traceback" not in run.printed
    assert "some words" in run.out.read_text()


def test_a_notebook_that_is_not_there_is_said_in_one_line(tmp_path):
    command = [sys.executable, RUN, "none.ipynb"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=100, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["there is no notebook none.ipynb"]
