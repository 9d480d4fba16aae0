"""Models that answer side by side, in JupyterLab."""

from playwright.sync_api import expect

from tests.browser.lab import SECONDS, place_of

MODELS = 'script("a", scripted.tails("{0}-a.txt"))\nscript("b", scripted.tails("{0}-b.txt"));\n'
SOON = "from sessionmagic.notebook.page import draft\ndraft.TEXT_SECONDS = 0.2\n"


def places(it):
    """Return where the two columns are on the page, from the top and from the left."""
    return [place_of(it.area(1).get_by_text(heading, exact=True).first) for heading in ("1. a", "2. b")]


def test_columns_stand_beside_each_other_where_there_is_room_and_each_can_be_stopped(notebook):
    it = notebook("%%agent -s columns --compare a b -o answers\nTalk.", setup=MODELS.format("columns"))
    it.run(1)
    for name in "ab":
        it.say(f"columns-{name}.txt", f"says {name} ")
        expect(it.area(1).get_by_text(f"says {name}")).to_be_visible(timeout=SECONDS)
    size = it.page.viewport_size
    try:
        left, right = places(it)
        assert abs(left["y"] - right["y"]) < 5
        assert right["x"] > left["x"] + 100
        it.page.set_viewport_size({"width": 500, "height": size["height"]})
        expect(it.area(1).get_by_text("says b")).to_be_visible()
        above, below = places(it)
        assert below["y"] > above["y"] + 10
        assert it.scrolls(1) == []
    finally:
        it.page.set_viewport_size(size)
    it.output(1).get_by_title("Stop 1. a").click()
    expect(it.area(1).get_by_text("■ interrupted")).to_be_visible(timeout=SECONDS)
    it.expect_running(1)
    it.say("columns-b.txt", "to the end", end=True)
    it.expect_done(1)
    expect(it.area(1)).to_have_count(0)
    expect(it.answer(1)).to_contain_text("says b to the end")
    expect(it.answer(1).get_by_role("row")).to_have_count(3)
    saved = it.save().cells[1].outputs
    assert [set(output["data"]) for output in saved] == [{"text/html", "text/markdown", "text/plain"}]


def test_a_vote_on_a_blind_comparison_takes_the_place_of_its_buttons(notebook):
    it = notebook("%%agent -s votes --compare a b --blind\nTalk.", setup=MODELS.format("votes"))
    it.run(1)
    for model in "ab":
        it.say(f"votes-{model}.txt", f"answer of {model}", end=True)
    it.expect_done(1)
    expect(it.output(1).get_by_role("button")).to_have_text(["A", "B", "tie", "all bad"], timeout=SECONDS)
    it.output(1).get_by_role("button", name="all bad").click()
    expect(it.output(1).get_by_role("button")).to_have_count(0, timeout=SECONDS)
    expect(it.output(1)).to_contain_text("your vote: all are bad")
    expect(it.output(1)).to_contain_text("%agent reveal -s votes shows the names")
    it.prompt(1).click()  # the button is gone, and with it the focus
    assert "jupyter.widget-view" not in str(it.save().cells[1].outputs)


def unfinished(it):
    return it.output(1).get_by_text("not finished when this was saved")


def test_what_columns_have_said_is_in_the_saved_notebook_when_their_kernel_ends_before_them(notebook):
    it = notebook("%%agent -s cut-columns --compare a b\nTalk.", setup=SOON + MODELS.format("cut-columns"))
    it.run(1)
    it.say("cut-columns-a.txt", "Ended *here*.", end=True)
    it.say("cut-columns-b.txt", "Still **says")
    expect(unfinished(it)).to_have_count(1, timeout=SECONDS)
    expect(it.output(1).get_by_text("Still")).to_have_count(2, timeout=SECONDS)
    expect(unfinished(it)).not_to_be_visible()
    it.save()
    it.lab.end_kernels()
    it.page.reload()
    expect(unfinished(it)).to_be_visible(timeout=2 * SECONDS)
    for words in ("1. a", "Ended here.", "2. b", "Still", "%agent branches cut-columns"):
        expect(it.answer(1)).to_contain_text(words)
    expect(it.answer(1).get_by_role("row")).to_have_count(3)
    dead = it.output(1).get_by_text("Error displaying widget")
    expect(dead).to_have_count(1, timeout=SECONDS)  # else nothing has to be hidden any more
    expect(dead).not_to_be_visible()


def test_columns_go_on_growing_after_a_reload_and_show_no_draft(notebook):
    it = notebook("%%agent -s columns-grow --compare a b\nTalk.", setup=SOON + MODELS.format("columns-grow"))
    it.run(1)
    for name in "ab":
        it.say(f"columns-grow-{name}.txt", f"says {name} ")
    expect(unfinished(it)).to_have_count(1, timeout=SECONDS)
    it.save()
    it.page.reload()
    expect(it.area(1).get_by_text("says a")).to_be_visible(timeout=2 * SECONDS)
    expect(unfinished(it)).not_to_be_visible()
    it.say("columns-grow-a.txt", "and more", end=True)
    expect(it.area(1).get_by_text("says a and more")).to_be_visible(timeout=SECONDS)
    it.say("columns-grow-b.txt", "to the end", end=True)
    expect(it.area(1).get_by_role("row")).to_have_count(3, timeout=SECONDS)
    for words in ("says b to the end", "%agent keep 1 -s columns-grow goes on with column 1"):
        expect(it.area(1).get_by_text(words)).to_be_visible()
    expect(unfinished(it)).not_to_be_visible()
