"""A turn as it is seen while it runs, and what is there when it has ended."""

from playwright.sync_api import expect

from tests.browser.lab import SECONDS

TAIL = 'script("tail", scripted.tails("{0}"));\n'


def test_answer_grows_under_the_running_cell_and_the_static_answer_takes_its_place(notebook):
    it = notebook("%%agent -s grows -m tail\nWrite a poem.", setup=TAIL.format("grows.txt"))
    it.run(1)
    it.expect_running(1)
    expect(it.area(1).get_by_text("waiting for the model")).to_be_visible(timeout=SECONDS)
    expect(it.stop_button(1)).to_be_visible()
    it.say("grows.txt", "# The wind\n\nIt blew ")
    expect(it.area(1).get_by_role("heading", name="The wind")).to_be_visible(timeout=SECONDS)
    it.say("grows.txt", "**softly**.")
    expect(it.area(1).locator("strong", has_text="softly")).to_be_visible(timeout=SECONDS)
    expect(it.area(1).get_by_text("grows · tail ·")).to_be_visible()
    it.expect_running(1)
    expect(it.answer(1)).to_have_count(0)

    it.say("grows.txt", "", end=True)
    it.expect_done(1)
    expect(it.answer(1).locator("strong", has_text="softly")).to_be_visible(timeout=SECONDS)
    expect(it.answer(1)).to_contain_text("grows · turn 1")
    expect(it.area(1)).to_have_count(0)
    expect(it.answer(1)).to_have_count(1)
