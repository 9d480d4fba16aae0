"""Answering the calls of a turn that runs in the background."""

from playwright.sync_api import expect

from sessionmagic.testing import call
from tests.browser.lab import SECONDS
from tests.browser.test_tools import acting

BUSY = "import pathlib, time\nwhile not pathlib.Path('second').exists(): time.sleep(0.05)\nprint('it came')"


def makes(name):
    return call("run_python_isolated", code=f"open('{name}', 'w').close()\n6 * 7")


def test_calls_of_one_background_step_are_answered_one_by_one_while_another_cell_runs(notebook):
    it = notebook(
        "%%agent -b -s meanwhile -m acts\nGo.", BUSY, setup=acting([makes("first"), makes("second")], "One of them.")
    )
    it.run(1)
    it.expect_done(1)
    approve = it.area(1).get_by_role("button", name="Approve")
    reject = it.area(1).get_by_role("button", name="Reject")
    expect(approve).to_have_count(1, timeout=SECONDS)
    expect(it.area(1).get_by_text("open('first', 'w')").last).to_be_visible()
    it.run(2)
    it.expect_running(2)
    reject.click()
    expect(it.area(1).get_by_text("open('second', 'w')").last).to_be_visible(timeout=SECONDS)
    expect(approve).to_have_count(1)
    it.expect_running(2)
    approve.click()
    it.expect_done(2)
    expect(it.output(2)).to_contain_text("it came", timeout=SECONDS)
    answer = it.answer(1)
    expect(answer).to_contain_text("One of them.", timeout=SECONDS)
    expect(answer).to_contain_text("⊘ run_python_isolated")
    expect(answer).to_contain_text("✓ run_python_isolated")
    expect(it.area(1)).to_have_count(0)
    assert not (it.lab.root / "first").exists()


def test_what_a_turn_has_done_is_in_the_saved_notebook_when_its_kernel_ends_before_it(notebook):
    it = notebook(
        "%%agent -b -s cut -m acts\nGo.",
        setup=acting(["Let me **look**.", call("list_variables")], ["I *ask*.", makes("never")], "Done."),
    )
    it.run(1)
    expect(it.area(1).get_by_role("button", name="Approve")).to_be_visible(timeout=SECONDS)
    unfinished = it.output(1).get_by_text("not finished when this was saved")
    expect(unfinished).to_have_count(1, timeout=SECONDS)
    expect(unfinished).not_to_be_visible()
    it.save()
    it.lab.end_kernels()
    it.page.reload()
    expect(unfinished).to_be_visible(timeout=2 * SECONDS)
    for words in ("Let me look.", "✓ list_variables", "I ask.", "cut · turn 1"):
        expect(it.answer(1)).to_contain_text(words)
    dead = it.output(1).get_by_text("Error displaying widget")
    expect(dead).to_have_count(1, timeout=SECONDS)  # else nothing has to be hidden any more
    expect(dead).not_to_be_visible()


def test_only_the_answer_is_saved_of_a_turn_that_has_asked(notebook):
    it = notebook("%%agent -s kept -m acts\nGo.", setup=acting([makes("made")], "Done."))
    it.run(1)
    it.area(1).get_by_role("button", name="Approve").click(timeout=SECONDS)
    it.expect_done(1)
    expect(it.answer(1).first).to_contain_text("kept · turn 1", timeout=SECONDS)
    answer, footer = (output.data for output in it.save().cells[1].outputs)
    assert answer["text/plain"] == "Done."
    assert "kept · turn 1" in footer["text/plain"]
