"""Approval in front of a class: what is in sight, what a key does, and how everything is approved."""

import pytest
from playwright.sync_api import expect

from tests.browser.lab import SECONDS

SETUP = """
import pathlib, time
from sessionmagic import tool
@tool(read_only=True)
def wait_for(name: str):
    while not pathlib.Path(name).exists(): time.sleep(0.01)
ran = []
"""


def code(text):
    return f"call('run_python', code={text!r})"


FILLER = ["\n".join(f"# line {at}" for at in range(20))] * 5
FIGURE = "from IPython.display import HTML, display\ndisplay(HTML('<b>figure</b>'))"
RUNS = (code("ran.append(1)"), "'Done.'")
MOMENT = 1_500
"""Milliseconds in which a page would have moved, or a key would have had an effect."""
IN_VIEW = """element => {
    const {top, bottom} = element.getBoundingClientRect();
    const page = element.closest('.jp-WindowedPanel-outer').getBoundingClientRect();
    return top >= page.top && bottom <= page.bottom;
}"""
FOCUS = "document.activeElement.closest('[data-windowed-list-index]')?.dataset.windowedListIndex"
SCROLL = "(element, top) => { element.closest('.jp-WindowedPanel-outer').scrollTop = top; }"
NO_SCRIPT = """() => {
    const policy = document.createElement('meta');
    policy.httpEquiv = 'Content-Security-Policy';
    policy.content = "script-src-attr 'none'";
    document.head.append(policy);
}"""
RUN_ALL = "() => { void jupyterapp.commands.execute('notebook:run-all-cells'); }"


def acting(*steps):
    return f"{SETUP}script('acts', {', '.join(steps)});\n"


def asks(it, number=1):
    return it.area(number).locator(".sessionmagic-asks").first


def press(it, name, number=1):
    return it.area(number).get_by_role("button", name=name)


@pytest.fixture
def question(notebook):
    """Run a cell whose call waits for approval; more cells are below it."""

    def ask(session, *cells, steps=RUNS):
        it = notebook(f"%%agent -s {session} -m acts\nGo.", *cells, setup=acting(*steps))
        it.run(1)
        expect(press(it, "Approve")).to_be_visible(timeout=SECONDS)
        return it

    return ask


def test_question_off_the_screen_comes_into_view_once_and_leaves_the_keyboard_alone(notebook):
    session = "brought"
    steps = f"call('wait_for', name='{session}')", code("ran.append(1)"), "'Done.'"
    it = notebook(f"%%agent -s {session} -m acts\nGo.", *FILLER, "", setup=acting(*steps))
    last = len(FILLER) + 2
    it.run(1)
    expect(it.area(1).get_by_text("wait_for").first).to_be_visible(timeout=SECONDS)
    editor = it.cell(last).locator(".cm-content")
    editor.click()
    it.page.keyboard.type("typed ")
    assert not it.area(1).first.evaluate(IN_VIEW)
    (it.lab.root / session).touch()
    expect(asks(it)).to_be_in_viewport(timeout=SECONDS)
    it.page.wait_for_function(IN_VIEW, arg=asks(it).element_handle(), timeout=SECONDS)
    assert it.page.evaluate(FOCUS) == str(last)
    assert it.page.evaluate("document.scrollingElement.scrollTop") == 0
    it.page.keyboard.type("elsewhere")
    expect(editor).to_have_text("typed elsewhere")
    asks(it).evaluate(SCROLL, 100_000)
    it.page.wait_for_timeout(MOMENT)
    assert not asks(it).evaluate(IN_VIEW)
    press(it, "Reject").click()
    it.expect_done(1)


def test_question_in_a_hidden_notebook_comes_into_view_when_that_is_opened_again(notebook):
    session = "hidden"
    steps = f"call('wait_for', name='{session}')", *RUNS
    it = notebook(f"%%agent -s {session} -m acts\nGo.", *FILLER, "", setup=acting(*steps))
    it.run(1)
    expect(it.area(1).get_by_text("wait_for").first).to_be_visible(timeout=SECONDS)
    it.cell(len(FILLER) + 2).locator(".cm-content").click()
    it.page.evaluate("() => { window.hiding = jupyterapp.shell.currentWidget.id; }")
    it.page.evaluate("() => jupyterapp.commands.execute('launcher:create')")
    expect(it.area(1).first).to_be_hidden(timeout=SECONDS)
    (it.lab.root / session).touch()
    expect(asks(it)).to_be_attached(timeout=SECONDS)
    it.page.wait_for_timeout(MOMENT)
    it.page.evaluate("() => jupyterapp.shell.activateById(window.hiding)")
    it.page.wait_for_function(IN_VIEW, arg=asks(it).element_handle(), timeout=SECONDS)
    press(it, "Reject").click()
    it.expect_done(1)


