"""Voila: a page of outputs, whose cells run without their code."""

import pytest
from playwright.sync_api import expect

from tests.browser.lab import SECONDS
from tests.matrix.conftest import GO

pytestmark = pytest.mark.nightly
ENVIRONMENT = "voila"


def test_page_has_the_answer_and_nobody_is_asked(browser, served, written):
    page = browser.new_page()
    page.goto(served("voila", written(GO)))
    expect(page.get_by_text("lesson · turn 1")).to_be_visible(timeout=2 * SECONDS)
    expect(page.get_by_text("It is 42.")).to_have_count(1)
    page.locator("summary").click()
    expect(page.get_by_text("nobody is available to approve the call")).to_be_visible()
    page.close()
