"""Cells that wait because another cell waits for the user: those behind it, and those that wait for its session."""

import pytest

from tests.kernel.acting import acts, in_background, needs_clicks, question, until_over

pytestmark = pytest.mark.once

RUN = ("run_python", {"code": "ran.append(1)"})


@pytest.fixture
def asks(kernel, session):
    """Run several cells at once, as a page does, the first of which asks about its calls; return them."""
    needs_clicks(kernel)
    kernel.run("ran = []").ok()

    def run_all(*cells, steps=([RUN], "Done.")):
        acts(kernel, *steps)
        codes = (f"%%agent -m acts -s {session}\ngo", *cells)
        return [kernel.send(code, cell_id=f"{session}-{at}") for at, code in enumerate(codes)]

    return run_all


def says(session, first, turn=1):
    return f"this cell waits: turn {turn} of {session} waits for your answer in cell In [{first.number}]"


def test_cells_behind_a_question_say_where_it_is_until_it_is_answered(kernel, session, asks):
    first, *behind = asks("print('second')", f"%%agent -m hello -s {session}\nhi", "3")
    for cell in behind:
        cell.until_shows("this cell waits")
        assert cell.text.strip() == says(session, first)
    kernel.click(first.until_asks().button("Approve"))
    texts = [cell.wait().ok().text for cell in behind]
    assert texts == ["second\n", "Hello **world**", "3"]
    assert "this cell waits" not in first.text


def test_cell_that_is_sent_later_says_it_at_once_and_each_question_is_told(kernel, session, asks):
    (first,) = asks(steps=([RUN], [RUN], "Done."))
    first.until_asks()
    later = kernel.send("4", cell_id="later").until_shows(says(session, first))
    kernel.click(first.button("Approve"))
    first.until_asks(2)
    later.until(lambda cell: len(cell.contents("clear_output")) == 1 and "this cell waits" in cell.text)
    kernel.click(first.button("Approve", 1))
    assert later.wait().ok().text == "4"


def test_cells_that_an_interrupt_aborts_say_nothing_more(kernel, asks):
    first, second = asks("2")
    second.until_shows("this cell waits")
    kernel.interrupt()
    assert first.wait().ename == "KeyboardInterrupt"
    second.wait()
    assert (second.status, second.text) == ("aborted", "")


def test_cells_behind_one_that_is_asked_on_stdin_say_it_too(kernel, session, asks):
    kernel.run("%config AgentMagics.approval = 'stdin'").ok()
    try:
        first, second = asks("2")
        second.until_shows("this cell waits")
        assert second.text.strip() == says(session, first)
        kernel.reply("y")
        assert second.wait().ok().text == "2"
    finally:
        kernel.run("%config AgentMagics.approval = 'auto'").ok()


def test_cells_before_and_of_other_front_ends_say_nothing(kernel, asks):
    before = kernel.run("1", cell_id="before")
    first, second = asks("2")
    hidden = kernel.send("3")  # a part of the page may run code that is no cell
    second.until_shows("this cell waits")
    assert (before.text, hidden.text) == ("1", "")
    kernel.click(first.until_asks().button("Reject"))
    assert hidden.wait().ok().text == "3"


def test_turn_that_waits_for_its_session_says_that_it_waits_for_an_answer_and_where(kernel, session):
    kernel.run("ran = []").ok()
    acts(kernel, [RUN], "Done.")
    background = in_background(kernel, session)
    kernel.run("1").ok()
    waits = question(kernel, "run_python")
    cell = kernel.send(f"%%agent -m hello --wait 60 -s {session}\nhi")
    cell.until_shows(f"waits for turn 1 of {session}, which waits for your answer in cell In [{background.number}]")
    kernel.interrupt()
    assert cell.wait().ename == "KeyboardInterrupt"
    kernel.run(f"%agent approve {waits} --reject").ok()
    until_over(kernel)
