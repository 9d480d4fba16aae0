"""A recorded session that is shown again in JupyterLab, step by step."""

from playwright.sync_api import expect

from tests.browser.lab import SECONDS

SETUP = """
def add(a: int, b: int) -> int:
    "Add two numbers."
    return a + b
script("adds", ["I add them. ", call("add", {"a": 1, "b": 2})], ["It is **three**."]);
"""


def test_each_click_on_the_button_goes_one_step_on(notebook):
    it = notebook(
        "%%agent -s stepped -m adds --tools add --yes\nOne plus two?",
        "%agent replay stepped --step",
        "6 * 7",
        setup=SETUP,
    )
    it.run(1)
    it.expect_done(1)
    it.run(2)
    it.expect_done(2)  # other cells can run between the steps
    shown = it.output(2)
    expect(shown).to_contain_text("One plus two?", timeout=SECONDS)
    expect(shown).not_to_contain_text("I add them.")
    it.run(3)
    expect(it.output(3)).to_contain_text("42", timeout=SECONDS)
    following = shown.get_by_role("button", name="Next")
    following.click()
    expect(shown).to_contain_text("I add them.", timeout=SECONDS)
    expect(shown).not_to_contain_text("three")
    following.click()
    expect(shown.locator("summary").first).to_contain_text("add", timeout=SECONDS)
    expect(shown.get_by_role("button", name="Tell")).to_have_count(0)  # no model would read it
    following.click()
    expect(shown).to_contain_text("It is three.", timeout=SECONDS)
    expect(shown).to_contain_text("all was shown", timeout=SECONDS)
    expect(following).to_have_count(0)


LONG = """
script("long", "\\n\\n".join(f"Paragraph {n}." for n in range(80)), "The end.");
"""


def test_button_and_what_was_shown_last_stay_in_sight(notebook):
    it = notebook(
        "%%agent -s paragraphs -m long\nA long answer",
        "%%agent -s paragraphs\nA short answer",
        "%agent replay paragraphs --step",
        setup=LONG,
    )
    for cell in (1, 2, 3):
        it.run(cell)
        it.expect_done(cell)
    shown = it.output(3)
    following = shown.get_by_role("button", name="Next")
    following.click()
    expect(shown.get_by_text("A short answer")).to_be_in_viewport(timeout=SECONDS)  # below the long answer
    expect(following).to_be_in_viewport()
    following.click()
    expect(shown.get_by_text("The end.").last).to_be_in_viewport(timeout=SECONDS)
    expect(following).to_have_count(0, timeout=SECONDS)
