"""Several models answer one cell, side by side."""

import re
from html import unescape

import pytest

from sessionmagic.notebook.page.tool_row import ALWAYS_EVERYTHING, RUN_EVERYTHING
from sessionmagic.turns.unasked import KERNEL_ENDS, UNASKED
from tests.kernel.acting import needs_clicks
from tests.kernel.cells import WIDGET

pytestmark = pytest.mark.once


def test_models_answer_side_by_side_and_the_cell_keeps_one_static_output(kernel, session):
    kernel.run(f"%%agent -s {session} -m hello\nHi.").ok()
    cell = kernel.run(f"%%agent -s {session} --compare hello recalls --out answers\nWho are you?").ok()
    [output] = cell.everything
    assert set(output["data"]) == {"text/html", "text/markdown", "text/plain"}
    for kind in ("text/html", "text/markdown", "text/plain"):
        assert "1. hello" in re.sub(r"\\", "", output["data"][kind])
    runs = output["metadata"]["sessionmagic"]["runs"]
    assert [(run["name"], run["status"]) for run in runs] == [("hello", "completed"), ("recalls", "completed")]
    assert (
        kernel.value("[str(answer)[:11] for answer in answers], _agent is answers")
        == "(['Hello **wor', 'user-prompt'], True)"
    )
    assert f"turn {session}".replace("turn ", "") in kernel.run(f"%agent keep 2 -s {session} --model").ok().text
    assert "Who are you?" in kernel.run(f"%%agent -s {session}\nAnd now?").ok().text
    assert "the session goes on with 2. recalls" in kernel.run(f"%agent reveal -s {session}").ok().text


def test_a_session_of_columns_only_says_how_to_go_on(kernel, session):
    kernel.run(f"%%agent -s {session} --compare hello recalls\nWho are you?").ok()
    shown = kernel.run(f"%agent show {session}").ok().text
    assert f"only a comparison; %agent keep 1 -s {session} goes on" in shown
    kernel.run(f"%agent keep 1 -s {session}").ok()
    assert "Who are you?" in kernel.run(f"%agent show {session}").ok().text


def test_text_streams_into_columns_with_a_stop_button_each(kernel, session):
    cell = kernel.send(f"%%agent -s {session} --compare hang slow\nTalk.")
    cell.until_shows("partial answer").until_shows("word3").until_shows("first text after")
    assert len([widget for widget in cell.widgets if widget]) > 0
    kernel.interrupt()
    cell.wait()
    assert cell.evalue == "comparison interrupted"
    [static] = [output for output in cell.everything if output["type"] == "display_data"]
    assert WIDGET not in static["data"]
    assert "partial answer" in static["data"]["text/plain"]
    assert static["data"]["text/plain"].count("interrupted") >= 2
    assert kernel.run(f"%%agent -s {session} -m hello\nFree?").ok().status == "ok"


def test_columns_grow_without_widgets(kernel, session, pen):
    kernel.run("%config AgentMagics.view = 'display'").ok()
    try:
        cell = kernel.send(f"%%agent -s {session} --compare hello dictated\n{pen}")
        pen.write("It rains **now**")
        cell.until(lambda cell: "<strong>now</strong>" in cell.html and "completed" in cell.html)
        pen.write(" and then.")
        pen.end()
        cell.wait().ok()
    finally:
        kernel.run("%config AgentMagics.view = 'auto'").ok()
    assert not cell.widgets
    [output] = cell.everything
    assert "It rains **now** and then." in output["data"]["text/plain"]
    assert f"%agent keep 1 -s {session} goes on" in output["data"]["text/plain"]


def test_the_line_below_a_comparison_takes_the_place_of_its_draft(kernel, session, pen):
    kernel.run("from sessionmagic.notebook.page import draft; before = draft.TEXT_SECONDS; draft.TEXT_SECONDS = 0").ok()
    cell = kernel.send(f"%%agent -s {session} --compare hello dictated\n{pen}")
    pen.write("Half of an answer")
    cell.until(lambda cell: "not finished when this was saved" in cell.html)
    assert len(cell.everything) == 2
    pen.end()
    cell.wait().ok()
    kernel.run("draft.TEXT_SECONDS = before").ok()
    comparison, line = cell.everything
    assert comparison["metadata"]["sessionmagic"]["part"] == "comparison"
    assert line["data"]["text/plain"].startswith(f"{session} · comparison · ")
    assert line["data"]["text/plain"] not in comparison["data"]["text/plain"]
    assert "not finished" not in cell.html


