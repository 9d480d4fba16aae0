"""The notebook on tools and approval, executed where nobody watches."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[2] / "example_notebooks" / "tools_and_approval.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    home = tmp_path_factory.mktemp("tools")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SESSIONMAGIC_HOME", str(home / "store"))
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(home)}}).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_notebook_leaves_no_rule_that_would_change_its_next_run(executed):
    assert "run_*" not in executed[-1].outputs[0]["data"]["text/plain"]


def outputs_of(cells, source):
    (cell,) = [cell for cell in cells if cell.source == source]
    return cell.outputs


def test_looking_runs_and_what_was_seen_can_be_opened(executed):
    answer, _footer = outputs_of(executed, "%%agent --model looks --session tools\nWhat is in my data?")
    html = answer["data"]["text/html"]
    assert html.count("<details>") == 2
    assert "DataFrame of shape (4, 2)" in html
    assert "<strong>4 rows</strong>" in html
    assert answer["data"]["text/plain"].startswith("`orders` has **4 rows**")


def test_code_is_denied_without_a_yes_and_runs_with_one(executed):
    denied, _footer = outputs_of(executed, "%%agent --model plots --session tools\nDraw the totals.")
    assert "⊘ run_python" in denied["data"]["text/html"]
    assert "nobody is available to approve the call" in denied["data"]["text/html"]
    call, figure, answer, _footer = outputs_of(
        executed, "%%agent --model plots --session tools --yes\nDraw the totals."
    )
    assert "✓ run_python" in call["data"]["text/html"]
    assert "530" in call["data"]["text/html"]
    assert "image/png" in figure["data"]
    assert "run_python" not in answer["data"]["text/html"]


def test_a_function_of_the_users_own_answers_and_its_error_is_a_result(executed):
    answer, _footer = outputs_of(
        executed, "%%agent --model adds --session tools\nHow much was March, and how much May?"
    )
    assert "✓ total" in answer["data"]["text/html"]
    assert "✗ total" in answer["data"]["text/html"]
    assert "KeyError" in answer["data"]["text/html"]


def test_a_deny_rule_beats_yes(executed):
    answer, _footer = outputs_of(executed, "%%agent --model plots --session tools --yes\nDraw the totals once more.")
    assert "⊘ run_python" in answer["data"]["text/html"]
    assert "has a deny rule for run_*" in answer["data"]["text/html"]
