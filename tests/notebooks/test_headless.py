"""Notebooks that nbclient runs, as `jupyter execute` and papermill do: nobody watches, nothing is lost."""

import os

import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from tests.kernel.conftest import MODELS
from tests.kernel.kernels import TESTS


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Run cells headless and return them."""
    monkeypatch.setenv("SESSIONMAGIC_HOME", str(tmp_path / "store"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", str(TESTS), prepend=os.pathsep)

    def execute(*sources):
        cells = [new_code_cell(source) for source in ("%load_ext sessionmagic", MODELS, *sources)]
        notebook = new_notebook(cells=cells)
        resources = {"metadata": {"path": str(tmp_path)}}
        error = None
        try:
            NotebookClient(notebook, timeout=100, resources=resources).execute()
        except CellExecutionError as failed:
            error = failed
        assert "application/vnd.jupyter.widget" not in str(notebook)
        assert "widgets" not in notebook.metadata
        return notebook.cells[2:], error

    return execute


def test_answers_are_saved_in_their_cells(execute):
    (first, background, value), error = execute(
        "%%agent -m hello -s chat\nhi", "%%agent -m recalls -b -s chat\nagain", "str(_agent)"
    )
    assert error is None
    answer, footer = first.outputs
    assert answer["data"]["text/plain"] == "Hello **world**"
    assert "Hello <strong>world</strong>" in answer["data"]["text/html"]
    assert answer["metadata"]["sessionmagic"]["turn"] == "1"
    assert "chat · turn 1" in footer["data"]["text/html"]
    answer, _ = background.outputs
    assert "user-prompt: again" in answer["data"]["text/plain"]
    assert answer["metadata"]["sessionmagic"]["turn"] == "2"
    assert "again" in value.outputs[0]["data"]["text/plain"]


def test_answers_that_are_reused_make_no_difference_in_the_saved_notebook(execute):
    line = "-s chat --fresh --reuse"
    sources = [f"%%agent -m hello {line}\nhi", f"%%agent -m recalls {line}\nagain", "_agent.reused"]
    (*first, asked), _ = execute(*sources)
    (*second, reused), _ = execute(*sources)
    assert [cell.outputs for cell in second] == [cell.outputs for cell in first]
    assert [cell.outputs[0]["data"]["text/plain"] for cell in (asked, reused)] == ["False", "True"]


def test_a_run_stops_at_the_first_error_and_says_it_in_one_line(execute):
    (failed, after), error = execute("%%agent -m fails -s chat\nhi", "print('went on')")
    assert error.ename == "TurnFailedError"
    answer, _, shown = failed.outputs
    assert answer["data"]["text/plain"] == "some words"
    assert shown["ename"] == "TurnFailedError"
    assert len(shown["traceback"]) == 1
    assert "\n" not in shown["traceback"][0]
    assert after.outputs == []


def test_long_answers_are_saved_whole(execute):
    (_, cell), error = execute("script('long', [f'line {n}\\n\\n' for n in range(5000)])", "%%agent -m long\nhi")
    assert error is None
    answer, _ = cell.outputs
    assert answer["data"]["text/plain"].split() == [word for n in range(5000) for word in ("line", str(n))]
    assert "line 4999" in answer["data"]["text/html"]


def test_an_agents_file_beside_the_notebook_serves_a_headless_run(execute, tmp_path):
    (tmp_path / "agents.yaml").write_text(
        "models: {quick: {model: recalls, temperature: 0.2}}\n"
        "permissions: {deny: [run_*], allow: [insert_*]}\n"
        "agents: {root: {model: hello}, tutor: {model: quick, commands: {recap: Say it again.}}}\n"
    )
    (greeting, recap, unknown), error = execute(
        "%%agent -s class\nhi", "%%agent -s class --agent tutor\n/recap", "%%agent -s class --agent tutr\nhi"
    )
    assert "class · turn 1 · root · " in greeting.outputs[-1]["data"]["text/plain"]
    assert recap.outputs[0]["data"]["text/plain"].endswith("user-prompt: Say it again.")
    assert "not confirmed" in greeting.outputs[0]["data"]["text/html"]
    assert "UnknownAgentError: no agent named 'tutr'; did you mean 'tutor'?" in str(unknown.outputs)
    assert error is not None
