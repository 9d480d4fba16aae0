"""jupyter-server-documents: the server runs the cells of a page that somebody watches, and says it takes no input."""

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.lab import SECONDS, Lab, Notebook
from tests.kernel.kernels import comes_true
from tests.matrix.conftest import SETUP

pytestmark = pytest.mark.nightly
ENVIRONMENT = "documents"
TRUST = """() => {
    for (const cell of jupyterapp.shell.currentWidget.content.widgets) cell.model.trusted = true;
}"""
"""The command to trust a notebook also saves it, which the server may do at the same time."""
GATED = """from pathlib import Path
from sessionmagic.testing import pause
async def gated(_messages):
    yield "first words "
    while not Path("open").exists():
        yield pause(0.05)
    yield "last words"
script("gated", gated);
"""


@pytest.fixture(scope="module")
def lab(browser, python, tmp_path_factory):  # noqa: ARG001  without a browser there is nothing to serve
    lab = Lab(tmp_path_factory.mktemp("documents"), python)
    yield lab
    lab.close()


@pytest.fixture
def notebook(browser, lab):
    page = browser.new_page()

    def opened(name, *cells):
        lab.write(name, SETUP + GATED, *cells)
        notebook = Notebook(lab, page, name).open().wait_for_kernel()
        page.evaluate(TRUST)
        notebook.run(1)
        notebook.expect_done(1)
        return notebook

    yield opened
    page.close()
    lab.end_kernels()


def test_nobody_is_asked_and_the_answer_says_how_to_change_that(notebook):
    it = notebook("static.ipynb", "%%agent -s static -m acts\nGo.", "%agent config")
    it.run(2)
    expect(it.output(2)).to_contain_text("static · turn 1", timeout=SECONDS)
    it.output(2).locator("summary").first.click()
    expect(it.output(2)).to_contain_text('%config AgentMagics.approval = "buttons" asks on the page')
    it.run(3)
    expect(it.output(3)).to_contain_text("takes no input", timeout=SECONDS)


def test_with_buttons_the_turn_streams_and_its_call_is_approved_on_the_page_and_saved_once(notebook, lab):
    it = notebook(
        "live.ipynb",
        "%config AgentMagics.approval = 'buttons'",
        "%%agent -s live -m gated\nGo.",
        "%%agent -s asks -m acts\nGo.",
    )
    it.run(2)
    it.run(3)
    expect(it.area(3).get_by_text("first words")).to_be_visible(timeout=SECONDS)
    it.expect_running(3)
    (lab.root / "open").touch()
    expect(it.output(3)).to_contain_text("live · turn 1", timeout=SECONDS)
    expect(it.output(3)).to_contain_text("first words last words")
    expect(it.area(3)).to_have_count(0)
    it.run(4)
    it.area(4).get_by_role("button", name="Approve").click(timeout=SECONDS)
    expect(it.output(4)).to_contain_text("asks · turn 1", timeout=SECONDS)
    expect(it.area(4)).to_have_count(0)
    expect(it.output(4).get_by_text("It is 42.")).to_have_count(1)
    it.page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    comes_true(lambda: saved(it) == ["answer", "footer"])


def saved(notebook):
    """Return what the outputs of the last cell are in the file; nothing while the server writes it."""
    try:
        outputs = nbformat.read(notebook.path, 4).cells[-1].outputs
    except nbformat.reader.NotJSONError:
        return []
    return [output.metadata.get("sessionmagic", {}).get("part") for output in outputs]
