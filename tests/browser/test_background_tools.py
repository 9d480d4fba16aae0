"""Answering the calls of a turn that runs in the background."""

from playwright.sync_api import expect

from tests.browser.lab import SECONDS
from tests.browser.test_tools import acting

BUSY = "import pathlib, time\nwhile not pathlib.Path('second').exists(): time.sleep(0.05)\nprint('it came')"


def makes(name):
    return ("run_python_isolated", {"code": f"open('{name}', 'w').close()\n6 * 7"})


def test_calls_of_one_background_step_are_answered_one_by_one_while_another_cell_runs(notebook):
    it = notebook(
        "%%agent -b -s behind -m acts\nGo.", BUSY, setup=acting([makes("first"), makes("second")], "One of them.")
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