def test_page_that_runs_no_script_of_ours_asks_all_the_same(notebook):
    it = notebook("%%agent -s no_script -m acts\nGo.", "ran", setup=acting(*RUNS))
    try:
        it.page.evaluate("delete window.sessionmagicShown")
        it.page.evaluate(NO_SCRIPT)
        it.run(1)
        press(it, "Approve").click(timeout=SECONDS)
        it.expect_done(1)
        assert it.page.evaluate("window.sessionmagicShown") is None
        it.run(2)
        expect(it.output(2)).to_contain_text("[1]", timeout=SECONDS)
    finally:
        it.page.goto("about:blank")


def test_stop_stays_in_sight_on_a_long_answer(notebook):
    it = notebook("%%agent -s long_stop -m a\nTalk.", setup="script('a', scripted.tails('long_stop.txt'));\n")
    it.run(1)
    it.say("long_stop.txt", "".join(f"Line {at} of the answer.\n\n" for at in range(100)))
    expect(it.area(1).get_by_text("Line 99 of")).to_be_visible(timeout=SECONDS)
    it.area(1).get_by_text("Line 80 of").scroll_into_view_if_needed()
    assert not it.cell(1).locator(".cm-content").evaluate(IN_VIEW)
    assert it.stop_button(1).evaluate(IN_VIEW)
    it.stop_button(1).click()
    it.expect_done(1)
    expect(it.answer(1)).to_contain_text("interrupted")


def test_stop_stays_in_sight_below_a_figure(notebook):
    answer = "''.join(f'Line {at} of the answer.\\n\\n' for at in range(100))"
    steps = code(FIGURE), f"[{answer}, call('wait_for', name='never')]"
    it = notebook("%%agent -s figure_stop -m acts --yes\nTalk.", setup=acting(*steps))
    it.run(1)
    expect(it.area(1).get_by_text("Line 99 of").last).to_be_visible(timeout=SECONDS)
    it.area(1).get_by_text("Line 80 of").last.scroll_into_view_if_needed()
    stops = [button for button in it.stop_button(1).all() if button.is_visible() and button.evaluate(IN_VIEW)]
    assert len(stops) == 1
    stops[0].click()
    it.expect_done(1)


def test_buttons_are_reached_with_tab_and_pressed_with_enter_or_space(question):
    steps = code("ran.append(1)"), code("ran.append(2)"), "'Done.'"
    it = question("keys", "ran", steps=steps)
    press(it, "Stop").focus()
    reached = []
    for _ in range(6):
        it.page.keyboard.press("Tab")
        reached.append(it.page.evaluate("document.activeElement.innerText || document.activeElement.placeholder"))
    assert reached[1:] == [
        "Approve",
        "Always run_python",
        "Reject",
        "why not (the model reads this)",
        "Always everything …",
    ]
    for key, name in (("Enter", "Approve"), ("Space", "Reject")):
        button = press(it, name)
        button.focus()
        outline = "element => getComputedStyle(element).outline"
        assert button.evaluate(outline).endswith("solid 2px")
        asked = asks(it).element_handle()
        it.page.keyboard.press(key)
        it.page.wait_for_function("element => !element.isConnected", arg=asked, timeout=SECONDS)
    it.expect_done(1)
    it.run(2)
    expect(it.output(2)).to_contain_text("[1]", timeout=SECONDS)


def test_keys_that_are_pressed_elsewhere_approve_nothing(question):
    it = question("elsewhere", "ran", "1 + 1")
    it.cell(2).locator(".jp-InputPrompt").click()  # command mode
    for key in ("Enter", "y", "a", "Space", "Escape", "ArrowUp", "ArrowDown", "Enter", "Space", "y"):
        it.page.keyboard.press(key)
    it.page.wait_for_timeout(MOMENT)
    expect(press(it, "Approve")).to_be_visible()
    it.expect_running(1)
    press(it, "Reject").click()
    it.expect_done(1)


