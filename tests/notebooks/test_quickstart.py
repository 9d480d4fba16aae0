"""The quickstart notebook with the embedded model, as `make demo` runs it and as nbclient does."""

import copy
import importlib.util
import os
import subprocess
import sys
from html import unescape
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from sessionmagic import Models
from sessionmagic.exceptions import ModelReferenceError

EXAMPLES = Path(__file__).resolve().parents[2] / "example_notebooks"
QUICKSTART = EXAMPLES / "quickstart.ipynb"
SOURCE = nbformat.read(QUICKSTART, as_version=4)


def missing(what):
    if os.environ.get("CI"):
        pytest.fail(f"{what}, and CI must not skip this test")
    pytest.skip(what)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("quickstart")
    try:
        Models(home=home).check("local")
    except ModelReferenceError as error:
        missing(str(error))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SESSIONMAGIC_HOME", str(home / "store"))
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        yield home


@pytest.fixture(scope="module")
def demo(home):
    """What `make demo` prints."""
    return run_demo(home)


def run_demo(home, **environment):
    command = [sys.executable, EXAMPLES / "run.py", QUICKSTART, "--out", "build"]
    environment = os.environ | environment
    return subprocess.run(command, capture_output=True, text=True, timeout=110, cwd=home, env=environment, check=False)


@pytest.fixture(scope="module")
def executed(home, demo):  # noqa: ARG001  the demo leaves its session there
    """The notebook, executed by nbclient where the session is there already."""
    notebook = copy.deepcopy(SOURCE)
    NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(home)}}).execute()
    return notebook


def of_turns(notebook, part):
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output for output in outputs if output.get("metadata", {}).get("sessionmagic", {}).get("part") == part]


def answers(notebook):
    return of_turns(notebook, "answer")


def footers(notebook):
    return of_turns(notebook, "footer")


def test_the_notebook_is_committed_without_outputs():
    for cell in SOURCE.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)


def test_the_demo_prints_cells_and_answers_and_how_to_go_on(demo):
    assert demo.returncode == 0, demo.stderr
    asked = SOURCE.cells[2].source.splitlines()
    assert all(f"│ {line}" in demo.stdout for line in asked)
    assert demo.stdout.count("— quickstart · turn ") == 3
    assert "make lab" in demo.stdout.splitlines()[-1]
    assert demo.stderr == ""


def test_the_demo_says_the_same_at_every_run(demo, tmp_path):
    again = run_demo(tmp_path, SESSIONMAGIC_HOME=str(tmp_path / "store"))
    assert again.stdout == demo.stdout


def test_the_small_model_answers_the_demo_right(demo):
    first, second, third = [part.splitlines()[-1] for part in demo.stdout.split("\n— quickstart · turn ")[:3]]
    assert first.startswith("Overfitting occurs when")
    assert "new unseen data" in first
    assert "egularization" in second
    assert "overfitting" in second  # which only the answer before names
    assert third.startswith("An outlier refers to any data point")


def test_the_demo_saves_the_executed_notebook(demo, home):
    saved = nbformat.read(home / "build" / "quickstart.ipynb", as_version=4)
    assert [answer["metadata"]["sessionmagic"]["turn"] for answer in answers(saved)] == ["1", "2", "3"]
    for answer in answers(saved):
        assert answer["data"]["text/plain"].split()[0] in demo.stdout


def test_the_answers_are_saved_as_html_and_text(executed):
    assert len(answers(executed)) == 3
    for answer in answers(executed):
        assert answer["output_type"] == "display_data"
        assert set(answer["data"]) == {"text/html", "text/markdown", "text/plain"}
        assert answer["data"]["text/plain"].strip()
    for footer in footers(executed):
        about = footer["metadata"]["sessionmagic"]
        assert (about["session"], about["status"]) == ("quickstart", "completed")
        assert about["model"] == "local:SmolLM2-135M-Instruct"
        assert about["input_tokens"] > 0
        assert about["output_tokens"] > 0


def test_every_run_is_the_same_conversation(demo, home, executed):  # noqa: ARG001  the demo is the first run
    saved = nbformat.read(home / "build" / "quickstart.ipynb", as_version=4)
    assert [answer["metadata"]["sessionmagic"]["turn"] for answer in answers(executed)] == ["4", "5", "6"]
    for first, second in zip(answers(saved), answers(executed), strict=True):
        assert second["data"]["text/plain"] == first["data"]["text/plain"]
    for first, second in zip(footers(saved), footers(executed), strict=True):
        counts = [footer["metadata"]["sessionmagic"]["input_tokens"] for footer in (first, second)]
        assert counts[0] == counts[1]


def test_each_turn_sends_the_conversation_so_far(executed):
    sent = [answer["metadata"]["sessionmagic"]["input_tokens"] for answer in footers(executed)]
    assert sent == sorted(sent)
    assert len(set(sent)) == 3


def test_no_widgets_are_saved(executed):
    assert "widgets" not in executed.metadata
    assert "application/vnd.jupyter.widget" not in nbformat.writes(executed)


def test_the_listings_are_saved_as_tables(executed):
    (sessions,) = next(cell for cell in executed.cells if cell.id == "sessions").outputs
    (usage,) = next(cell for cell in executed.cells if cell.id == "usage").outputs
    assert "quickstart" in sessions["data"]["text/plain"]
    assert "<table" in sessions["data"]["text/html"]
    assert "local:SmolLM2-135M-Instruct" in usage["data"]["text/plain"]


def test_the_answers_are_in_what_nbconvert_makes_of_it(executed):
    if importlib.util.find_spec("nbconvert") is None:
        missing("nbconvert is not installed")
    from nbconvert import HTMLExporter

    page, _ = HTMLExporter().from_notebook_node(executed)
    for answer in answers(executed):
        assert unescape(answer["data"]["text/html"]) in unescape(page)  # nbconvert writes quotation marks differently
    assert "quickstart · turn 4" in page
