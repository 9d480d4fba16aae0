"""Cells that ask for a value of a type."""

import json

import pytest

from tests.kernel.conftest import restarted

pytestmark = pytest.mark.once

TYPES = """
from pydantic import BaseModel
class Person(BaseModel):
    name: str
    age: int = 3
script("ada", call("final_result", name="Ada <b>", age=36))
script("bob", '{"name": "Bob"}')
script("people", '{"value": [{"name": "Ada", "age": 36}, {"name": "Bob", "age": 7}]}')
script("prose", "I do not know")
script("begins", ['{"name": "Adalbert", "age": 3', hang()])
"""


@pytest.fixture(autouse=True)
def _types(kernel):
    kernel.run(TYPES).ok()


def test_a_cell_gives_a_value_and_shows_a_table(kernel, session):
    cell = kernel.run(f"%%agent --model ada --type Person -s {session} -o person\nWho?").ok()
    assert "Ada &lt;b&gt;" in cell.html
    assert "final_result" not in cell.html + cell.area
    assert cell.answer["data"]["text/plain"] == "field  value\nname   Ada <b>\nage    36"
    assert "| name | Ada \\<b\\> |" in cell.answer["data"]["text/markdown"]
    assert kernel.value("person.value, person is _agent") == "(Person(name='Ada <b>', age=36), True)"
    assert json.loads(kernel.run("print(_agent)").ok().text) == {"name": "Ada <b>", "age": 36}
    assert "name   Ada <b>" in kernel.run(f"%agent show {session}").ok().text


def test_a_list_of_records_is_a_table_and_a_frame(kernel, session):
    pytest.importorskip("pandas")
    cell = kernel.run(f"%%agent --model people --type list[Person] -s {session}\nWho?").ok()
    assert cell.answer["data"]["text/plain"] == "name  age\nAda   36\nBob   7"
    assert kernel.value("_agent.to_frame()['age'].tolist()") == "[36, 7]"


def test_fields_are_shown_while_they_come(kernel, session):
    cell = kernel.send(f"%%agent --model begins --type Person -s {session}\nWho?")
    cell.until_shows("Adalbert")
    assert "{" not in cell.words
    kernel.interrupt()
    cell.wait().until_shows('{"name": "Adalbert"')


@pytest.mark.usefixtures("subshells")
def test_a_tool_is_approved_by_click_before_the_value_is_given(kernel, session):
    kernel.run("script('acts', call('run_python', code='moved = 5'), call('final_result', name='Ada'));").ok()
    cell = kernel.send(f"%%agent -m acts -s {session} --type Person\nGo.").until_asks()
    kernel.click(cell.button("Approve"))
    cell.wait().ok()
    assert kernel.value("moved, _agent.value") == "(5, Person(name='Ada', age=3))"
    assert "final_result" not in cell.html + cell.area


@pytest.mark.parametrize(
    ("expression", "why"),
    [("Persn", "'Persn' is not defined"), ("3", "3 is not a type"), ("open('x')", "uses open")],
)
def test_what_is_no_type_is_an_error_before_anything_is_stored(kernel, session, expression, why):
    cell = kernel.run(f'%%agent -m ada -s {session} --type "{expression}"\nWho?')
    assert cell.ename == "UsageError"
    assert cell.evalue.startswith("--type needs a type")
    assert why in cell.evalue
    assert session not in kernel.run("%agent sessions").ok().text


def test_an_answer_that_does_not_fit_fails_the_cell_and_keeps_the_prompt(kernel, session):
    cell = kernel.run(f"%%agent -m prose -s {session} --type Person\nWho is it?")
    assert cell.ename == "TurnFailedError"
    assert "the answer does not fit Person" in cell.evalue
    assert "Who is it?" in kernel.run(f"%agent show {session}").text


def test_the_value_is_there_after_a_restart(kernel, session):
    line = f"%%agent -m ada -s {session} --type Person --reuse\nWho?"
    kernel.run(line, cell_id="c").ok()
    restarted(kernel)
    assert "name   Ada <b>" in kernel.run(f"%agent show {session}").ok().text
    kernel.run(TYPES).ok()
    kernel.run(line, cell_id="c").ok()
    assert kernel.value("_agent.value, _agent.reused") == "(Person(name='Ada <b>', age=36), True)"


def test_a_comparison_has_the_fields_in_its_table(kernel, session):
    pytest.importorskip("pandas")
    cell = kernel.run(f"%%agent -s {session} --compare ada bob --type Person\nWho?").ok()
    [output] = cell.everything
    lines = output["data"]["text/plain"].splitlines()
    (head,) = [at for at, line in enumerate(lines) if "first text" in line]
    assert [line.split()[-2:] for line in lines[head : head + 3]] == [["name", "age"], ["<b>", "36"], ["Bob", "3"]]
    assert kernel.value("_agent.to_frame()['age'].tolist()") == "[36, 3]"


def test_a_grid_has_the_fields_as_columns(kernel, session):
    pytest.importorskip("pandas")
    kernel.run("questions = ['Who?']").ok()
    line = f"rows = %agent compare --prompts questions --models ada bob prose --type Person --name {session}"
    kernel.run(line).ok()
    values = "[Person(name='Ada <b>', age=36), Person(name='Bob', age=3), None]"
    assert kernel.value("[row.value for row in rows]") == values
    assert kernel.value("rows.to_frame()['name'].tolist()[:2]") == "['Ada <b>', 'Bob']"
    assert "--type needs a type" in kernel.run(line.replace("Person", "Nobody")).evalue


def test_types_are_completed(kernel):
    assert kernel.complete("%%agent --type Pers") == ["%%agent --type Person"]
    assert "%agent compare --type Person" in kernel.complete("%agent compare --type Pe")
