"""Approving, rejecting and steering under a cell while it runs."""

from playwright.sync_api import expect

from sessionmagic.testing import call
from tests.browser.lab import SECONDS

PLOT = "import matplotlib.pyplot as plt\n%matplotlib inline\nprint('<i>drawing</i>')\nplt.plot([1, 2])\nplt.show()"


def acting(*steps):
    return f"script('acts', *{steps!r});\n"


def code(text):
    return call("run_python", code=text)


def test_call_is_shown_whole_and_runs_when_it_is_approved(notebook):
    it = notebook("%%agent -s approved -m acts\nDraw.", setup=acting(code(PLOT), "Here it is."))
    it.run(1)
    approve = it.area(1).get_by_role("button", name="Approve")
    expect(approve).to_be_visible(timeout=SECONDS)
    expect(it.area(1).get_by_text("plt.plot([1, 2])").last).to_be_visible()
    it.expect_running(1)
    assert it.scrolls(1) == []
    approve.click()
    it.expect_done(1)
    answer = it.answer(1).first
    expect(answer).to_contain_text("Here it is.", timeout=SECONDS)
    expect(it.output(1).locator("img[src^='data:image/png']")).to_be_visible()
    expect(it.area(1)).to_have_count(0)
    answer.locator("summary").click()
    expect(answer.get_by_text("<i>drawing</i>").last).to_be_visible()


def remove(name):
    return code(f"import os; os.remove('{name}')")


def test_rejection_takes_its_reason_to_the_model_and_the_run_goes_on(notebook):
    it = notebook(
        "%%agent -s rejected -m acts\nDelete it.",
        "[p.content for m in _agent.messages for p in m.parts if p.part_kind == 'tool-return']",
        setup=acting([remove("data.csv"), remove("notes.csv")], "Then I leave them."),
    )
    it.run(1)
    reject = it.area(1).get_by_role("button", name="Reject")
    expect(reject).to_be_visible(timeout=SECONDS)
    why = it.area(1).get_by_placeholder("why not")
    why.fill("I still need it")
    reject.click()
    expect(it.area(1).get_by_text("notes.csv").last).to_be_visible(timeout=SECONDS)
    why.press("Enter")  # without a reason it is no answer
    why.press_sequentially("These are my own notes", delay=5)
    why.press("Enter")
    it.expect_done(1)
    expect(it.answer(1)).to_contain_text("Then I leave them.", timeout=SECONDS)
    expect(it.answer(1)).to_contain_text("not run")
    it.run(2)
    expect(it.output(2)).to_contain_text("Reason: I still need it", timeout=SECONDS)
    expect(it.output(2)).to_contain_text("Reason: These are my own notes")


def test_running_turn_is_told_something_in_the_box_under_its_cell(notebook):
    it = notebook(
        "%%agent -s steered -m acts\nGo.",
        "[p.content for m in _agent.messages for p in m.parts if p.part_kind == 'user-prompt']",
        setup=acting(code("1 + 1"), "Two."),
    )
    it.run(1)
    approve = it.area(1).get_by_role("button", name="Approve")
    expect(approve).to_be_visible(timeout=SECONDS)
    box = it.area(1).get_by_placeholder("tell the model something")
    box.fill("In one word.")
    it.area(1).get_by_role("button", name="Tell").click()
    expect(box).to_have_value("", timeout=SECONDS)
    expect(it.area(1).first).to_contain_text("reads it with its next request")
    box.press_sequentially("In French, and as short as it can be.", delay=5)
    box.press("Enter")
    expect(box).to_have_value("", timeout=SECONDS)
    approve.click()
    it.expect_done(1)
    expect(it.answer(1)).to_contain_text("In one word.", timeout=SECONDS)
    it.run(2)
    expect(it.output(2)).to_contain_text(
        "['Go.', 'In one word.', 'In French, and as short as it can be.']", timeout=SECONDS
    )


