"""The lesson that is handed out with its recording."""

import json
import runpy

import nbformat
import pytest

from tests.notebooks.built import shows_the_lesson, words_of
from tests.notebooks.offline import EXAMPLES, executed, outputs_of

nbconvert = pytest.importorskip("nbconvert")

RIGHT = """
def typical(values):
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
"""
WRONG = [
    ("def typical(values):\n    return sum(values) / len(values)", "typical([1, 2, 9]) is 2, and yours returns 4.0"),
    ("def typical(values):\n    return sorted(values)[len(values) // 2]", "Test it with an even count of numbers"),
    (f"{RIGHT}\nsort = typical\ndef typical(values):\n    values.sort()\n    return sort(values)", "work on a copy"),
    ("def typical(values):\n    return median(values)", "fails with NameError: name 'median' is not defined"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lesson")


@pytest.fixture(scope="module")
def lesson(folder):
    return executed("lesson", folder)


@pytest.fixture(scope="module")
def outputs(lesson):
    return outputs_of(lesson)


def html(outputs, cell):
    return "".join(output["data"]["text/html"] for output in outputs[cell])


def test_offline_runs_give_the_same_outputs_to_the_byte_and_use_no_network(outputs, folder):
    again = outputs_of(executed("lesson", folder))
    assert json.dumps(again) == json.dumps(outputs)
    assert not (folder / "network-was-used").exists()


def test_answers_say_who_gave_them_when_the_lesson_was_recorded(outputs):
    assert "11.5" in html(outputs, "ask")
    assert "replay of teacher-script" in html(outputs, "ask")


def test_calls_are_shown_with_what_was_approved_and_what_was_rejected_and_why(outputs):
    shown = html(outputs, "tools")
    assert "✓ inspect_variable" in shown
    assert "without row 11: 0.99" in shown
    assert "⊘ run_python" in shown
    assert "the raw data stay as they are; work on a copy" in shown


def test_no_call_has_changed_the_data(outputs):
    assert outputs["clean"][0]["text"] == "11 of 12 rows, correlation 0.99\n"


def test_two_models_are_compared_and_the_kept_answer_goes_on(outputs):
    [comparison] = outputs["compare"]
    assert [run["name"] for run in comparison["metadata"]["sessionmagic"]["runs"]] == [
        "short-script",
        "thorough-script",
    ]
    assert "An experiment could" in comparison["data"]["text/html"]


def test_value_has_the_type_of_the_notebook(outputs):
    assert outputs["use"][0]["data"]["text/plain"] == "['The median is 5.5 hours.']"


def test_exercise_that_is_not_done_says_what_is_missing(outputs):
    assert outputs["check"][0]["text"] == "Not yet: typical([3]) returns nothing; end the function with return\n"


def test_html_and_markdown_that_nbconvert_makes_show_the_whole_lesson(lesson):
    for exporter in (nbconvert.HTMLExporter(template_name="classic"), nbconvert.MarkdownExporter()):
        page, _ = exporter.from_notebook_node(lesson)
        shows_the_lesson(page)
        assert "without row 11: 0.99" in words_of(page)


def test_slides_have_each_answer_on_a_slide_of_its_own(lesson):
    page, _ = nbconvert.SlidesExporter().from_notebook_node(lesson)
    shows_the_lesson(page)
    slides = page.split("<section>")
    asked = [slide for slide in slides if "%%agent" in words_of(slide)]
    assert [slide.count("replay of") + slide.count("%agent keep 1") for slide in asked] == [1] * 7


@pytest.fixture
def checked(tmp_path, capsys):
    """Return what the check cell says to a solution of the exercise."""
    cells = {cell.id: cell.source for cell in nbformat.read(EXAMPLES / "lesson.ipynb", as_version=4).cells}

    def says(solution):
        (tmp_path / "solved.py").write_text("\n".join([cells["data"], solution, cells["check"]]))
        runpy.run_path(str(tmp_path / "solved.py"))
        return capsys.readouterr().out.strip()

    return says


def test_right_solution_passes(checked):
    assert checked(RIGHT) == "Well done: typical() is right in all cases."


@pytest.mark.parametrize(("solution", "words"), WRONG)
def test_wrong_solution_is_told_what_is_wrong(checked, solution, words):
    said = checked(solution)
    assert said.startswith("Not yet: ")
    assert words in said
