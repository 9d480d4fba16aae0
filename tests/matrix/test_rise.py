"""RISE: the slides of a notebook in JupyterLab, whose page runs cells but has no widgets."""

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.lab import SECONDS, TOKEN, Lab, Notebook

pytestmark = pytest.mark.nightly
ENVIRONMENT = "rise"
MODELS = """\
%config AgentMagics.presentation = True
script("tail", scripted.tails("rise.txt"))
script("acts", [call("run_python", code="print(6 * 7)")], ["It is **42**."]);
"""


@pytest.fixture(scope="module")
def lab(browser, python, tmp_path_factory):  # noqa: ARG001  without a browser there is nothing to serve
    lab = Lab(tmp_path_factory.mktemp("rise"), python)
    yield lab
    lab.close()


@pytest.fixture
def slides(browser, lab):
    """The slides of a notebook with a turn that is written in a file, and one that asks. Each cell is a slide."""
    lab.write("slides.ipynb", "%%agent -s slides -m tail\nGo.", "%%agent -s asks -m acts\nGo.", setup=MODELS)
    notebook = nbformat.read(lab.root / "slides.ipynb", 4)
    for cell in notebook.cells:
        cell.metadata["slideshow"] = {"slide_type": "slide"}
    nbformat.write(notebook, lab.root / "slides.ipynb")
    page = browser.new_page()
    page.goto(f"{lab.url}/rise/slides.ipynb?token={TOKEN}")
    expect(page.locator(".navigate-right.enabled")).to_be_visible(timeout=2 * SECONDS)
    yield Notebook(lab, page, "slides.ipynb")
    page.close()
    lab.end_kernels()


def turn_to_the_next(slides):
    slides.page.locator(".navigate-right").click()


def run(slides, number):
    slides.page.locator(".jp-Cell").nth(number).locator(".cm-content").click()
    slides.page.keyboard.press("Control+Enter")


def test_an_answer_grows_on_a_slide_and_a_question_is_answered_there(slides):
    cells = slides.page.locator(".jp-Cell")
    run(slides, 0)
    expect(cells.nth(0).locator(".jp-InputPrompt")).to_have_text("[1]:", timeout=2 * SECONDS)
    turn_to_the_next(slides)
    run(slides, 1)
    slides.say("rise.txt", "## Rain\n\nIt **rained")
    shown = cells.nth(1).locator(".jp-OutputArea")
    expect(shown.get_by_role("heading", name="Rain")).to_be_visible(timeout=SECONDS)
    expect(shown).to_contain_text("answering")
    slides.say("rise.txt", "** on.", end=True)
    expect(shown.locator("strong", has_text="rained")).to_be_visible(timeout=SECONDS)
    expect(shown).to_contain_text("slides · turn 1", timeout=SECONDS)
    size = "text => parseFloat(getComputedStyle(text).fontSize)"
    assert shown.get_by_text("slides · turn 1").evaluate(size) >= 14

    turn_to_the_next(slides)
    run(slides, 2)
    answer = slides.page.locator("input.jp-Stdin-input")
    expect(answer).to_be_in_viewport(timeout=SECONDS)
    expect(cells.nth(2)).to_contain_text("print(6 * 7)")
    answer.fill("y")
    answer.press("Enter")
    expect(cells.nth(2)).to_contain_text("It is 42.", timeout=SECONDS)
    expect(cells.nth(2)).to_contain_text("asks · turn 1", timeout=SECONDS)
    expect(answer).to_have_count(0)
    expect(cells.nth(2).locator(".jp-OutputArea")).not_to_contain_text("or why not")
