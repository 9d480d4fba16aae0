"""`%agent fix`: what is asked about the cell that failed last, and what is proposed."""

import pytest

from tests.kernel.cells import WIDGET

pytestmark = pytest.mark.once

FAILED = "total = numbers['prise']\nprint('it ran')"
FIXED = "total = numbers['price']\nprint('it ran')"
ANSWER = f"It is a typo, as in `prise`:\n```python\n'prise'\n```\nSo:\n```python\n{FIXED}\n```\n"


def proposed(cell):
    return [(payload["text"], payload["replace"]) for payload in cell.reply["payload"]]


def sent(kernel):
    """Return the last prompt of the latest request, with all that was attached to it."""
    return eval(
        kernel.value(
            "[p.content for m in fixer.sent[-1] for p in m.parts if p.part_kind == 'user-prompt'][-1]",
        )
    )


def fixes(kernel, answer=ANSWER):
    kernel.run(f"fixer = script('fixer', {answer!r})").ok()


@pytest.fixture
def failed(kernel):
    kernel.run("import math\nnumbers = {'price': [1, 2]}").ok()
    fixes(kernel)
    cell = kernel.run(FAILED, cell_id="failing")
    assert cell.ename == "KeyError"
    return cell


def test_the_corrected_cell_is_proposed_below_with_the_difference_and_does_not_run(kernel, session, failed):
    cell = kernel.run(f"%agent fix -m fixer -s {session}").ok()
    assert proposed(cell) == [(FIXED, False)]
    assert f"a new cell, not run yet; the difference to cell In [{failed.number}]:" in cell.text
    (shown,) = cell.contents("execute_result")
    assert "-total = numbers['prise']\n+total = numbers['price']\n print('it ran')" in shown["data"]["text/plain"]
    assert "<del" in shown["data"]["text/html"]
    assert "\nit ran" not in cell.text


def test_the_model_is_told_the_cell_its_error_and_its_variables(kernel, session, failed):
    cell = kernel.run(f"%agent fix -m fixer -s {session}").ok()
    assert sent(kernel).startswith(
        f"Why did cell In [{failed.number}] fail? Fix it.\n\n"
        f"The code of cell In [{failed.number}]:\n\n{FAILED}\n\n"
        f"Its error:\n\nCell In[{failed.number}], line 1, in <module>: total = numbers['prise']\nKeyError: 'prise'\n\n"
        "Variables that it names:\n\nnumbers: dict of length 1\n{'price': [1, 2]}\n\n"
        "The answer:\n\nSay in a sentence or two what is wrong."
    )
    assert "values: numbers" in cell.html


@pytest.mark.usefixtures("failed")
def test_words_after_it_are_asked_with_the_options_of_a_cell(kernel, session):
    kernel.run(f"%agent fix -m fixer -s {session} -o fixed Isn't this $`1 + 1`?").ok()
    assert sent(kernel).startswith("Isn't this 2?\n\nThe code of cell")
    assert kernel.value("(fixed.session, fixed.status)") == f"('{session}', 'completed')"


def test_where_nothing_failed_it_says_so_in_one_line(start):
    cell = start().run("%agent fix").ok()
    assert cell.text.startswith("no cell has failed in this kernel")
    assert cell.text.count("\n") == 1
    assert proposed(cell) == []


@pytest.mark.usefixtures("failed")
def test_a_cell_that_has_run_since_without_an_error_has_not_failed_last(kernel, session):
    kernel.run("numbers", cell_id="another").ok()
    assert proposed(kernel.run(f"%agent fix -m fixer -s {session}").ok())
    kernel.run("numbers", cell_id="failing").ok()
    assert "has run since" in kernel.run(f"%agent fix -m fixer -s {session}").ok().text


@pytest.mark.usefixtures("failed")
def test_cells_of_the_agent_interrupts_and_code_of_a_model_do_not_count(kernel, session, acts):
    assert kernel.run("%agent nonsense").status == "error"
    assert kernel.run(f"%%agent -m fails -s {session}\nhi").status == "error"
    assert kernel.run("x = get_ipython().run_line_magic('agent', 'nonsense')").status == "error"
    assert kernel.run("raise KeyboardInterrupt").status == "error"
    acts([("run_python", {"code": "1 / 0"})], "Done.")
    kernel.run(f"%%agent -m acts --yes -s {session}\ngo").ok()
    kernel.run(f"%agent fix -m fixer -s {session}").ok()
    assert FAILED in sent(kernel)


def test_a_cell_that_is_no_valid_python(kernel, session):
    kernel.run("numbers = [1]").ok()
    fixes(kernel, "```python\nlen(numbers)\n```")
    kernel.run("len(numbers")
    cell = kernel.run(f"%agent fix -m fixer -s {session}").ok()
    assert "Its error:\n\nline 1: len(numbers\nSyntaxError: " in sent(kernel)
    assert "numbers: list of length 1" in sent(kernel)
    assert proposed(cell) == [("len(numbers)", False)]


