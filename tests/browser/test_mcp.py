"""What an MCP server asks, answered with a form under the cell."""

import sys

import pytest
from playwright.sync_api import expect

from tests.browser.lab import REPOSITORY, SECONDS

SERVER = f"%agent tools add-mcp tests {sys.executable} {REPOSITORY / 'tests/mcp_server.py'}"
BOOK = "script('acts', call('tests__book'), 'Booked.');\n"


@pytest.fixture(autouse=True)
def _mcp():
    pytest.importorskip("fastmcp")


def test_form_is_filled_in_and_its_answer_reaches_the_model(notebook):
    it = notebook(
        SERVER,
        "%%agent -s booked -m acts --yes\nBook it.",
        "[p.content for m in _agent.messages for p in m.parts if p.part_kind == 'tool-return']",
        setup=BOOK,
    )
    it.run(1)
    it.expect_done(1)
    it.run(2)
    form = it.area(2)
    name = form.get_by_title("Name")
    expect(name).to_be_visible(timeout=2 * SECONDS)
    expect(form.get_by_text("Bags, $20 for one, $30 for two")).to_be_visible()
    assert it.scrolls(2) == []
    form.get_by_title("Seat").select_option("At the window")
    form.get_by_title("Meals").select_option(["Breakfast", "Dinner"])
    form.get_by_role("checkbox").check()
    form.get_by_role("button", name="Answer").click()
    expect(form.get_by_text("Name is required")).to_be_visible(timeout=SECONDS)
    name.fill("Ada")
    form.get_by_title("Vouchers").fill('["X1"]')
    form.get_by_role("button", name="Answer").click()
    it.expect_done(2)
    expect(it.answer(2)).to_contain_text("Who travels? · answered", timeout=SECONDS)
    it.run(3)
    for words in ('"name": "Ada"', '"seat": "W"', '"meals": ["b", "d"]', '"insured": true', '"codes": ["X1"]'):
        expect(it.output(3)).to_contain_text(words, timeout=SECONDS)
