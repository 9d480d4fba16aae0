"""`jupyter execute` (nbclient): nobody watches."""

import nbformat
import pytest

from tests.matrix.conftest import GO, is_static, is_the_lesson

pytestmark = pytest.mark.nightly
ENVIRONMENT = "execute"


def test_answer_is_saved_once_with_its_footer_and_calls_are_denied(ran, written):
    notebook = written(GO, "%agent config")
    ran("jupyter", "execute", "--inplace", notebook)
    turn, config = nbformat.read(notebook, 4).cells[1:]
    is_static(turn)
    assert "front end: a runner" in config.outputs[0].data["text/plain"]


def test_lesson_is_answered_by_its_recording(ran, lesson):
    ran("jupyter", "execute", "--inplace", lesson)
    is_the_lesson(nbformat.read(lesson, 4))
