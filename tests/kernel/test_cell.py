"""What a `%%agent` cell shows, keeps and leaves behind."""

import json

from tests.kernel.cells import SOON


def test_the_answer_streams_in_the_live_area(kernel, session, pen):
    cell = kernel.send(f"%%agent -m dictated -s {session}\n{pen}")
    pen.write("first **words**")
    cell.until(lambda cell: "first <strong>words</strong>" in cell.area)
    assert not cell.done
    pen.write(" and more")
    cell.until_shows("and more")
    assert not cell.done
    pen.end()
    cell.wait().ok()


def test_the_live_area_says_at_once_what_is_going_on(kernel, session):
    cell = kernel.send(f"%%agent -m hang -s {session}\nhi")
    cell.until(lambda cell: cell.outputs)
    assert session in cell.words
    assert "hang" in cell.words
    assert cell.button("Stop")


def test_the_static_answer_takes_the_place_of_the_live_area(kernel, session):
    cell = kernel.run(f"%%agent -m hello -s {session}\nhi").ok()
    assert cell.widgets
    answer = cell.answer
    assert "Hello <strong>world</strong>" in answer["data"]["text/html"]
    assert answer["data"]["text/plain"] == "Hello **world**"
    assert answer["data"]["text/markdown"] == "Hello **world**"
    footer = cell.footer["data"]["text/html"]
    assert f"{session} · turn 1" in footer
    assert "tokens" in footer
    assert "unpriced" in footer
    saved = cell.footer["metadata"]["sessionmagic"]
    assert saved["session"] == session
    assert saved["turn"] == "1"
    assert saved["status"] == "completed"
    assert saved["output_tokens"] > 0
    json.dumps(saved)


def test_nothing_of_the_live_area_is_left_when_there_was_no_turn(kernel, session):
    for line, prompt in (("-m opnai:gpt-5.2", "hi"), ("-m hello", " "), ("--agent nobody", "hi"), ("-o 1x", "hi")):
        cell = kernel.run(f"%%agent -s {session} {line}\n{prompt}")
        assert cell.status == "error"
        assert [output["type"] for output in cell.outputs] == ["error"], line
    assert session not in kernel.run("%agent sessions").ok().text


def test_an_error_is_one_line_and_named_by_its_class(kernel, session):
    for code, name in (
        (f"%%agent -m opnai:gpt-5.2 -s {session}\nhi", "ModelReferenceError"),
        (f"%%agent -s {session}\n\n", "PromptError"),
        (f"%%agent -s {session}\n \n\t\n", "PromptError"),
        (f"%%agent -s {session}\n$`nothing_here`", "PromptError"),
        (f"%%agent -a nobody -s {session}\nhi", "UnknownAgentError"),
        (f"%%agent --modle hello -s {session}\nhi", "UsageError"),
        (f"%%agent -m fails -s {session}\nhi", "TurnFailedError"),
    ):
        cell = kernel.run(code)
        assert (cell.status, cell.ename) == ("error", name), code
        assert cell.traceback == f"{name}: {cell.evalue}"
        assert "\n" not in cell.traceback


def test_a_cell_without_a_body_is_refused_in_one_line(kernel, session):
    cell = kernel.run(f"%%agent -m hello -s {session}")
    assert (cell.status, cell.ename) == ("error", "UsageError")
    assert "body is empty" in cell.evalue
    assert len(cell.text.strip().splitlines()) == 1
    assert session not in kernel.run("%agent sessions").text


def test_the_cell_has_no_value_and_the_last_result_is_kept(kernel, session):
    cell = kernel.run(f"%%agent -m hello -s {session} --out kept\nhi").ok()
    assert not cell.contents("execute_result")
    assert kernel.value("str(kept)") == "'Hello **world**'"
    assert kernel.value("kept is _agent") == "True"
    assert kernel.value("kept.session, kept.turn, kept.status") == f"('{session}', '1', 'completed')"
    assert kernel.value("kept.usage.output_tokens > 0, kept.cost, len(kept.messages)") == "(True, None, 2)"


def test_a_failed_turn_keeps_what_was_said_and_its_result(kernel, session):
    cell = kernel.run(f"%%agent -m fails -s {session} -o broken\nhi")
    assert cell.ename == "TurnFailedError"
    answer, error = cell.outputs
    assert answer["data"]["text/plain"] == "some words"
    assert "■ failed" in answer["data"]["text/html"]
    assert "it broke" not in answer["data"]["text/html"]  # the error of the cell says so
    assert error["evalue"] == "fails: RuntimeError: it broke"
    assert kernel.value("broken.status, str(broken)") == "('failed', 'some words')"
    assert "it broke" in kernel.run(f"%agent show {session}").ok().html


def test_expressions_are_replaced_and_everything_else_is_sent_as_it_is(kernel, session):
    kernel.run("rows, name = [1, 2], 'Ada'").ok()
    prompt = "Dear $`name.upper()`: {name} {rows[0]} {{x}} $HOME $name `code` \\n %d $`len(rows)`!"
    cell = kernel.run(f"%%agent -m recalls -s {session}\n{prompt}\n  indented\n%magic\n!ls").ok()
    wanted = "Dear ADA: {name} {rows[0]} {{x}} $HOME $name `code` \\n %d 2!\n  indented\n%magic\n!ls"
    assert cell.answer["data"]["text/plain"] == f"user-prompt: {wanted}"


