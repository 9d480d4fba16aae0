"""papermill: nobody watches, so the notebook gets the static answer, and nothing is asked."""

import subprocess

import nbformat
import pytest

ENVIRONMENT = "papermill"


@pytest.fixture
def executed(python, env, written, tmp_path):
    """Run a notebook with these cells, and return the cells after the setup."""

    def execute(*sources):
        command = [python, "-m", "papermill", written(*sources).name, "out.ipynb", "-p", "place", "here"]
        done = subprocess.run(command, env=env, cwd=tmp_path, timeout=100, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return nbformat.read(tmp_path / "out.ipynb", 4).cells[2:]

    return execute


def test_answer_is_saved_once_with_its_footer_and_calls_are_denied(executed):
    [turn, config] = executed("%%agent -m acts -s lesson\nGo.", "%agent config")
    answer, footer = turn.outputs
    assert "nobody is available to approve the call" in answer.data["text/html"]
    assert answer.data["text/plain"].count("It is **42**.") == 1
    assert "lesson · turn 1" in footer.data["text/plain"]
    assert "front end: a runner" in config.outputs[0].data["text/plain"]
