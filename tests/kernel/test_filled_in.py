"""Values of the notebook in the options of `%%agent` and `%agent`."""

import pytest

pytestmark = pytest.mark.once


def test_options_have_the_values_of_variables_and_the_prompt_stays_as_typed(kernel, session):
    kernel.run(f"name, model, wait = '{session} of May', 'recalls', 5").ok()
    cell = kernel.run("%%agent -s {name} --model $model --timeout {wait:.1f}\nHi {name} $model").ok()
    assert cell.answer["data"]["text/plain"] == "user-prompt: Hi {name} $model"
    assert kernel.value("_agent.session") == repr(f"{session} of May")
    assert "values: name, model, wait" in cell.html
    assert f"{session} of May: recalls" in kernel.run("%agent model -s $name").ok().text


@pytest.mark.parametrize("line", ["-s {nowhere}", "-s $nowhere", "-s $`nowhere`", "-s {open('x', 'w')}"])
def test_name_without_a_value_is_an_error_and_stores_nothing(kernel, session, line):
    before = kernel.run("%agent sessions").ok().text
    cell = kernel.run(f"%%agent -m hello {line}-{session}\nhi")
    assert cell.ename == "UsageError"
    assert "nowhere" in cell.evalue or "uses open" in cell.evalue
    assert "\n" not in cell.traceback
    assert kernel.run("%agent sessions").ok().text == before
    assert kernel.run("%agent use {nowhere}").ename == "UsageError"


def test_instructions_have_values_unless_they_are_raw(kernel, session):
    kernel.run("language = 'French'").ok()
    kernel.run(f"%%agent -m recalls -s {session} --system 'Answer in {{language}}, $language.'\nhi").ok()
    assert "system: Answer in French, French." in kernel.run(f"%agent show {session} --sent").ok().text
    kernel.run(f"%%agent -m recalls -s {session} --raw --system 'Answer in {{language}}.'\nhi").ok()
    assert "Answer in {language}." in kernel.run(f"%agent show {session} --sent").ok().text
    said = kernel.run(f"%agent set -s {session} --system 'Answer in {{language}}.' seed={{len(language)}}").ok().text
    assert f"{session}: seed=6 --system 'Answer in French.'" in said


def test_lines_within_a_function_have_its_variables(kernel, session):
    kernel.run(f"%%agent -m hello -s {session}\nhi").ok()
    code = f"def name_of(x):\n    %agent model -s $x\nname_of('{session}')"
    assert f"{session}: hello" in kernel.run(code).ok().text


def test_text_that_is_taken_unchanged_keeps_its_braces(kernel, session):
    kernel.run(f"%%agent -m recalls -s {session}\nhi").ok()
    cell = kernel.run(f"%agent queue -s {session} write {{nowhere}} for $nowhere")
    cell.ok().until_shows("write {nowhere} for $nowhere")
    assert "nothing was found for {nowhere}x" in kernel.run("%agent search {nowhere}x").ok().text
