"""`-b`: the cell returns at once, its area goes on."""

import re

import pytest

from tests.kernel.kernels import comes_true


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


def test_the_result_says_that_its_turn_still_runs_and_becomes_the_result(kernel, session, pen):
    kernel.run(f"%%agent -m dictated -b -o late -s {session}\n{pen}").ok()
    assert kernel.value("late is _agent, late.status, late.finished") == "(True, 'running', False)"
    pen.write("said *so far*")
    comes_true(lambda: "so far" in kernel.run("late").ok().html)
    shown = kernel.run("late").ok()
    assert re.fullmatch(rf"still running: {session} · dictated · \d+ s · ~\d tokens · answering", shown.text)
    assert "said <em>so far</em>" in shown.html
    assert shown.text in shown.html
    early = kernel.run("late.text")
    assert early.ename == "NoResultError"
    assert early.evalue == f"{kernel.value('late')}; wait with `await`, or with .result()"
    assert "\n" not in early.traceback
    assert kernel.value("hasattr(late, 'cost'), 'text' in dir(late)") == "(False, False)"
    pen.end()
    kernel.run("import time\nwhile not late.finished: time.sleep(0.01)").ok()
    assert kernel.value("str(late), late.text, late.status, late.number, late.usage.output_tokens > 0") == (
        "('said *so far*', 'said *so far*', 'completed', 1, True)"
    )
    assert kernel.value("repr(late) == repr(await late), 'text' in dir(late)") == "(True, True)"
    assert kernel.run("late").ok().html == kernel.run("await late").ok().html
    assert kernel.run("late.nothing").ename == "AttributeError"


@pytest.mark.parametrize("waiting", ["await late", "late.result()"])
def test_a_cell_waits_for_a_turn_that_runs_code_in_the_notebook(kernel, session, acts, waiting):
    acts([("run_python", {"code": "import time\ntime.sleep(0.5)\nmade = 42\nprint(made)"})], "Done.")
    kernel.run(f"%%agent -m acts --yes -b -o late -s {session}\ngo").ok()
    assert kernel.run(f"result = {waiting}\nprint(result.text, result.number, made)").ok().text.strip() == "Done. 1 42"
    assert kernel.value("type(result).__name__, result.text == late.text") == "('TurnResult', True)"


def test_several_turns_are_awaited_together(kernel, session):
    for name in ("one", "two"):
        kernel.run(f"%%agent -m slow -b -o {name} -s {session}-{name}\nhi").ok()
    both = "import asyncio\nprint([each.session for each in await asyncio.gather(one, two)])"
    assert kernel.run(both).ok().text.strip() == str([f"{session}-one", f"{session}-two"])


@pytest.mark.parametrize("waiting", ["await late", "late.result()"])
def test_waiting_for_a_turn_that_fails_raises_its_error(kernel, session, waiting):
    kernel.run(f"%%agent -m fails -b -o late -s {session}\nhi").ok()
    cell = kernel.run(waiting)
    assert (cell.ename, cell.evalue) == ("TurnFailedError", "fails: RuntimeError: it broke")
    assert "status='failed'" in kernel.value("late")
    assert kernel.value("late.status, late.text, str(late.error)") == (
        "('failed', 'some words', 'fails: RuntimeError: it broke')"
    )


@pytest.mark.parametrize("waiting", ["await late", "late.result()"])
def test_waiting_is_interrupted_and_the_turn_goes_on(kernel, session, pen, waiting):
    kernel.run(f"%%agent -m dictated -b -o late -s {session}\n{pen}").ok()
    cell = kernel.send(f"print('waits', flush=True)\n{waiting}")
    cell.until_shows("waits")
    kernel.interrupt()
    assert cell.wait().ename in {"KeyboardInterrupt", "CancelledError"}
    assert kernel.value("late.status") == "'running'"
    pen.write("to the end")
    pen.end()
    assert kernel.value("(await late).status") == "'completed'"


def test_a_result_without_an_answer_is_shown_as_such(kernel, session):
    assert kernel.run(f"%%agent -m dumb -s {session} -o failed\nhi").status == "error"
    cell = kernel.run("failed").ok()
    assert cell.text == "(no answer)"
    assert "(no answer)" in cell.html
    assert kernel.value("str(failed)") == "''"