@pytest.mark.usefixtures("failed")
def test_replace_changes_the_cell_that_failed_if_it_stands_in_it(kernel, session):
    cell = kernel.run(f"%agent fix --replace -m fixer -s {session}", cell_id="failing").ok()
    assert proposed(cell) == [(FIXED, True)]
    assert "the corrected code is in this cell, not run yet" in cell.text
    assert "+total = numbers['price']" in cell.text


def test_replace_in_another_cell_says_how_the_one_that_failed_can_be_changed(kernel, session, failed):
    cell = kernel.run(f"%agent fix --replace -m fixer -s {session}", cell_id="another").ok()
    assert proposed(cell) == [(FIXED, False)]
    assert f"to change cell In [{failed.number}] itself, run %agent fix --replace in it" in cell.text


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("I do not know.", "the answer has no Python code"),
        (f"```python\n{FAILED}\n```", "the answer repeats"),
    ],
)
@pytest.mark.usefixtures("failed")
def test_an_answer_that_changes_nothing_proposes_nothing(kernel, session, answer, why):
    fixes(kernel, answer)
    cell = kernel.run(f"%agent fix -m fixer -s {session}").ok()
    assert proposed(cell) == []
    assert f"{why}" in cell.text
    assert "nothing is proposed" in cell.text


@pytest.mark.usefixtures("failed")
def test_a_turn_that_fails_proposes_nothing(kernel, session):
    cell = kernel.run(f"%agent fix -m fails -s {session}")
    assert (cell.status, cell.reply.get("payload", [])) == ("error", [])


def test_keys_are_left_out_and_stay_in_the_proposed_cell(kernel, session):
    key = "sk-proj-Zx81kq0PLm7vTn3RcWf9Yd2HbJs5GaQe4Ui6Ko"
    kernel.run(f"password = 'hunter2!'\nkeys = ['{key}']").ok()
    kernel.run(f"api_key = '{key}'\nlen(password, keys)\n1 / 0")
    kernel.run(
        "def repeat(messages):\n"
        "    code = messages[-1].parts[-1].content.split('\\n\\n')[2]\n"
        "    return '```python\\n' + code.replace('len(password, keys)', 'len(password)') + '\\n```'\n"
        "fixer = script('fixer', repeat)"
    ).ok()
    cell = kernel.run(f"%agent fix -m fixer -s {session}").ok()
    assert "hunter2" not in sent(kernel)
    assert key not in sent(kernel)
    assert proposed(cell) == [(f"api_key = '{key}'\nlen(password)\n1 / 0", False)]
    assert key not in str(cell.messages[1:])


def test_a_long_cell_and_large_variables_are_sent_in_part(kernel, session):
    kernel.run(
        "large = list(range(10**5)); text = 'word ' * 10**5; many = {f'v{n}': 'x ' * 500 for n in range(20)}"
    ).ok()
    kernel.run("globals().update(many)").ok()
    fixes(kernel)
    kernel.run(f"1 / 0 # {'long ' * 10_000}\nlarge, text, {', '.join(f'v{n}' for n in range(20))}")
    kernel.run(f"%agent fix -m fixer -s {session}").ok()
    assert len(sent(kernel)) < 35_000
    assert "large: list of length 100,000" in sent(kernel)
    assert "more characters]" in sent(kernel)


@pytest.mark.usefixtures("failed")
def test_a_model_is_not_offered_to_insert_the_cell_itself(kernel, session):
    kernel.run("fixer = script('fixer', lambda messages: 'Hm.')").ok()
    kernel.run(f"%agent fix -m fixer -s {session}").ok()
    context = kernel.run(f"%agent show {session} --sent").ok().text
    assert "run_python" in context
    assert "insert_cell" not in context


@pytest.mark.usefixtures("failed")
def test_in_a_runner_the_answer_has_the_code(kernel, session):
    cell = kernel.run(f"%agent fix -m fixer -s {session}", allow_stdin=False).ok()
    assert proposed(cell) == []
    assert "no cell was added" in cell.text
    assert FIXED in cell.text
    assert WIDGET not in str(cell.messages)


@pytest.mark.usefixtures("failed")
def test_asking_again_in_the_same_cell_continues_the_session(kernel, session):
    for _ in range(2):
        kernel.run(f"%agent fix -m fixer -s {session}", cell_id="asking").ok()
    assert kernel.value(f"len([s for s in get_ipython().run_line_magic('agent', 'sessions {session}')][0:1])") == "1"
    text = kernel.run(f"%agent branches {session}").ok().text
    assert "aside" not in text