def test_a_background_comparison_makes_the_session_busy_once(kernel, session):
    cell = kernel.run(f"%%agent -b -s {session} --compare slow hang -o answers\nTalk.").ok()
    cell.until_shows("partial answer")
    busy = kernel.run(f"%%agent -s {session} -m hello\nToo early")
    assert (busy.status, busy.ename) == ("error", "SessionBusyError")
    kernel.run(f"%agent stop {session}").ok()
    cell.until(lambda cell: WIDGET not in str(cell.everything))
    assert kernel.run(f"%%agent -s {session} -m hello\nFree?").ok().status == "ok"


def test_all_that_failed_is_an_error_and_one_that_failed_is_not(kernel, session):
    assert kernel.run(f"%%agent -s {session} --compare dumb hello\nHi.").ok().status == "ok"
    cell = kernel.run(f"%%agent -s {session} --compare dumb fails\nHi.")
    assert (cell.status, cell.ename) == ("error", "TurnFailedError")
    assert cell.evalue == "all columns failed; each says why"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--compare hello hello", "hello is named twice; use --repeat 2"),
        ("--compare hello nosuch:model", "nosuch"),
        ("--compare hello dumb -m hello", "--model does not go with --compare"),
        ("--compare hello --vary temperature", "not NAME=VALUE,VALUE"),
        ("--compare hello --repeat 99", "--repeat must be"),
        ("--repeat 2", "--repeat needs --compare"),
        ("--blind", "--blind needs --compare"),
        ("--compare hello recalls --criteria short", "--criteria needs --judge"),
    ],
)
def test_bad_comparisons_are_one_line_errors_that_ask_nobody(kernel, session, line, words):
    cell = kernel.run(f"%%agent -s {session} {line}\nHi.")
    assert cell.status == "error"
    assert words in cell.evalue
    assert "\n" not in cell.evalue
    assert kernel.run(f"%agent show {session}").status == "error"


def test_a_blind_comparison_names_no_model_until_it_is_revealed(kernel, session):
    cell = kernel.run(f"%%agent -s {session} --compare hello recalls --blind\nWho are you?").ok()
    assert "hello" not in str([message for message in cell.messages if message["msg_type"] != "execute_input"])
    assert "recalls" not in kernel.run(f"%agent branches {session}").ok().text
    assert "is stored" in kernel.run(f"%agent vote A -s {session}").ok().text
    revealed = kernel.run(f"%agent reveal -s {session}").ok().text
    assert "your vote: 1. " in revealed
    assert "recalls" in revealed


def test_tools_that_act_in_the_notebook_are_not_offered_and_the_cell_says_so(kernel, session, acts):
    acts("Done.")
    cell = kernel.run(f"%%agent -s {session} --compare acts hello\nGo.").ok()
    assert "not offered" in cell.html
    assert "run_python, insert_cell" in cell.html


def test_each_branch_runs_code_in_a_process_of_its_own(kernel, session):
    code = "x = globals().get('x', 0) + 1; print('x is', x)"
    for name in ("one", "two"):
        kernel.run(f"script({name!r}, call('run_python_isolated', code={code!r}), 'Done.');").ok()
    cell = kernel.run(f"%%agent -s {session} --yes --compare one two\nGo.").ok()
    assert cell.html.count("x is 1") == 2


def test_a_background_comparison_that_cannot_begin_is_an_error(kernel, session):
    cell = kernel.run(f"%%agent -b -s {session} --compare hello nosuch:model\nHi.")
    assert (cell.status, cell.ename) == ("error", "ModelReferenceError")


def test_an_interrupt_while_the_session_is_busy_asks_nobody(kernel, session):
    running = kernel.run(f"%%agent -b -s {session} -m hang\nHold it.").ok()
    running.until_shows("partial answer")
    waiting = kernel.send(f"%%agent -s {session} --wait --compare hello recalls\nHi.")
    waiting.until_shows("waiting for the session")
    kernel.interrupt()
    waiting.wait()
    assert waiting.ename == "KeyboardInterrupt"
    kernel.run(f"%agent stop {session}").ok()
    assert kernel.run(f"%%agent -s {session} --wait 60 -m recalls\nNext").ok().text.count("Hi.") == 0


def test_a_judge_names_no_winner_if_its_orders_disagree(kernel, session):
    kernel.run("script('firsts', 'VERDICT: first', each_turn=True);").ok()
    cell = kernel.run(f"%%agent -s {session} --compare hello recalls --judge firsts\nHi.").ok()
    assert "both orders agree in 0 of 1" in cell.html
    assert "firsts" in kernel.run(f"%agent usage {session}").ok().text