@pytest.mark.parametrize("width", [550, 900, 1400])
def test_everything_is_far_from_approve_and_a_double_click_only_takes_it_back(question, page, width):
    page.set_viewport_size({"width": width, "height": 1400})
    try:
        it = question(f"everything-{width}")
        everything = press(it, "Always everything")
        approve = press(it, "Approve").bounding_box()
        box = everything.bounding_box()
        right, bottom = approve["x"] + approve["width"], approve["y"] + approve["height"]
        assert box["y"] >= bottom
        assert box["x"] >= right or box["y"] >= bottom + approve["height"]  # a row of others is between them
        everything.dblclick()
        page.wait_for_timeout(MOMENT)
        expect(press(it, "Run everything unasked")).to_be_hidden()
        expect(press(it, "Approve")).to_be_visible()
        it.expect_running(1)
        assert it.scrolls(1) == []
        press(it, "Reject").click()
        it.expect_done(1)
    finally:
        page.set_viewport_size({"width": 1000, "height": 1400})


def test_everything_is_approved_with_a_second_click_and_taken_back_in_the_head(question):
    steps = code("ran.append(1)"), "call('wait_for', name='approved')", code("ran.append(2)"), "'Done.'"
    it = question("unasked", "ran", "%agent permissions unasked", steps=steps)
    press(it, "Always everything").click()
    sure = press(it, "Run everything unasked")
    expect(sure).to_be_visible(timeout=SECONDS)
    expect(asks(it)).to_contain_text("until this kernel ends")
    it.expect_running(1)
    sure.click()
    again = press(it, "Ask again")
    expect(again).to_be_visible(timeout=SECONDS)
    expect(it.area(1).first).to_contain_text("run unasked until this kernel ends")
    again.click()
    expect(again).to_have_count(0, timeout=SECONDS)
    expect(it.area(1).first).not_to_contain_text("run unasked until this kernel ends")
    (it.lab.root / "approved").touch()
    press(it, "Reject").click(timeout=SECONDS)
    it.expect_done(1)
    it.run(2)
    expect(it.output(2)).to_contain_text("[1]", timeout=SECONDS)
    it.run(3)
    expect(it.output(3)).to_contain_text("unasked is balanced", timeout=SECONDS)


def test_cells_of_run_all_say_that_they_wait_and_where(notebook):
    it = notebook(
        "%%agent -s run_all -m acts\nGo.",
        "'second'",
        "%%agent -s run_all -m acts\nMore.",
        "'fourth'",
        setup=acting(*RUNS),
    )
    it.page.evaluate(RUN_ALL)
    words = "this cell waits: turn 1 of run_all waits for your answer in cell In ["
    for number in (2, 3, 4):
        expect(it.output(number)).to_contain_text(words, timeout=SECONDS)
    expect(it.area(1).first).to_contain_text("turn 1 waits for your answer")
    press(it, "Approve").click()
    it.expect_done(4)
    for number, shown in ((2, "'second'"), (4, "'fourth'")):
        expect(it.output(number)).to_contain_text(shown)
    assert "this cell waits" not in str(it.save())


def test_cells_that_an_interrupt_aborts_say_nothing_more(notebook):
    it = notebook("%%agent -s aborted -m acts\nGo.", "'second'", setup=acting(*RUNS))
    it.page.evaluate(RUN_ALL)
    expect(it.output(2)).to_contain_text("this cell waits", timeout=SECONDS)
    it.page.evaluate("() => jupyterapp.commands.execute('notebook:interrupt-kernel')")
    expect(it.output(1)).to_contain_text("KeyboardInterrupt", timeout=SECONDS)
    expect(it.output(2)).not_to_contain_text("this cell waits", timeout=SECONDS)
    assert "this cell waits" not in str(it.save())


def test_question_is_brought_into_view_and_answered_after_a_reload(notebook):
    it = notebook(*FILLER, "%%agent -s reloaded_question -m acts\nGo.", "ran", setup=acting(*RUNS))
    number = len(FILLER) + 1
    it.run(number)
    expect(press(it, "Approve", number)).to_be_visible(timeout=SECONDS)
    it.save()
    it.page.reload()
    expect(press(it, "Approve", number)).to_be_attached(timeout=2 * SECONDS)
    it.page.wait_for_function(IN_VIEW, arg=asks(it, number).element_handle(), timeout=SECONDS)
    press(it, "Approve", number).click()
    expect(it.area(number).first).to_contain_text("Done.", timeout=SECONDS)
