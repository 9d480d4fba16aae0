"""Values of the notebook in prompts, and in the options of `%%agent` and `%agent`."""

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


def test_prompt_has_values_in_a_format_and_the_text_itself_after_a_backslash(kernel, session):
    kernel.run("price = 3.14159").ok()
    cell = kernel.run(f"%%agent -m recalls -s {session}\n$`price:.2f` \\$`price` $`price`$").ok()
    assert cell.answer["data"]["text/plain"] == "user-prompt: 3.14 $`price` $`price`$"


def test_what_is_cut_of_a_table_is_said_to_the_model_and_under_the_cell(kernel, session):
    kernel.run("import pandas\nframe = pandas.DataFrame({f'c{n}': range(1_000_000) for n in range(3)})").ok()
    cell = kernel.send(f"%%agent -m hang -s {session}\n$`frame`")
    cell.until_shows("values: frame (5 of 1,000,000 rows)")
    kernel.interrupt()
    assert "values: frame (5 of 1,000,000 rows)" in cell.wait().html
    cell = kernel.run(f"%%agent -m recalls --once -s {session}x --attach frame\nlook").ok()
    assert "values: frame (5 of 1,000,000 rows)" in cell.html
    assert "DataFrame of 1,000,000 rows and 3 columns" in cell.text
    assert "c0: int64, 0 nulls, 0 – 999999" in cell.text
    assert "values: frame (5 of 1,000,000 rows)" in kernel.run(f"%agent show {session}x").ok().html


def test_size_of_values_is_an_option_and_a_default(kernel, session):
    kernel.run("long = 'word ' * 400").ok()
    cell = kernel.run(f"%%agent -m recalls -s {session} --value-limit 500\n$`long`").ok()
    assert "[cut: 1,500 more characters]" in cell.text
    assert "values: long (500 of 2,000 characters)" in cell.html
    kernel.run("%config AgentMagics.value_limit = 1000").ok()
    try:
        cell = kernel.run(f"%%agent -m recalls -s {session}x\n$`long`").ok()
    finally:
        kernel.run("%config AgentMagics.value_limit = 20_000").ok()
    assert "values: long (1,000 of 2,000 characters)" in cell.html
    cell = kernel.run(f"%%agent -m recalls -s {session}y --value-limit 5\n$`long`")
    assert (cell.ename, "at least 100" in cell.evalue) == ("UsageError", True)


def test_figure_in_a_prompt_is_sent_as_a_picture(kernel, session):
    kernel.run(
        "from matplotlib.figure import Figure\nplot = Figure(figsize=(1, 1))\nplot.subplots().plot([1, 2]);"
    ).ok()
    cell = kernel.run(f"%%agent -m recalls -s {session}\nWhat does $`plot` show?").ok()
    assert "What does [picture: plot] show?" in cell.text
    assert "values: plot" in cell.html
    sent = kernel.value("[type(each).__name__ for each in _agent.messages[0].parts[0].content]")
    assert "Binary" in sent
    cell = kernel.run(f"%agent queue -s {session} And $`plot`?").ok()
    cell.until_shows("And [picture: plot]?")


def test_picture_in_a_message_is_an_error(kernel, session, pen):
    kernel.run("from matplotlib.figure import Figure\nplot = Figure(figsize=(1, 1))").ok()
    kernel.run(f"%%agent -b -m dictated -s {session}\n{pen}").ok()
    told = kernel.run(f"%agent steer -s {session} see $`plot`")
    assert (told.ename, "is a picture" in told.evalue) == ("PromptError", True)
    pen.end()
