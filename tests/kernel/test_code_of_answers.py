"""The code of an answer in a new cell: with `%agent code`, and with a button while the answer streams."""

import pytest

from tests.kernel.kernels import comes_true

CODE = "print('it ran')"
ANSWER = f"First install:\n```bash\npip install x\n```\nThen:\n```python\n{CODE}\n```\nAnd:\n```python\nb = 2\n```\n"


def proposed(cell):
    return [(payload["text"], payload["replace"]) for payload in cell.reply["payload"]]


def refused(cell):
    assert (cell.status, cell.ename) == ("error", "UsageError"), cell.text
    return cell.evalue


@pytest.fixture
def answers(kernel, session):
    """Let a model give this answer in the session."""

    def answer(text, options=""):
        kernel.run(f"script('coder', {text!r})").ok()
        kernel.run(f"%%agent -m coder -s {session} {options}\nhow?").ok()

    return answer


@pytest.mark.once
def test_python_blocks_of_the_latest_answer_become_one_cell_and_do_not_run(kernel, session, answers):
    answers("no code")
    answers(ANSWER)
    cell = kernel.run(f"%agent code -s {session}").ok()
    assert proposed(cell) == [(f"# %%\n{CODE}\n\n# %%\nb = 2", False)]
    assert cell.text == (
        f"2 code blocks of turn 2 of session {session!r} in a new cell, not run yet, each after a line "
        "# %%; -n N takes only one\n"
    )
    assert "it ran" not in kernel.run("1").text


@pytest.mark.once
def test_one_block_is_chosen_by_its_number_in_the_answer(kernel, session, answers):
    answers(ANSWER)
    assert proposed(kernel.run(f"%agent code -n 3 -s {session}").ok()) == [("b = 2", False)]
    assert "is bash, not Python" in refused(kernel.run(f"%agent code -n 1 -s {session}"))
    for number in (0, 4, -1):
        assert f"has 3 code blocks; -n {number}" in refused(kernel.run(f"%agent code -n {number} -s {session}"))


@pytest.mark.once
def test_an_earlier_turn_is_named_by_its_id(kernel, session, answers):
    answers(ANSWER)
    answers("no code")
    assert proposed(kernel.run(f"%agent code 1 -n 2 -s {session}").ok()) == [(CODE, False)]
    assert f"session {session!r} has no turn '9'; -s NAME" in refused(kernel.run(f"%agent code 9 -s {session}"))


@pytest.mark.once
@pytest.mark.parametrize(("answer", "only"), [("no code", ""), ("```sql\nselect 1\n```", ", only sql")])
def test_an_answer_without_python_says_so(kernel, session, answers, answer, only):
    answers(answer)
    cell = kernel.run(f"%agent code -s {session}").ok()
    assert cell.text == f"turn 1 of session {session!r} has no Python code{only}\n"
    assert proposed(cell) == []


@pytest.mark.once
def test_a_session_without_an_answer_says_so(kernel, session, answers):
    answers("no code")
    kernel.run(f"%agent drop -s {session}").ok()
    assert "has no answer" in refused(kernel.run(f"%agent code -s {session}"))


@pytest.mark.once
@pytest.mark.parametrize("options", [{"allow_stdin": False}, {"front_end": "other"}], ids=["runner", "unknown"])
def test_where_no_cell_can_be_added_the_code_is_shown(kernel, session, answers, options):
    answers(ANSWER)
    cell = kernel.run(f"%agent code -n 2 -s {session}", **options).ok()
    assert proposed(cell) == []
    assert cell.text == (
        "no cell was added, because this front end does not take any from the kernel; copy the code:\n\n" + CODE + "\n"
    )


@pytest.mark.once
def test_code_of_an_answer_that_runs_or_was_stopped(kernel, session):
    kernel.run("script('half', ['```python\\na = 1\\n', hang()])").ok()
    kernel.run(f"%%agent -b -m half -s {session}\ngo").ok()
    assert "turn 1" in refused(kernel.run(f"%agent code -s {session}"))
    kernel.run(f"%agent stop {session}").ok()
    comes_true(lambda: "interrupted" in kernel.run(f"%agent show {session}").text)
    cell = kernel.run(f"%agent code -s {session}").ok()
    assert proposed(cell) == [("a = 1", False)]
    assert "interrupted, so code may be missing" in cell.text


BUTTON = "Code to new cell"


def buttons(cell):
    return [state.get("description") for state in cell.widgets.values()]


def take_code(kernel, cell):
    """Click the button for code, and wait until the page shows that the click has arrived."""
    button = cell.button(BUTTON)
    kernel.click(button)
    comes_true(lambda: kernel.widgets()[button]["description"] == "Code comes below")


def streams(kernel, session, pen, options=""):
    return kernel.send(f"%%agent -m dictated -s {session} {options}\n{pen}")


@pytest.mark.usefixtures("subshells")
def test_a_click_while_the_answer_streams_puts_its_code_below_when_it_has_ended(kernel, session, pen):
    cell = streams(kernel, session, pen)
    pen.write("Like this: ")
    cell.until_shows("Like this")
    assert BUTTON not in buttons(cell)
    pen.write(f"\n```python\n{CODE}\n")
    cell.until(lambda cell: BUTTON in buttons(cell))
    take_code(kernel, cell)
    assert not cell.done
    pen.write("b = 2\n```\n")
    pen.end()
    cell.wait().ok()
    assert proposed(cell) == [(f"{CODE}\nb = 2", False)]
    assert "it ran" not in kernel.run("1").text


def test_without_a_click_nothing_is_put_below(kernel, session, answers):
    answers(ANSWER)
    cell = kernel.run(f"%%agent -m coder -s {session}\nhow?").ok()
    assert proposed(cell) == []


@pytest.mark.usefixtures("subshells")
def test_a_click_for_code_in_an_answer_without_python_says_so(kernel, session, pen):
    cell = streams(kernel, session, pen)
    pen.write("```sql\nselect 1\n```\n")
    cell.until(lambda cell: BUTTON in buttons(cell))
    take_code(kernel, cell)
    pen.end()
    cell.wait().ok()
    assert proposed(cell) == []
    assert "the answer has no Python code" in cell.text


@pytest.mark.usefixtures("subshells")
def test_code_of_a_stopped_answer_comes_below(kernel, session, pen):
    cell = streams(kernel, session, pen)
    pen.write(f"```python\n{CODE}\n")
    cell.until(lambda cell: BUTTON in buttons(cell))
    take_code(kernel, cell)
    kernel.click(cell.button("Stop"))
    cell.wait().ok()
    assert proposed(cell) == [(CODE, False)]


def test_a_background_turn_offers_no_button_for_code(kernel, session, pen):
    cell = streams(kernel, session, pen, "-b").wait().ok()
    pen.write(f"```python\n{CODE}\n```\n and more")
    cell.until_shows("and more")
    assert "Stop" in buttons(cell)
    assert BUTTON not in buttons(cell)
    pen.end()
    cell.until(lambda cell: "and more" in cell.text)