def test_a_blind_comparison_stays_blind_when_its_turns_are_shown(kernel, session):
    cell = kernel.send(f"%%agent -b -s {session} --compare hang slow --blind --vary temperature=0.125,0.25\nTalk.")
    cell.until_shows("partial answer")
    shown = kernel.run(f"%agent show {session} --turn 1").ok().text
    kernel.run(f"%agent stop {session}").ok()
    cell.until(lambda cell: f"%agent vote A -s {session} votes" in cell.html)
    shown += kernel.run(f"%agent show {session} --turn 2").ok().text
    assert "still running" in shown
    assert not any(word in shown for word in ("hang", "slow", "0.125", "0.25"))


def test_a_blind_comparison_in_which_all_fail_does_not_name_the_first_model(kernel, session):
    cell = kernel.run(f"%%agent -s {session} --compare dumb fails --blind\nHi.")
    assert (cell.status, cell.evalue) == ("error", f"all columns failed; %agent reveal -s {session} shows why")
    assert "failed" in kernel.run(f"%agent reveal -s {session}").ok().text


def test_a_judge_is_stopped_by_command_and_the_answers_are_kept(kernel, session):
    cell = kernel.run(f"%%agent -b -s {session} --compare hello recalls --judge hang\nHi.").ok()
    cell.until_shows("hang judges")
    assert f"stopping {session}" in kernel.run(f"%agent stop {session}").ok().text
    cell.until(lambda cell: WIDGET not in str(cell.everything))
    assert "not judged, because it was stopped" in cell.html
    assert kernel.run(f"%%agent -s {session} -m hello\nFree?").ok().status == "ok"


def test_a_new_session_and_the_names_that_it_may_have_meant_are_said(kernel, session):
    kernel.run(f"%%agent -s {session}-long-name -m hello\nHi.").ok()
    cell = kernel.run(f"%%agent -s {session}-long-nam --compare hello recalls\nHi.").ok()
    assert f"new session '{session}-long-nam'; did you mean" in cell.text


def test_calls_that_wait_are_listed_with_their_column(kernel, session):
    for name in ("uno", "dos"):
        kernel.run(f"script({name!r}, call('run_python_isolated', code='1'), 'Done.');").ok()
    cell = kernel.send(f"%%agent -b -s {session} --compare uno dos --blind\nGo.")
    cell.until_shows("run_python_isolated").until(lambda cell: str(cell.widgets).count("Approve") > 1)
    listed = kernel.run("%agent approve").ok().text
    kernel.run(f"%agent stop {session}").ok()
    assert all(f" {letter} " in listed for letter in "AB")
    assert "uno" not in listed


def test_everything_that_is_approved_in_one_column_runs_in_all_and_is_said(kernel, session, tmp_path):
    needs_clicks(kernel)
    go = tmp_path / "go"
    code = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)"
    for name in ("uno", "dos"):
        kernel.run(f"script({name!r}, call('run_python_isolated', code={code!r}), 'Done.');").ok()
    cell = kernel.send(f"%%agent -s {session} --compare uno dos\nGo.").until_asks(2)
    kernel.click(cell.button(ALWAYS_EVERYTHING))
    kernel.click(cell.button(RUN_EVERYTHING))
    cell.until_shows("calls run unasked").until(lambda cell: "Ask again" in str(cell.widgets))
    go.touch()
    cell.wait().ok()
    assert cell.html.count("✓ run_python_isolated") == 2
    assert UNASKED.format(until=KERNEL_ENDS, session=session, safety="balanced") in unescape(cell.html)


def test_a_comparison_that_waits_in_the_background_lets_its_cell_end(kernel, session):
    running = kernel.run(f"%%agent -b -s {session} -m hang\nHold it.").ok()
    running.until_shows("partial answer")
    waiting = kernel.run(f"%%agent -b --wait -s {session} --compare hello recalls\nHi.").ok()
    refused = kernel.run(f"%%agent -b --wait -s {session} --compare hello nosuch:model\nHi.").ok()
    kernel.run(f"%agent stop {session}").ok()
    waiting.until_shows("2. recalls")
    refused.until_shows("ModelReferenceError: unknown provider")


def test_an_answer_that_is_kept_blind_with_its_model_is_not_named(kernel, session):
    kernel.run(f"%%agent -s {session} --compare hello recalls --blind\nWho are you?").ok()
    said = kernel.run(f"%agent keep A -s {session} --model").ok().text
    assert said.strip().endswith("; its model answers")


def test_what_a_judge_said_stays_when_the_user_votes(kernel, session):
    kernel.run("script('ties', 'VERDICT: tie', each_turn=True);").ok()
    cell = kernel.run(f"%%agent -s {session} --compare hello recalls --blind --judge ties\nHi.").ok()
    comparison, *votes = cell.everything  # a vote takes the place of the others
    assert "judge ties: 1 pair" in comparison["data"]["text/html"]
    assert "judge ties" not in str(votes)
