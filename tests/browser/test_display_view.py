"""A running turn without widgets, as slides and front ends that have none show it."""

from playwright.sync_api import expect

from tests.browser.lab import SECONDS, place_of

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


DISPLAY = '%config AgentMagics.view = "display"\n'


def test_columns_grow_beside_each_other_without_widgets(notebook):
    setup = DISPLAY + "".join(f'script("{name}", scripted.tails("{name}.txt"));\n' for name in ("left", "right"))
    it = notebook("%%agent -s bands --compare left right --no-tools\nTalk.", setup=setup)
    it.run(1)
    for words in ("one", "two"):
        for name in ("left", "right"):
            it.say(f"{name}.txt", f"{name} says **{words}**.\n\n")
        left, right = (it.output(1).get_by_text(f"{name} says {words}") for name in ("left", "right"))
        expect(left).to_be_visible(timeout=SECONDS)
        expect(right).to_be_visible(timeout=SECONDS)
        assert place_of(right)["x"] > place_of(left)["x"] + 100
        for name in ("left", "right"):
            it.say(f"{name}.txt", f"{LONG}\n\n")
    expect(it.output(1).locator("div[style*='min-width: 0; border-top']")).not_to_have_count(2)
    expect(it.area(1)).to_have_count(0)
    assert it.scrolls(1) == []
    it.say("left.txt", "The end.", end=True)
    expect(it.output(1)).to_contain_text("completed", timeout=SECONDS)
    it.expect_running(1)
    it.say("right.txt", "The end.", end=True)
    it.expect_done(1)
    expect(it.answer(1).get_by_role("row")).to_have_count(3)
    [saved] = it.save().cells[1].outputs
    assert "right says **two**." in saved.data["text/plain"]


def test_an_output_that_the_user_has_cleared_meanwhile_is_whole_at_the_end(notebook):
    it = notebook("%%agent -s cleared -m tail\nGo.", setup=DISPLAY + 'script("tail", scripted.tails("cleared.txt"));')
    it.run(1)
    it.say("cleared.txt", f"First words.\n\n{LONG}\n\nMore")
    expect(it.output(1)).to_contain_text("More", timeout=SECONDS)
    it.page.evaluate("jupyterapp.commands.execute('notebook:clear-cell-output')")
    expect(it.output(1)).not_to_contain_text("More")
    it.say("cleared.txt", " words.", end=True)
    it.expect_done(1)
    for words in ("First words.", "More words.", "cleared · turn 1"):
        expect(it.answer(1).get_by_text(words)).to_have_count(1, timeout=SECONDS)


def test_background_turns_keep_to_their_cells(notebook):
    setup = DISPLAY + "".join(f'script("{name}", scripted.tails("{name}.txt"));\n' for name in ("uno", "dos"))
    it = notebook("%%agent -b -s uno -m uno\nGo.", "%%agent -b -s dos -m dos\nGo.", "6 * 7", setup=setup)
    for number in (1, 2, 3):
        it.run(number)
        it.expect_done(number)
    for name in ("uno", "dos"):
        it.say(f"{name}.txt", f"{name} begins.\n\n{LONG}\n\n")
    for number, name in ((1, "uno"), (2, "dos")):
        expect(it.output(number)).to_contain_text(f"{name} begins.", timeout=SECONDS)
        it.say(f"{name}.txt", f"{name} ends.", end=True)
    for number, name in ((1, "uno"), (2, "dos")):
        expect(it.output(number)).to_contain_text(f"{name} · turn 1", timeout=SECONDS)
        expect(it.answer(number).get_by_text(f"{name} ends.")).to_have_count(1)
    assert it.output(3).inner_text().split() == ["[4]:", "42"]


def test_a_page_that_was_loaded_again_says_how_to_see_the_rest(notebook):
    late = (
        "from sessionmagic.notebook.page import segments\nsegments.STALLED = segments.STALLED.replace(' 20s', ' 5s')\n"
    )
    setup = f'{DISPLAY}{late}script("tail", scripted.tails("reloaded.txt"));'
    it = notebook("%%agent -s reloaded -m tail\nGo.", "%agent show reloaded", setup=setup)
    it.run(1)
    it.say("reloaded.txt", "First words, ")
    expect(it.output(1)).to_contain_text("First words,", timeout=SECONDS)
    note = it.output(1).locator("small[style*=sessionmagic-late]")
    expect(note).to_have_css("opacity", "0")
    it.save()
    it.page.reload()
    expect(note).to_have_css("opacity", "1", timeout=2 * SECONDS)
    expect(note).to_contain_text("%agent show reloaded")
    it.say("reloaded.txt", "and more.", end=True)
    it.run(2)
    expect(it.output(2)).to_contain_text("First words, and more.", timeout=2 * SECONDS)
