"""What a page that was closed or reloaded still shows."""

from playwright.sync_api import expect

from tests.browser.lab import SECONDS

TAIL = 'script("tail", scripted.tails("{0}"));\n'
ANSWER = "Three *features*:\n\n| feature | leak |\n|---|---|\n| `cancel_date` | yes |\n"


def test_background_turn_goes_on_growing_after_a_reload(notebook):
    it = notebook("%%agent -b -s reload -m tail\nTalk.", "%agent show reload", setup=TAIL.format("reload.txt"))
    it.run(1)
    it.say("reload.txt", "First. ")
    expect(it.area(1).get_by_text("First.")).to_be_visible(timeout=SECONDS)
    it.save()
    it.page.reload()
    expect(it.area(1).get_by_text("First.")).to_be_visible(timeout=2 * SECONDS)
    expect(it.stop_button(1)).to_be_visible()
    it.say("reload.txt", "Second. ")
    expect(it.area(1).get_by_text("First. Second.")).to_be_visible(timeout=SECONDS)
    it.say("reload.txt", "Third.", end=True)
    expect(it.output(1).get_by_text("reload · turn 1")).to_be_visible(timeout=SECONDS)
    expect(it.output(1).get_by_text("First. Second. Third.")).to_be_visible()
    expect(it.stop_button(1)).to_have_count(0)

    it.run(2)
    expect(it.answer(2).last).to_contain_text("First. Second. Third.", timeout=SECONDS)


def test_turn_goes_on_growing_after_a_reload_while_its_cell_runs_and_can_be_stopped(notebook):
    it = notebook("%%agent -s busy -m tail\nTalk.", setup=TAIL.format("busy.txt"))
    it.run(1)
    it.say("busy.txt", "First. ")
    expect(it.area(1).get_by_text("First.")).to_be_visible(timeout=SECONDS)
    it.save()
    it.page.reload()
    expect(it.area(1).get_by_text("First.")).to_be_visible(timeout=2 * SECONDS)
    it.say("busy.txt", "More. " * 1_000 + "\n\nLast.")
    expect(it.area(1).get_by_text("Last.")).to_be_visible(timeout=SECONDS)
    it.stop_button(1).click()
    expect(it.output(1).get_by_text("busy · turn 1")).to_be_visible(timeout=SECONDS)
    expect(it.output(1)).to_contain_text("interrupted")
    assert it.output(1).inner_text().count("More.") == 1_000


def test_saved_answer_is_readable_without_a_kernel_and_without_trust(notebook):
    it = notebook("%%agent -s saved -m tail\nWhat leaks?", setup=TAIL.format("saved.txt"))
    it.say("saved.txt", ANSWER, end=True)
    it.run(1)
    it.expect_done(1)
    expect(it.answer(1)).to_contain_text("saved · turn 1", timeout=SECONDS)
    saved = it.save()
    kinds = [list(output.data) for output in saved.cells[1].outputs]
    assert kinds == [["text/html", "text/markdown", "text/plain"], ["text/html", "text/plain"]]
    assert saved.cells[1].outputs[0].data["text/plain"] == ANSWER

    copy = it.colleagues_copy().open_without_kernel()
    answer = copy.answer(1)
    expect(answer.locator("em", has_text="features")).to_be_visible()
    expect(answer.locator("table td code", has_text="cancel_date")).to_be_visible()
    expect(answer).to_contain_text("saved · turn 1 · ")
    expect(copy.area(1)).to_have_count(0)
