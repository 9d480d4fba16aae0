"""The code of an answer in a new cell."""

from playwright.sync_api import expect

from tests.browser.lab import SECONDS

ANSWER = "Like this:\n```python\nprint('it ran')\n```\n"


def test_button_and_command_put_the_code_into_a_new_cell_that_has_not_run(notebook):
    it = notebook(
        "%%agent -s coded -m coder\nHow?",
        "%agent code -s coded",
        "'the last cell'",
        setup='script("coder", scripted.tails("coder.txt"));\n',
    )
    it.run(1)
    it.say("coder.txt", ANSWER)
    button = it.area(1).get_by_role("button", name="Code to new cell")
    expect(button).to_be_visible(timeout=SECONDS)
    button.click()
    expect(it.area(1).get_by_role("button", name="Code comes below")).to_be_disabled(timeout=SECONDS)
    it.expect_running(1)
    it.say("coder.txt", "That is all.", end=True)
    it.expect_done(1)
    cells = it.page.locator(".jp-Notebook .jp-Cell .cm-content")
    expect(cells).to_have_count(5, timeout=SECONDS)
    expect(cells.nth(2)).to_have_text("print('it ran')")
    expect(it.prompt(2)).to_have_text("[ ]:")

    it.run(3)
    it.expect_done(3)
    expect(it.output(3)).to_contain_text("in a new cell, not run yet", timeout=SECONDS)
    expect(cells).to_have_count(6, timeout=SECONDS)
    expect(cells.nth(4)).to_have_text("print('it ran')")
    expect(it.prompt(4)).to_have_text("[ ]:")
