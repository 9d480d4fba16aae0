"""nbclassic: the page of Jupyter Notebook 6, with widgets and buttons."""

import pytest
from playwright.sync_api import expect

from tests.browser.lab import SECONDS, TOKEN
from tests.matrix.conftest import GO

pytestmark = pytest.mark.nightly
ENVIRONMENT = "nbclassic"
RUN = "at => Jupyter.notebook.execute_cells([at])"


def test_turn_is_shown_with_widgets_and_its_call_is_approved_with_a_button(browser, served, written):
    notebook = written(GO, "%agent config")
    address = served("nbclassic", "--allow-root", f"--IdentityProvider.token={TOKEN}")
    page = browser.new_page()
    page.goto(f"{address}/notebooks/{notebook.name}?token={TOKEN}")
    page.wait_for_function("window.Jupyter?.notebook?.kernel?.is_connected()", timeout=2 * SECONDS)
    cell = page.locator(".code_cell")
    for at in (0, 2, 1):
        page.evaluate(RUN, at)
    expect(cell.nth(2)).to_contain_text("front end: a notebook page", timeout=SECONDS)
    cell.nth(1).get_by_role("button", name="Approve").click(timeout=SECONDS)
    shown = cell.nth(1).locator(".output_area .rendered_html")
    expect(shown.get_by_text("It is 42.")).to_have_count(1, timeout=SECONDS)
    expect(cell.nth(1)).to_contain_text("lesson · turn 1")
    expect(cell.nth(1).locator(".jupyter-widgets")).to_have_count(0)
    page.close()