def test_what_the_box_cannot_deliver_stays_in_it(notebook):
    it = notebook("%%agent -s told_much -m acts\nGo.", setup=acting(code("1 + 1"), "Two."))
    it.run(1)
    approve = it.area(1).get_by_role("button", name="Approve")
    expect(approve).to_be_visible(timeout=SECONDS)
    box = it.area(1).get_by_placeholder("tell the model something")
    for number in range(5):
        box.fill(f"Text {number}")
        box.press("Enter")
        expect(box).to_have_value("", timeout=SECONDS)
    box.fill("Text 5")
    box.press("Enter")
    expect(it.area(1).first).to_contain_text("5 messages are already waiting", timeout=SECONDS)
    expect(box).to_have_value("Text 5")
    approve.click()
    it.expect_done(1)
    expect(it.answer(1)).to_contain_text("Text 4", timeout=SECONDS)


def test_question_is_still_there_and_can_be_answered_after_a_reload(notebook):
    it = notebook("%%agent -s reloaded -m acts\nGo.", setup=acting(code("1 + 1"), "Two."))
    it.run(1)
    expect(it.area(1).get_by_role("button", name="Approve")).to_be_visible(timeout=SECONDS)
    it.save()
    it.page.reload()
    approve = it.area(1).get_by_role("button", name="Approve")
    expect(approve).to_be_visible(timeout=2 * SECONDS)
    approve.click()
    expect(it.area(1).get_by_text("Two.")).to_be_visible(timeout=SECONDS)
    expect(it.area(1).get_by_text("reloaded · turn 1")).to_be_visible(timeout=SECONDS)
    expect(it.answer(1)).to_have_count(0)


FIGURE = "from IPython.display import Image\nimport base64\ndisplay(Image(base64.b64decode('{}')))".format(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def test_figure_stands_after_its_call_while_the_turn_runs_and_in_the_saved_notebook(notebook):
    it = notebook(
        "%%agent -s plots -m acts\nGo.",
        setup=acting(["First words.", code(FIGURE)], ["Second words.", code("1 + 1")], "Last words."),
    )
    it.run(1)
    it.area(1).get_by_role("button", name="Approve").click(timeout=SECONDS)
    second = it.output(1).locator(":visible", has_text="Second words.").last
    expect(second).to_be_visible(timeout=SECONDS)
    expect(it.output(1).get_by_text("Second words.").locator("visible=true")).to_have_count(1)
    figure = it.output(1).locator("img")
    first = it.output(1).get_by_text("First words.").locator("visible=true")
    places = [each.bounding_box()["y"] for each in (first, figure, second)]
    assert places == sorted(places)
    it.output(1).get_by_role("button", name="Approve").locator("visible=true").click()
    it.expect_done(1)
    expect(it.answer(1)).to_contain_text("plots · turn 1", timeout=SECONDS)
    shown = [output.data for output in it.save().cells[1].outputs]
    assert [data.get("text/plain", "").strip(".") for data in shown if "image/png" not in data][:2] == [
        "First words",
        "Second words.\n\nLast words",
    ]
    assert ["image/png" in data for data in shown] == [False, True, False, False]
    assert all(all(data.values()) for data in shown)


def test_what_follows_a_figure_is_still_there_after_a_reload(notebook):
    it = notebook(
        "%%agent -s plotted -m acts\nGo.",
        setup=acting(["First words.", code(FIGURE)], ["Second words.", code("1 + 1")], "Last words."),
    )
    it.run(1)
    approve = it.output(1).get_by_role("button", name="Approve").locator("visible=true")
    expect(approve).to_be_visible(timeout=SECONDS)
    it.save()
    it.page.reload()
    approve.click(timeout=2 * SECONDS)
    expect(it.output(1).get_by_text("Second words.").locator("visible=true")).to_have_count(1, timeout=SECONDS)
    approve.click()
    expect(it.output(1).get_by_text("Last words.").locator("visible=true")).to_have_count(1, timeout=SECONDS)
