"""The notebook on agents and models, executed twice where nobody watches, with the same store and the same answers."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[2] / "example_notebooks" / "agents_and_models.ipynb"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    home = tmp_path_factory.mktemp("agents")
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SESSIONMAGIC_HOME", str(home / "store"))
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        for _ in range(2):
            notebook = nbformat.read(NOTEBOOK, as_version=4)
            NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(home)}}).execute()
            found.append({cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"})
    return found


@pytest.fixture
def executed(runs):
    return runs[0]


def text(outputs, at=0):
    return outputs[at]["data"]["text/plain"]


def is_answer(outputs):
    return bool(outputs) and "sessionmagic" in outputs[0].get("metadata", {})


def footer(outputs):
    return text(outputs, -1).splitlines()[-1]


def test_it_says_the_same_when_it_runs_again(runs):
    answers = [{cell: text(outputs) for cell, outputs in run.items() if is_answer(outputs)} for run in runs]
    for each in answers:
        each.pop("alloy")  # whichever member was asked
    assert len(answers[0]) == 11
    assert answers[0] == answers[1]


def test_an_agent_answers_with_its_own_model_and_settings(executed):
    assert "/define of tutor" in text(executed["tutor"], -1)
    assert " · tutor · local:" in footer(executed["tutor"])
    assert "temperature  0                              model small" in text(executed["set"])


def test_a_model_is_set_for_one_agent_of_the_session(executed):
    assert " · tutor · larger · " in footer(executed["other"])


def test_each_request_of_an_alloy_goes_to_one_of_its_members(executed):
    assert any(f" · tutor · {model}" in footer(executed["alloy"]) for model in ("local:", "larger"))


def test_another_model_answers_when_the_first_is_busy_and_that_one_is_left_out_afterwards(executed):
    for cell, why in (("falls-back", "HTTP 429"), ("cools-down", "left out for")):
        assert " · duty · larger · " in footer(executed[cell])
        assert why in executed[cell][0]["data"]["text/html"]


def test_a_sub_agent_works_within_the_call_and_an_agent_that_hands_over_is_followed_by_the_other(executed):
    assert "transfer_task · tutor" in executed["lead"][0]["data"]["text/html"]
    assert " · lead · leads · " in footer(executed["lead"])
    for cell in ("door", "after-door"):
        assert " · tutor · " in footer(executed[cell])
        assert "local:" in footer(executed[cell])


def test_a_plan_changes_nothing_until_it_is_carried_out(executed):
    assert text(executed["plan"], -1).startswith("▤ plan: nothing was changed")
    assert "NaN" in text(executed["unchanged"])
    assert "✓ run_python" in executed["go"][0]["data"]["text/html"]
    assert "150.0" in text(executed["changed"])


def test_values_are_tables_and_have_the_form_of_the_file(executed):
    assert "<table" in executed["frame"][0]["data"]["text/html"]
    assert text(executed["value"]) == "{'name': 'Ada', 'age': 36}"
