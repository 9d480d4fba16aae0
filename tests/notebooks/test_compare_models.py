"""The notebook on comparing models, executed where nobody watches."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[2] / "example_notebooks" / "compare_models.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    home = tmp_path_factory.mktemp("compare")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SESSIONMAGIC_HOME", str(home / "store"))
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(home)}}).execute()
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def test_the_columns_stand_in_the_order_given(executed):
    [output] = executed["compare"]
    names = [run["name"] for run in output["metadata"]["sessionmagic"]["runs"]]
    assert names == [f"{model} temperature={value}" for model in ("local", "larger") for value in ("0", "0.7")]


def test_the_kept_answer_is_the_one_that_is_continued(executed):
    assert "larger answers" in executed["keep"][0]["text"]
    assert "· larger ·" in executed["goes-on"][-1]["data"]["text/plain"]


def test_a_vote_is_given_before_the_names_show(executed):
    [blind] = executed["blind-cell"]
    assert "larger" not in str(blind)
    assert "your vote: 1." in executed["reveal"][0]["data"]["text/plain"]


def test_the_statistics_say_what_so_few_prompts_cannot(executed):
    progress, table = executed["grid"]
    assert "16 of 16 answered" in progress["data"]["text/plain"]
    assert "<table" in table["data"]["text/html"]
    assert "too few to tell" in executed["summary"][0]["data"]["text/plain"]
