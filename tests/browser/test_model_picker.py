"""The list below `%agent model`, from which the model of the next turns is chosen, and what is saved of it."""

from playwright.sync_api import expect

from sessionmagic.testing import call
from tests.browser.lab import SECONDS

MODELS = "script('first-model', 'First here.')\nscript('second-model', 'Second here.');\n"


def test_model_is_chosen_from_a_list_and_the_saved_notebook_shows_the_line_alone(notebook):
    it = notebook("%%agent -s picked -m first-model\nHello.", "%agent model", "%%agent -s picked\nAgain.", setup=MODELS)
    it.run(1)
    expect(it.answer(1)).to_contain_text("First here.", timeout=SECONDS)
    it.run(2)
    models = it.output(2).get_by_role("combobox")
    expect(models).to_be_visible(timeout=SECONDS)
    expect(models).to_have_value("first-model")
    line = it.output(2).locator(".sessionmagic-model")
    expect(line).to_have_text("picked: first-model")
    for theme in ("Dark", "Light"):
        it.use_theme(theme)
        colours = models.evaluate("it => [getComputedStyle(it).color, getComputedStyle(it).backgroundColor]")
        assert colours[0] != colours[1]
        assert it.scrolls(2) == []
    models.select_option("second-model")
    expect(line).to_have_text("picked: second-model", timeout=SECONDS)
    it.run(3)
    expect(it.answer(3)).to_contain_text("Second here.", timeout=SECONDS)
    it.save()
    it.lab.end_kernels()
    it.page.reload()
    expect(line).to_be_visible(timeout=2 * SECONDS)
    dead = it.output(2).get_by_text("Error displaying widget")
    expect(dead).to_have_count(1, timeout=SECONDS)  # else nothing has to be hidden any more
    expect(dead).not_to_be_visible()


def test_model_of_the_next_turns_is_chosen_under_a_running_one(notebook):
    acts = [[call("run_python", code="1 + 1")], "Two."]
    it = notebook(
        "%%agent -s chosen -m acts\nGo.", "%%agent -s chosen\nAgain.", setup=f"script('acts', *{acts!r});\n{MODELS}"
    )
    it.run(1)
    it.area(1).get_by_role("button", name="Model …").click(timeout=SECONDS)
    models = it.area(1).get_by_role("combobox")
    expect(models).to_have_value("acts", timeout=SECONDS)
    models.select_option("second-model")
    expect(it.area(1).get_by_text("chosen: second-model").last).to_be_visible(timeout=SECONDS)
    assert it.scrolls(1) == []
    it.area(1).get_by_role("button", name="Approve").click()
    it.expect_done(1)
    expect(it.answer(1).last).to_contain_text("acts", timeout=SECONDS)
    it.run(2)
    expect(it.answer(2)).to_contain_text("Second here.", timeout=SECONDS)