def test_what_was_evaluated_is_listed_while_the_turn_runs_under_the_answer_and_in_the_stored_turn(kernel, session):
    kernel.run("rows, name = [1, 2], 'Ada'").ok()
    cell = kernel.send(f"%%agent -m hang -s {session} --attach rows\n$`name` has $`len(rows)`, not $`x^2`$")
    cell.until(lambda cell: "values: name, len(rows), rows" in cell.area)
    kernel.interrupt()
    cell.wait()
    for html in (cell.html, kernel.run(f"%agent show {session}").ok().html):
        assert "values: name, len(rows), rows" in html


def test_an_expression_that_does_something_stores_nothing_and_raw_sends_it_as_typed(kernel, session):
    text = "$`open('made.txt', 'w')` {x} $`nothing`"
    for line in (f"%%agent -m recalls -s {session}\n{text}", f"%%agent -m recalls -s {session} --attach open('x')\n."):
        cell = kernel.run(line)
        assert (cell.ename, cell.traceback.count("\n")) == ("PromptError", 0)
        assert "uses open" in cell.evalue
        assert session not in kernel.run("%agent sessions").text
    cell = kernel.run(f"%%agent -m recalls -s {session} --raw\n{text}").ok()
    assert cell.answer["data"]["text/plain"] == f"user-prompt: {text}"
    assert "values" not in cell.html
    assert not (kernel.home / "made.txt").exists()


def test_a_value_without_a_readable_form_is_refused_in_one_line(kernel, session):
    kernel.run("class Odd:\n    def __repr__(self): raise ValueError('no form')\nodd = Odd()").ok()
    cell = kernel.run(f"%%agent -m hello -s {session}\n$`odd`")
    assert cell.ename == "PromptError"
    assert "odd" in cell.evalue
    assert "no form" in cell.evalue
    assert session not in kernel.run("%agent sessions").text


def test_files_and_values_are_attached(kernel, session, tmp_path):
    (tmp_path / "notes.md").write_text("remember the milk")
    kernel.run("import pandas\nframe = pandas.DataFrame({'age': range(1000)})").ok()
    cell = kernel.run(f"%%agent -m recalls -s {session} --attach {tmp_path}/notes.md --attach frame\nlook").ok()
    text = cell.answer["data"]["text/plain"]
    assert "look" in text
    assert "remember the milk" in text
    assert "1,000 rows" in text
    missing = kernel.run(f"%%agent -m recalls -s {session} --attach {tmp_path}/none.md\nlook")
    assert missing.ename == "PromptError"
    assert "none.md" in missing.evalue


def test_a_turn_that_takes_longer_than_its_timeout_fails(kernel, session):
    cell = kernel.run(f"%%agent -m hang -s {session} --timeout 1\nhi")
    assert cell.ename == "TurnTimeoutError"
    assert cell.seconds < SOON
    assert cell.outputs[0]["data"]["text/plain"] == "partial answer"
    again = kernel.run(f"%%agent -m recalls -s {session}\nand now?").ok()
    assert "partial answer" in again.text


def test_once_asks_another_model_for_one_turn(kernel, session):
    kernel.run(f"%%agent -m hello -s {session}\n1").ok()
    once = kernel.run(f"%%agent -m recalls --once -s {session}\n2").ok()
    assert "user-prompt: 2" in once.text
    after = kernel.run(f"%%agent -s {session}\n3").ok()
    assert after.answer["data"]["text/plain"] == "Hello **world**"
    assert "hello" in kernel.run(f"%agent model -s {session}").text


def test_new_starts_a_fresh_session_and_makes_it_the_active_one(kernel):
    kernel.run("%%agent -m recalls --new\nfirst").ok()
    one = kernel.value("_agent.session")
    kernel.run("%%agent -m recalls --new\nsecond").ok()
    two = kernel.value("_agent.session")
    assert one != two
    cell = kernel.run("%%agent\nthird").ok()
    assert kernel.value("_agent.session") == two
    assert "second" in cell.text
    assert "first" not in cell.text


def test_new_refuses_a_name_that_is_taken(kernel, session):
    kernel.run(f"%%agent -m hello --new -s {session}\nhi").ok()
    cell = kernel.run(f"%%agent -m hello --new -s {session}\nhi")
    assert cell.ename == "SessionExistsError"
    assert kernel.value("_agent.turn") == "'1'"


def test_cells_without_a_session_go_on_with_the_kernels_own(kernel):
    kernel.run("%%agent -m recalls --new\nremember me").ok()
    assert "remember me" in kernel.run("%%agent\nand now?").ok().text


def test_the_manual_is_one_question_mark_away(kernel):
    cell = kernel.run("%%agent?").ok()
    (page,) = cell.reply["payload"]
    manual = page["data"]["text/plain"]
    for said in ("--session", "--model", "--background", "--wait", "--attach", "$`expression`", "_agent"):
        assert said in manual


def test_loading_the_extension_twice_changes_nothing(kernel, session):
    kernel.run(f"%%agent -m recalls -s {session}\nbefore").ok()
    for line in ("%load_ext sessionmagic", "%reload_ext sessionmagic"):
        assert not [output for output in kernel.run(line).ok().outputs if output["type"] == "error"]
    assert "before" in kernel.run(f"%%agent -s {session}\nafter").ok().text
    assert kernel.complete("%agent sessi") == ["%agent sessions"]


def test_reasoning_is_folded_away(kernel, session):
    kernel.run("script('thinks', [think('let me see'), 'It is 4.'])").ok()
    cell = kernel.run(f"%%agent -m thinks -s {session}\n2 + 2?").ok()
    assert cell.answer["data"]["text/plain"] == "It is 4."
    assert "<details><summary>Reasoning</summary>" in cell.html
    assert "let me see" in cell.html
