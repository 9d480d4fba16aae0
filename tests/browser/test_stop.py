"""Ending a turn with its Stop button, and turns side by side."""

from playwright.sync_api import expect

from tests.browser.lab import SECONDS
from tests.kernel.kernels import appears

TAILS = 'script("a", scripted.tails("{0}-a.txt"))\nscript("b", scripted.tails("{0}-b.txt"));\n'


def test_stop_ends_the_turn_while_its_cell_runs_without_an_error(notebook):
    it = notebook("%%agent -s stopped -m a\nTalk.", "_agent.status, str(_agent)", setup=TAILS.format("stop"))
    it.run(1)
    it.say("stop-a.txt", "Once upon a time ")
    expect(it.area(1).get_by_text("Once upon a time")).to_be_visible(timeout=SECONDS)
    it.expect_running(1)
    it.stop_button(1).click()
    it.expect_done(1)
    expect(it.answer(1)).to_contain_text("Once upon a time", timeout=SECONDS)
    expect(it.answer(1)).to_contain_text("interrupted")
    expect(it.area(1)).to_have_count(0)
    expect(it.output(1).locator("[data-mime-type*=stderr], [data-mime-type*=error]")).to_have_count(0)
    it.run(2)
    expect(it.output(2)).to_contain_text("('interrupted', 'Once upon a time", timeout=SECONDS)


def test_background_turn_streams_and_stops_while_another_cell_runs_a_turn_of_its_own(notebook):
    it = notebook(
        "%%agent -b -s behind -m a\nTalk.",
        "%%agent -s before -m b\nTalk.",
        setup=TAILS.format("beside"),
    )
    it.run(1)
    it.expect_done(1)
    it.run(2)
    it.expect_running(2)
    it.say("beside-a.txt", "Hello from behind. ")
    it.say("beside-b.txt", "Hello from before. ")
    expect(it.area(1).get_by_text("Hello from behind.")).to_be_visible(timeout=SECONDS)
    expect(it.area(2).get_by_text("Hello from before.")).to_be_visible(timeout=SECONDS)
    it.say("beside-a.txt", "Still here.")
    expect(it.area(1).get_by_text("Still here.")).to_be_visible(timeout=SECONDS)

    it.stop_button(1).click()
    expect(it.answer(1)).to_contain_text("interrupted", timeout=SECONDS)
    expect(it.answer(1)).to_contain_text("Hello from behind. Still here.")
    expect(it.area(1)).to_have_count(0)

    it.expect_running(2)
    it.say("beside-b.txt", "And to the end.", end=True)
    it.expect_done(2)
    expect(it.answer(2)).to_contain_text("Hello from before. And to the end.", timeout=SECONDS)
    expect(it.answer(2)).not_to_contain_text("interrupted")
    expect(it.output(1)).not_to_contain_text("before")
    expect(it.output(2)).not_to_contain_text("behind")


def test_second_prompt_to_a_session_that_streams_is_refused_in_one_line(notebook):
    it = notebook("%%agent -b -s held -m a\nTalk.", "%%agent -s held -m a\nTalk too.", setup=TAILS.format("held"))
    it.run(1)
    it.say("held-a.txt", "I am ")
    expect(it.area(1).get_by_text("I am")).to_be_visible(timeout=SECONDS)
    it.run(2)
    error = it.output(2).locator("[data-mime-type='application/vnd.jupyter.error'], [data-mime-type*=stderr]")
    expect(error).to_contain_text("SessionBusyError", timeout=SECONDS)
    expect(error).to_contain_text("held")
    assert len(it.output(2).inner_text().strip().splitlines()) == 1
    expect(it.area(2)).to_have_count(0)
    it.say("held-a.txt", "done.", end=True)
    expect(it.answer(1)).to_contain_text("I am done.", timeout=SECONDS)


PLOT = """\
%matplotlib inline
import matplotlib.pyplot as plt, pathlib, time
plt.plot([1, 2])
pathlib.Path("plotted").touch()
while not pathlib.Path("stopped").exists(): time.sleep(0.01)
plt.title("whole");
"""


def test_click_while_another_cell_plots_leaves_it_its_whole_figure(notebook):
    it = notebook("%%agent -b -s plotting -m a\nTalk.", PLOT, PLOT, setup=TAILS.format("plotting"))
    it.run(1)
    it.say("plotting-a.txt", "Once upon a time ")
    expect(it.area(1).get_by_text("Once upon a time")).to_be_visible(timeout=SECONDS)
    it.run(2)
    appears(it.lab.root / "plotted")
    it.stop_button(1).click()
    expect(it.answer(1)).to_contain_text("interrupted", timeout=SECONDS)
    (it.lab.root / "stopped").touch()
    it.expect_done(2)
    it.run(3)
    it.expect_done(3)
    expect(it.output(3).locator("img")).to_be_visible(timeout=SECONDS)
    _, _, *cells = it.save().cells
    disturbed, undisturbed = ([output.data["image/png"] for output in cell.outputs] for cell in cells)
    assert len(undisturbed) == 1
    assert disturbed == undisturbed
