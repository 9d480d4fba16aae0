"""Several models answer one cell, side by side."""

import pytest

pytestmark = pytest.mark.once


def test_models_answer_side_by_side_and_the_cell_keeps_one_static_output(kernel, session):
    kernel.run(f"%%agent -s {session} -m hello\nHi.").ok()
    cell = kernel.run(f"%%agent -s {session} --compare hello recalls\nWho are you?").ok()
    print(cell.everything)
    [output] = cell.everything
    assert set(output["data"]) == {"text/html", "text/markdown", "text/plain"}
