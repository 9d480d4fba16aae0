"""`-b`: the cell returns at once, its area goes on."""

import pytest


@pytest.fixture
def parents_kept(kernel):
    if kernel.value("__import__('ipykernel').version_info[0] >= 7") == "False":
        pytest.skip("ipykernel before 7 shows what comes from a thread in the latest cell")


@pytest.mark.usefixtures("parents_kept")
def test_the_cell_returns_at_once_and_its_area_goes_on(kernel, session, pen):
    cell = kernel.run(f"%%agent -m dictated -b -s {session}\n{pen}").ok()
    ended = cell.idle_at
    other = kernel.run("print('another cell')").ok()
    pen.write("said *later*")
    cell.until(lambda cell: "said <em>later</em>" in cell.area)
    pen.end()
    cell.until(lambda cell: cell.text == "said *later*")
    assert cell.idle_at == ended
    assert "said <em>later</em>" in cell.answer["data"]["text/html"]
    assert other.text.strip() == "another cell"


@pytest.mark.usefixtures("parents_kept")
def test_several_turns_run_at_once_each_under_its_own_cell(kernel, session, tmp_path):
    pens = [tmp_path / "one", tmp_path / "two"]
    cells = [kernel.run(f"%%agent -m dictated -b -s {session}-{pen.name}\n{pen}").ok() for pen in pens]
    for pen in reversed(pens):
        pen.write_text(f"answer {pen.name}\x04")
    for cell, pen in zip(cells, pens, strict=True):
        cell.until(lambda cell, pen=pen: cell.text == f"answer {pen.name}")
        assert cell.answer


def test_the_result_is_kept_when_the_turn_has_ended(kernel, session, pen):
    kernel.run("late = None").ok()
    kernel.run(f"%%agent -m dictated -b -o late -s {session}\n{pen}").ok()
    assert kernel.value("late") == "None"
    pen.write("done")
    pen.end()
    kernel.run("import time\nwhile late is None: time.sleep(0.01)").ok()
    assert kernel.value("str(late), late.status") == "('done', 'completed')"


def test_the_session_is_held_until_the_turn_ends(kernel, session, pen):
    kernel.run(f"%%agent -m dictated -b -s {session}\n{pen}").ok()
    busy = kernel.run(f"%%agent -m hello -s {session}\nhi")
    assert busy.ename == "SessionBusyError"
    pen.end()
    kernel.run(f"%%agent -m hello --wait 20 -s {session}\nhi").ok()


@pytest.mark.usefixtures("parents_kept")
def test_a_background_turn_is_stopped_by_the_line_magic(kernel, session):
    cell = kernel.run(f"%%agent -m hang -b -s {session}\nhi").ok()
    cell.until_shows("partial answer")
    assert session in kernel.run(f"%agent stop {session}").ok().text
    cell.until(lambda cell: cell.text == "partial answer")
    assert "interrupted" in cell.html
    assert cell.status == "ok"
    kernel.run(f"%%agent -m hello --wait 20 -s {session}\nhi").ok()


@pytest.mark.usefixtures("parents_kept")
def test_the_only_turn_that_runs_is_stopped_without_its_name(kernel, session):
    kernel.run(f"%%agent -m hello -s {session}-idle\nhi").ok()
    cell = kernel.run(f"%%agent -m hang -b -s {session}\nhi").ok()
    kernel.run(f"%agent use {session}-idle").ok()
    assert kernel.run("%agent stop").ok().text.strip() == f"stopping {session}"
    cell.until(lambda cell: "interrupted" in cell.html)


def test_a_running_turn_is_shown_again(kernel, session):
    cell = kernel.run(f"%%agent -m hang -b -s {session}\na question").ok()
    cell.until_shows("partial answer")
    shown = kernel.run(f"%agent show {session}").ok()
    assert "a question" in shown.text
    assert "partial answer" in shown.text


def test_what_keeps_a_turn_from_starting_is_raised_by_the_cell(kernel, session):
    cell = kernel.run(f"%%agent -m opnai:x -b -s {session}\nhi")
    assert (cell.status, cell.ename) == ("error", "ModelReferenceError")
    assert [output["type"] for output in cell.outputs] == ["error"]


@pytest.mark.usefixtures("parents_kept")
def test_a_background_turn_that_fails_says_so_in_its_area(kernel, session):
    cell = kernel.run(f"%%agent -m fails -b -s {session}\nhi").ok()
    cell.until(lambda cell: cell.text == "some words")
    assert "it broke" in cell.html


@pytest.mark.usefixtures("parents_kept")
def test_the_interrupt_of_another_cell_leaves_it_running(kernel, session, pen):
    cell = kernel.run(f"%%agent -m dictated -b -s {session}\n{pen}").ok()
    sleeper = kernel.send("print('asleep', flush=True); import time; time.sleep(30)")
    sleeper.until_shows("asleep")
    kernel.interrupt()
    assert sleeper.wait().ename == "KeyboardInterrupt"
    pen.write("still here")
    pen.end()
    cell.until(lambda cell: cell.text == "still here")
