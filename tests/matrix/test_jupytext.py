"""jupytext: a notebook as a program, which is executed where nobody watches."""

import nbformat
import pytest

from tests.matrix.conftest import GO, is_static

pytestmark = pytest.mark.nightly
ENVIRONMENT = "jupytext"


def test_cell_stays_what_it_is_in_a_program_and_is_executed_from_it(ran, written, tmp_path):
    ran("jupytext", "--to", "py:percent", "--output", "program.py", written(GO))
    assert "# %%agent -m acts -s lesson" in (tmp_path / "program.py").read_text()
    ran("jupytext", "--to", "ipynb", "--execute", "program.py")
    turn = nbformat.read(tmp_path / "program.ipynb", 4).cells[1]
    assert turn.source == GO
    is_static(turn)
