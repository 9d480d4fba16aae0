"""A cell that asks for a value of a type."""

import json

TYPES = """
from pydantic import BaseModel
class Person(BaseModel):
    name: str
    age: int = 3
from typing import Literal, Any
script("person", call("final_result", name="Ada <b>", age=36))
script("people", '{"value": [{"name": "Ada"}, {"name": "Bob", "age": 7}]}')
"""


def test_cell_gives_a_value_and_shows_a_table(kernel, session):
    kernel.run(TYPES).ok()
    cell = kernel.run(f"%%agent --model person --type Person -s {session}\nWho?").ok()
    assert "Ada &lt;b&gt;" in cell.html
    assert "final_result" not in cell.html
    assert "name   Ada <b>" in cell.text
    assert kernel.run("print(repr(_agent.value))").ok().text == "Person(name='Ada <b>', age=36)\n"
    assert json.loads(kernel.run("print(_agent)").ok().text) == {"name": "Ada <b>", "age": 36}
    shown = kernel.run(f"%agent show {session}").ok()
    assert "name   Ada <b>" in shown.text
