"""The Stop button, as JupyterLab and other front ends click it, and `%agent stop` from another cell."""

import pytest


@pytest.fixture
def subshell(kernel):
    return kernel.subshell()


def ends_as_stopped(cell):
    cell.wait().ok()
    assert cell.footer["metadata"]["sessionmagic"]["status"] == "interrupted"
    assert cell.text == "partial answer"


def test_the_button_stops_the_turn_while_the_cell_runs(kernel, session, subshell):
    cell = kernel.send(f"%%agent -m hang -s {session}\nhi")
    cell.until_shows("partial answer")
    kernel.click(cell.button("Stop"), subshell)
    ends_as_stopped(cell)
    assert "partial answer" in kernel.run(f"%%agent -m recalls -s {session}\nagain").ok().text


@pytest.mark.usefixtures("subshell")
def test_the_button_of_a_front_end_that_knows_no_subshells_stops_the_turn_while_the_cell_runs(kernel, session):
    cell = kernel.send(f"%%agent -m hang -s {session}\nhi")
    cell.until_shows("partial answer")
    kernel.click(cell.button("Stop"))
    ends_as_stopped(cell)


def test_a_button_of_the_users_own_waits_for_the_end_of_the_cell(kernel, session, subshell):
    kernel.run(
        "import ipywidgets, threading\n"
        "clicked = []\n"
        "mine = ipywidgets.Button()\n"
        "mine.on_click(lambda _: clicked.append(threading.current_thread() is threading.main_thread()))"
    ).ok()
    mine = kernel.value("mine.comm.comm_id").strip("'")
    cell = kernel.send(f"%%agent -m hang -s {session}\nhi")
    cell.until_shows("partial answer")
    kernel.click(mine)
    assert kernel.value("clicked", subshell=subshell) == "[]"
    kernel.click(cell.button("Stop"))
    ends_as_stopped(cell)
    assert kernel.value("clicked") == "[True]"


def test_the_button_stops_a_background_turn(kernel, session, subshell):
    cell = kernel.run(f"%%agent -m hang -b -s {session}\nhi").ok()
    cell.until_shows("partial answer")
    kernel.click(cell.button("Stop"), subshell)
    cell.until(lambda cell: cell.text == "partial answer")
    assert "interrupted" in cell.html


def test_the_button_stops_a_turn_that_waits_for_its_session(kernel, session, subshell):
    kernel.run(f"%%agent -m hang -b -s {session}\nfirst").ok()
    cell = kernel.send(f"%%agent -m hello --wait -s {session}\nzebra")
    cell.until(lambda cell: cell.outputs)
    kernel.click(cell.button("Stop"), subshell)
    cell.wait().ok()
    assert cell.outputs == []
    kernel.run(f"%agent stop {session}").ok()
    assert "zebra" not in kernel.run(f"%%agent -m recalls --wait 60 -s {session}\nthird").ok().text


def test_a_click_after_the_end_does_nothing(kernel, session, subshell):
    cell = kernel.send(f"%%agent -m hang -s {session}\nhi")
    cell.until_shows("partial answer")
    for _ in range(5):
        kernel.click(cell.button("Stop"), subshell)
    ends_as_stopped(cell)
    kernel.click(cell.button("Stop"), subshell)
    assert kernel.run(f"%%agent -m hello -s {session}\nhi").ok().text == "Hello **world**"


def test_the_line_magic_stops_a_turn_from_a_subshell(kernel, session, subshell):
    cell = kernel.send(f"%%agent -m hang -s {session}\nhi")
    cell.until_shows("partial answer")
    kernel.run(f"%agent stop {session}", subshell=subshell).ok()
    ends_as_stopped(cell)


def test_run_all_goes_on_after_a_stop(kernel, session, subshell):
    cell = kernel.send(f"%%agent -m hang -s {session}\nhi")
    queued = kernel.send("print('went on')")
    cell.until_shows("partial answer")
    kernel.click(cell.button("Stop"), subshell)
    ends_as_stopped(cell)
    assert queued.wait().ok().text.strip() == "went on"
