"""`%agent compare`: many prompts for several models."""

import pytest

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("questions")]

COMPARE = "%agent compare --prompts questions --models hello {} --name {}"


@pytest.fixture
def questions(kernel):
    kernel.run("questions = ['How many?', 'How much?', 'How long?']").ok()


def test_a_grid_shows_its_progress_and_keeps_its_answers(kernel, session):
    cell = kernel.run(COMPARE.format("recalls --repeat 2", session) + " --out results").ok()
    [line, table] = cell.everything
    assert "12 of 12 answered" in line["data"]["text/plain"]
    assert "recalls" in table["data"]["text/html"]
    assert kernel.value("len(results), results[0].answer, results.asked") == "(12, 'Hello **world**', 12)"
    again = kernel.run("again = " + COMPARE.format("recalls --repeat 2", session)).ok()
    assert len(again.everything) == 1
    assert kernel.value("again.asked, len(again)") == "(0, 12)"


def test_an_interrupted_grid_leaves_its_rows_and_goes_on_later(kernel, session):
    cell = kernel.send(COMPARE.format("hang", session) + " --out partly")
    after = kernel.send("1 + 1")
    cell.until_shows("3 of 6 answered")
    kernel.interrupt()
    cell.wait()
    after.wait()
    assert cell.ename == "KeyboardInterrupt"
    assert "3 of 6 rows are in partly" in cell.evalue
    assert after.status == "aborted"
    assert kernel.value("len(partly), {row.model for row in partly}") == "(3, {'hello'})"
    kernel.run(COMPARE.format("recalls", session) + " --out whole").ok()
    assert kernel.value("len(whole), whole.asked") == "(6, 3)"


def test_a_grid_that_a_limit_stops_ends_its_cell_with_an_error_and_keeps_its_rows(kernel, session):
    kernel.run("%config AgentMagics.prices = {'hello': [1e6, 1e6]}\n%config AgentMagics.budget = 0.01").ok()
    try:
        with kernel.held_up():
            cell = kernel.send(COMPARE.format("", session) + " --out some")
            after = kernel.send("1 + 1")
        cell.wait()
        after.wait()
    finally:
        kernel.run("%config AgentMagics.budget = None\n%config AgentMagics.prices = {}").ok()
    assert (cell.ename, after.status) == ("TurnLimitError", "aborted")
    assert cell.evalue.startswith("1 of 3 rows is in some, because this kernel has spent ")
    assert "answered" in cell.html
    assert "this kernel has spent" not in cell.html
    assert "⚠ stopped before its end" in cell.html
    assert kernel.value("len(some), some.stopped != ''") == "(1, True)"


def test_a_judge_without_a_price_is_refused_before_the_answers_are_paid(kernel, session):
    kernel.run("%config AgentMagics.prices = {'hello': [1, 1], 'recalls': [1, 1]}").ok()
    try:
        cell = kernel.run(COMPARE.format("recalls", session) + " --judge dumb --max-cost 100")
    finally:
        kernel.run("%config AgentMagics.prices = {}").ok()
    assert cell.status == "error"
    assert "dumb has no known price, so the judge cannot keep to its budget" in cell.evalue


def test_scores_are_computed_in_the_kernel_and_their_errors_kept(kernel, session):
    kernel.run(
        "def length(answer, row):\n"
        "    if row.number == 2: raise ValueError('no length')\n"
        "    return {'length': len(answer), 'short': len(answer) < 20}"
    ).ok()
    cell = kernel.run(COMPARE.format("recalls", session) + " --score length --out scored").ok()
    assert "no length" in cell.text
    assert kernel.value("scored[0].scores['short'], scored[-1].score_error") == "(True, 'ValueError: no length')"
    assert "too few" in kernel.run("scored.summary('length')").ok().text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--prompts nowhere --models hello", "--prompts: nowhere is not a value"),
        ("--prompts questions --models nosuch:model", "nosuch"),
        ("--prompts questions --models hello --score questions", "give a function"),
        ("--prompts questions --models hello --max-cost 1", "has no known price"),
        ("--prompts questions", "needs --models"),
        ("--prompts [None] --models hello", "prompt 0 is missing"),
        ("--prompts questions --models hello --out 1x", "not a valid variable name"),
        ("--prompts questions --models hello --name ../../x", ""),
    ],
)
def test_bad_grids_are_one_line_errors(kernel, line, words):
    cell = kernel.run(f"%agent compare {line}")
    assert cell.status == "error"
    assert words in cell.evalue
    assert "\n" not in cell.evalue


def test_a_judge_that_fails_says_why_and_has_a_line_of_its_own(kernel, session):
    cell = kernel.run(COMPARE.format("recalls", session) + " --judge dumb").ok()
    assert "6 of 6 answered" in cell.text
    assert "0 of 6 verdicts · 6 failed" in cell.text
    assert "6 verdicts failed: dumb: RuntimeError: it broke" in cell.text


@pytest.mark.parametrize(
    ("models", "words"),
    [("hello dumb", "not judged: there are fewer than two answers"), ("hello", "only one model answers")],
)
def test_what_cannot_be_judged_is_said(kernel, session, models, words):
    cell = kernel.run(f"%agent compare --prompts questions --models {models} --judge recalls --name {session}")
    assert words in cell.text
    assert ("3 of 6 answered" in cell.text) is (models == "hello dumb")


def test_the_settings_and_instructions_of_the_kernel_hold(kernel, session):
    try:
        kernel.run("%config AgentMagics.model_settings = {'temperature': 0.3, 'seed': 7}").ok()
        kernel.run("%config AgentMagics.system = 'Be brief.'").ok()
        kernel.run(COMPARE.format("recalls", session) + " --set seed=8 --out configured").ok()
        assert kernel.value("dict(configured[0].settings)") == "{'temperature': 0.3, 'seed': 8}"
        kernel.run("%config AgentMagics.system = ''").ok()
        kernel.run(COMPARE.format("recalls", session) + " --set seed=8 --out configured").ok()
        assert kernel.value("configured.asked") == "6"
    finally:
        kernel.run("%config AgentMagics.model_settings = {}").ok()
        kernel.run("%config AgentMagics.system = ''").ok()


def test_an_interrupted_judge_can_be_asked_again_at_once(kernel, session):
    line = COMPARE.format("recalls", session) + " --out kept --judge "
    cell = kernel.send(line + "hang")
    cell.until_shows("0 of 6 verdicts · 6 open")
    kernel.interrupt()
    cell.wait()
    assert "judging interrupted; the answers are kept" in cell.evalue
    assert kernel.value("len(kept)") == "6"
    assert "judge recalls: 3 pairs" in kernel.run(line + "recalls").ok().text
