"""Why something failed stands once under its cell: in the cell's error if Run All must stop, else in the answer."""

import re

import pytest

pytestmark = pytest.mark.once
SCRIPTS = """
from pydantic_ai.exceptions import ModelHTTPError
def refused(name, status, words):
    script(name, ModelHTTPError(status, name, {"error": {"message": words}}))
def breaks():
    "Break."
    raise ValueError("the tool broke")
refused("unknown", 404, "no such model here")
refused("keyless", 401, "no such key here")
script("calls", call("breaks"), "I could not.", each_turn=True)
script("unfit", "no number here")
questions = ["one", "two"]
"""


@pytest.fixture(scope="module", autouse=True)
def _scripts(shared_kernel):
    shared_kernel.run(SCRIPTS).ok()


def said(cell):
    """All that stands under the cell at its end, as the page shows it."""
    return re.sub(r"<style>.*?</style>|<[^>]*>|\x1b\[[0-9;]*m", "", f"{cell.html}\n{cell.traceback}", flags=re.DOTALL)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("-m unknown", "no such model here"),
        ("-m keyless", "no such key here"),
        ("-m fails", "it broke"),
        ("-m hang --timeout 0.3", "did not finish within"),
        ("-m unfit --type int", "does not fit int"),
    ],
)
def test_a_failed_turn_says_why_in_the_cells_error_and_in_the_answer_only_that_it_failed(kernel, session, line, why):
    cell = kernel.run(f"%%agent -s {session} {line}\nHi.")
    assert cell.status == "error"
    assert why in cell.evalue
    assert said(cell).count(why) == said(cell).count("■ failed") == 1


@pytest.mark.parametrize(
    ("line", "why"),
    [("-m nosuch:model", "unknown provider"), ("-m hello --budget 1", "no known price"), ("--nosuch", "not an option")],
)
def test_a_turn_that_did_not_start_says_why_in_the_cells_error_alone(kernel, session, line, why):
    cell = kernel.run(f"%%agent -s {session} {line}\nHi.")
    assert why in cell.evalue
    assert said(cell).count(why) == 1
    assert cell.outputs == [output for output in cell.outputs if output["type"] == "error"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("%%agent -s {} -m calls -t breaks --yes\nHi.", "the tool broke"),
        ("%%agent -s {} --compare hello dumb\nHi.", "it broke"),
        ("%%agent -s {} --compare hello keyless\nHi.", "no such key here"),
        ("%agent compare --prompts questions --models keyless hello --name {}", "no such key here"),
        ("%agent compare --prompts questions --models dumb hello --name {}", "it broke"),
    ],
)
def test_what_fails_in_a_cell_that_does_not_fail_is_said_once(kernel, session, line, why):
    cell = kernel.run(line.format(session)).ok()
    assert said(cell).count(why) == 1


def test_each_column_says_once_why_it_failed_and_the_cells_error_that_all_did(kernel, session):
    cell = kernel.run(f"%%agent -s {session} --compare keyless unknown\nHi.")
    assert cell.evalue == "all columns failed; each says why"
    assert said(cell).count("no such key here") == said(cell).count("no such model here") == 1


def test_a_background_turn_says_in_its_answer_why_it_failed(kernel, session):
    cell = kernel.run(f"%%agent -s {session} -m dumb --background\nHi.").ok()
    cell.until(lambda cell: "■ failed" in cell.html)
    assert said(cell).count("it broke") == 1


def test_an_interrupted_cell_says_so_in_its_error_and_in_the_answer(kernel, session):
    cell = kernel.send(f"%%agent -s {session} -m hang\nHi.").until_shows("partial answer")
    kernel.interrupt()
    cell.wait().until(lambda cell: "■" in cell.html)
    assert cell.evalue == "turn interrupted"
    assert said(cell).count("interrupted") == 2
    assert "■ interrupted" in cell.html


def test_a_busy_session_is_told_in_the_error_alone(kernel, session):
    first = kernel.run(f"%%agent -s {session} -m hang --background\nHi.").ok().until_shows("partial answer")
    cell = kernel.run(f"%%agent -s {session} -m hello\nHi.")
    assert cell.ename == "SessionBusyError"
    assert cell.evalue not in cell.html
    kernel.settle()
    assert "busy" not in said(first)
