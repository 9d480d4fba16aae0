"""papermill: nobody watches, so the notebook gets the static answer, and nothing is asked."""

import nbformat

from tests.matrix.conftest import GO, is_static

ENVIRONMENT = "papermill"


def test_answer_is_saved_once_with_its_footer_and_calls_are_denied(ran, written, tmp_path):
    ran("papermill", written(GO, "%agent config"), "out.ipynb", "-p", "place", "here")
    turn, config = nbformat.read(tmp_path / "out.ipynb", 4).cells[2:]
    is_static(turn)
    assert "front end: a runner" in config.outputs[0].data["text/plain"]
