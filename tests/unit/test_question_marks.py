"""Lines that end in a question mark: those that are no request for help, and those that ask about a subcommand."""

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from sessionmagic.notebook.question_marks import keep_question_marks


@pytest.fixture
def transformed():
    manager = TransformerManager()
    manager.cleanup_transforms.append(keep_question_marks)
    return manager.transform_cell


@pytest.mark.parametrize(
    "said",
    [
        "queue what about March?",
        "steer -s chat is it 'so'??",
        "approve 12ab --reject why?",
        "compact what is still open?",
        "fix --replace why is it empty?",
        "search a.b*(?",
    ],
)
def test_what_is_said_to_a_turn_keeps_its_question_mark(transformed, said):
    assert transformed(f"%agent {said} ") == f"get_ipython().run_line_magic('agent', {said!r})\n"
    assert transformed(f"if True:\n    %agent {said}\n    1") == (
        f"if True:\n    get_ipython().run_line_magic('agent', {said!r})\n    1\n"
    )


@pytest.mark.parametrize("name", ["compare", "queue", "search", "show", "tools add-mcp"])
def test_subcommand_with_a_question_mark_shows_its_help(transformed, name):
    for marks in ("?", "??", " ?"):
        assert transformed(f"%agent {name}{marks}") == f"get_ipython().run_line_magic('agent', '{name} --help')\n"


@pytest.mark.parametrize("line", ["%agent?", "%agent show chat?", "%agent nosuch?", "%%agent?", "len?", "%agent queue"])
def test_requests_for_help_and_other_lines_stay_as_they_are(transformed, line):
    assert transformed(line) == TransformerManager().transform_cell(line)


def test_prompt_of_a_cell_is_left_alone(transformed):
    cell = "%%agent -s chat\n%agent queue what is this?\n"
    assert transformed(cell) == TransformerManager().transform_cell(cell)
