"""A view is only a window: when it breaks, the turn goes on."""

import json
import re

import pytest


@pytest.mark.parametrize("method", ["update", "finish", "_show_status"])
def test_a_view_that_fails_does_not_stop_the_turn(kernel, session, pen, method):
    kernel.run(
        "from sessionmagic.notebook.page.widgets import WidgetView\n"
        "seen = None\n"
        f"kept = WidgetView.{method}\n"
        "def broken(*_, **__): raise RuntimeError('the window is broken')\n"
        f"WidgetView.{method} = broken"
    ).ok()
    try:
        cell = kernel.send(f"%%agent -m dictated -s {session} -o seen\n{pen}")
        pen.write("all of ")
        cell.until(lambda cell: cell.outputs)
        pen.write("the answer")
        pen.end()
        cell.wait()
    finally:
        kernel.run(f"WidgetView.{method} = kept").ok()
    assert cell.status == "ok"
    assert "all of the answer" in cell.text
    assert "window" not in cell.text
    assert kernel.value("seen and (seen.status, str(seen))") == "('completed', 'all of the answer')"
    assert "all of the answer" in kernel.run(f"%agent show {session}").ok().text
    assert "all of the answer" in kernel.run(f"%%agent -m recalls -s {session}\nhi").ok().text


def test_a_closed_area_does_not_stop_the_turn(kernel, session, pen):
    cell = kernel.run(f"%%agent -m dictated -b -o closed -s {session}\n{pen}").ok()
    pen.write("all of ")
    cell.until(lambda cell: cell.outputs)
    kernel.run("import ipywidgets; ipywidgets.Widget.close_all()").ok()
    pen.write("the answer")
    pen.end()
    kernel.run("import time\nwhile not closed.finished: time.sleep(0.01)").ok()
    assert kernel.value("str(closed), closed.status") == "('all of the answer', 'completed')"


def test_a_long_answer_is_sent_in_few_messages_and_little_more_than_its_size(kernel, session):
    kernel.run("script('long', ['some words '] * 2000)").ok()
    cell = kernel.run(f"%%agent -m long -s {session}\nhi").ok()
    assert len(cell.answer["data"]["text/plain"]) == 22_000
    assert len(cell.messages) < 150
    assert sum(len(json.dumps(message["content"])) for message in cell.messages) < 300_000


def test_the_elapsed_time_moves_while_the_model_is_silent(kernel, session):
    cell = kernel.send(f"%%agent -m hang -s {session}\nhi")
    for least in (1, 3):  # a busy machine may skip a second
        cell.until(lambda cell, least=least: any(int(at) >= least for at in re.findall(r" · (\d+) s", cell.words)))


def test_two_turns_and_a_print_in_one_cell_all_stay(kernel, session):
    cell = kernel.run(
        "print('compared:')\n"
        "for prompt in ('first', 'second'):\n"
        f"    get_ipython().run_cell_magic('agent', '-m recalls -s {session}', prompt)"
    ).ok()
    assert [output["type"] for output in cell.outputs] == ["stream", "display_data", "display_data"]
    assert "user-prompt: first" in cell.outputs[1]["data"]["text/plain"]
    assert "user-prompt: second" in cell.outputs[2]["data"]["text/plain"]


def test_a_turn_that_does_not_start_leaves_the_cell_s_other_output(kernel, session):
    cell = kernel.run(f"print('before')\nget_ipython().run_cell_magic('agent', '-m nonsense:x -s {session}', 'hi')")
    assert cell.ename == "ModelReferenceError"
    assert [output["type"] for output in cell.outputs] == ["stream", "error"]


def test_what_keeps_a_background_turn_that_waits_from_starting_is_shown(kernel, session):
    cell = kernel.send(f"%%agent -b --wait 5 -m nonsense:x -s {session}\nhi")
    cell.until(lambda cell: "nonsense" in cell.html and "unknown provider" in cell.html)


def test_a_page_that_is_loaded_while_the_cell_runs_gets_the_area_at_once(kernel, session):
    if not kernel.has_subshells:
        pytest.skip("this ipykernel has no subshells, so a page waits for the end of the cell")
    cell = kernel.send(f"%%agent -m hang -s {session}\nhi")
    cell.until_shows("partial answer")
    widgets = kernel.widgets()
    assert any("partial answer" in str(state.get("value")) for state in widgets.values())
    assert not cell.done
    kernel.click(cell.button("Stop"))
    cell.wait().ok()


def test_finished_areas_leave_few_widgets_behind(kernel, session):
    for _ in range(14):
        kernel.run(f"%%agent -m hello -s {session}\nhi").ok()
    before = int(kernel.value("len(__import__('ipywidgets').widgets.widget._instances)"))
    kernel.run(f"%%agent -m hello -s {session}\nhi").ok()
    assert int(kernel.value("len(__import__('ipywidgets').widgets.widget._instances)")) == before
