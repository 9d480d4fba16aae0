"""A running turn without widgets, as slides and front ends that have none show it."""

from playwright.sync_api import expect

from tests.browser.lab import SECONDS

SETUP = """\
%config AgentMagics.view = "display"
%config AgentMagics.presentation = True
script("tail", scripted.tails("slides.txt"));
"""
LONG = "It rained for many days. " * 60


def test_an_answer_grows_without_widgets_in_large_type_and_ends_as_it_is_saved(notebook):
    it = notebook("%%agent -s slides -m tail\nWrite a poem.", setup=SETUP)
    it.run(1)
    expect(it.output(1).get_by_text("waiting for the model")).to_be_visible(timeout=SECONDS)
    it.say("slides.txt", f"# The rain\n\n{LONG}\n\n## The end\n\nIt **stopped")
    expect(it.output(1).get_by_role("heading", name="The end")).to_be_visible(timeout=SECONDS)
    expect(it.area(1)).to_have_count(0)
    it.expect_running(1)
    small = it.page.evaluate("parseFloat(getComputedStyle(document.querySelector('.jp-Cell')).fontSize)")
    size = it.output(1).get_by_text("It rained").first.evaluate("text => parseFloat(getComputedStyle(text).fontSize)")
    assert size > 1.2 * small

    it.say("slides.txt", "**.", end=True)
    it.expect_done(1)
    expect(it.answer(1).locator("strong", has_text="stopped")).to_be_visible(timeout=SECONDS)
    expect(it.answer(1).get_by_role("heading", name="The rain")).to_have_count(1)
    expect(it.answer(1)).to_contain_text("slides · turn 1")
    answer, footer = it.save().cells[1].outputs
    assert answer.data["text/plain"].endswith("It **stopped**.")
    assert "font-size:130%" in footer.data["text/html"]
