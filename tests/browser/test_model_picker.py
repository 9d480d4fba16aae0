"""The list below `%agent model`, from which the model of the next turns is chosen, and what is saved of it."""

from playwright.sync_api import expect

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