def test_a_stopped_turn_has_a_result(kernel, session):
    kernel.run(f"%%agent -m hang -b -o late -s {session}\nhi").ok()
    kernel.run(f"%agent stop {session}").ok()
    assert kernel.value("(await late).status") == "'interrupted'"


def test_a_turn_that_waits_for_its_session_says_so_and_why_it_did_not_start(kernel, session):
    kernel.run(f"%%agent -m hang -b -s {session}\nfirst").ok()
    kernel.run(f"%%agent -m hello -b --wait 3 -o late -s {session}\nsecond").ok()
    comes_true(lambda: re.fullmatch(r"'still running: \d+ s · waiting for the session'", kernel.value("repr(late)")))
    cell = kernel.run("await late")
    assert cell.ename == "SessionBusyError"
    assert kernel.value("late.status, str(late)") == f"('failed', {'did not start: ' + cell.evalue!r})"
    assert kernel.run("late.text").evalue == f"did not start: {cell.evalue}"
    kernel.run(f"%agent stop {session}").ok()


def test_a_refused_turn_leaves_the_variable_as_it_was(kernel, session):
    kernel.run("late = 'as it was'").ok()
    assert kernel.run(f"%%agent -m opnai:x -b -o late -s {session}\nhi").ename == "ModelReferenceError"
    assert kernel.value("late") == "'as it was'"


def test_the_answers_of_a_comparison_are_awaited_too(kernel, session):
    kernel.run(f"%%agent -b -s {session} --compare slow hello -o late\nTalk.").ok()
    assert re.fullmatch(r"'still running: comparison · \d+ s · \d of 2 answers'", kernel.value("repr(late)"))
    assert kernel.run("late[0]").ename == "NoResultError"
    assert kernel.value("[str(each)[:5] for each in await late]") == "['word0', 'Hello']"
    assert kernel.value("len(late), late['hello'].text, late is _agent") == "(2, 'Hello **world**', True)"
    assert "Hello <strong>world</strong>" in kernel.run("late").ok().html


def test_a_headless_run_can_await_the_result_too(kernel, session):
    kernel.run(f"%%agent -m hello -b -o late -s {session}\nhi", allow_stdin=False).ok()
    assert kernel.value("(await late).text, late.text") == "('Hello **world**', 'Hello **world**')"


def test_the_session_is_held_until_the_turn_ends(kernel, session, pen):
    kernel.run(f"%%agent -m dictated -b -s {session}\n{pen}").ok()
    busy = kernel.run(f"%%agent -m hello -s {session}\nhi")
    assert busy.ename == "SessionBusyError"
    pen.end()
    kernel.run(f"%%agent -m hello --wait 60 -s {session}\nhi").ok()


@pytest.mark.usefixtures("parents_kept")
def test_a_background_turn_is_stopped_by_the_line_magic(kernel, session):
    cell = kernel.run(f"%%agent -m hang -b -s {session}\nhi").ok()
    cell.until_shows("partial answer")
    assert session in kernel.run(f"%agent stop {session}").ok().text
    cell.until(lambda cell: cell.text == "partial answer")
    assert "interrupted" in cell.html
    assert cell.status == "ok"
    kernel.run(f"%%agent -m hello --wait 60 -s {session}\nhi").ok()


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


def test_background_turn_without_widgets_leaves_what_other_cells_show(kernel, session, pen):
    kernel.run("%config AgentMagics.view = 'display'").ok()
    try:
        cell = kernel.run(f"%%agent -b -o behind -m dictated -s {session}\n{pen}").ok()
    finally:
        kernel.run("%config AgentMagics.view = 'auto'").ok()
    pen.write("## Rain\n\n" + "It rains. " * 200 + "\n\nAnd **then")
    other = kernel.send("import time\nfor number in range(20): print(number); time.sleep(0.1)")
    pen.write("** it stops.")
    pen.end()
    other.wait().ok()
    last = kernel.run("behind.result().status").ok()
    assert other.text.split() == [str(number) for number in range(20)]
    for each in (other, last):
        assert not each.contents("clear_output")
        assert not each.contents("display_data")
    if kernel.has_subshells:  # the updates of older ones have another cell as their parent, which pages do not mind
        cell.until(lambda cell: "<strong>then</strong> it stops." in cell.html)
