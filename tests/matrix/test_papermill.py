"""papermill: nobody watches, so the notebook gets the static answer, and nothing is asked."""

import nbformat

from tests.matrix.conftest import GO, is_static, is_the_lesson

ENVIRONMENT = "papermill"


def test_answer_is_saved_once_with_its_footer_and_calls_are_denied(ran, written, tmp_path):
    ran("papermill", written(GO, "%agent config"), "out.ipynb", "-p", "place", "here")
    turn, config = nbformat.read(tmp_path / "out.ipynb", 4).cells[2:]
    is_static(turn)
    assert "front end: a runner" in config.outputs[0].data["text/plain"]


def test_lesson_is_answered_by_its_recording(ran, lesson, tmp_path):
    ran("papermill", lesson, "out.ipynb")
    is_the_lesson(nbformat.read(tmp_path / "out.ipynb", 4))
