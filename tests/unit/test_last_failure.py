"""What is known of the cell that failed last: where its error was raised, and the variables that it names."""

import json
import math
from types import SimpleNamespace

import pytest
from IPython.core.compilerop import CachingCompiler

from sessionmagic.notebook.kernel.last_failure import trace_of, variables_in


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("b + a + b", ["b", "a"]),
        ("x.a = 1", []),
        ("f(a, key=b", ["a", "b"]),
        ("math.pi + _hidden + unknown", []),
        ("f'{a}'", ["a"]),
        ("ab = ä", ["ä"]),
    ],
)
def test_variables_are_those_that_code_names_in_its_order(code, names):
    namespace = {"a": 1, "b": 2, "ä": 3, "math": math, "_hidden": 4}
    assert [name for name, _ in variables_in(code, namespace, {"_hidden": 4})] == names


def raised(code):
    """Return the trace of a cell with this code."""
    shell = SimpleNamespace(compile=CachingCompiler())
    try:
        name = shell.compile.cache(code, 7, code)
        exec(compile(code, name, "exec"), {"json": json})  # noqa: S102
    except Exception as error:  # noqa: BLE001
        return trace_of(error, shell).splitlines()
    raise AssertionError


def test_trace_begins_in_the_cell_and_names_libraries_without_their_folders():
    first, *_, last, error = raised("x = 1\njson.loads('{')")
    assert first.endswith("line 2, in <module>: json.loads('{')")
    assert first.startswith("Cell ")
    assert last.startswith("json/decoder.py, line ")
    assert error.startswith("json.decoder.JSONDecodeError: ")


def test_a_deep_trace_is_cut_in_its_middle():
    lines = raised("def f(n):\n    return f(n - 1) if n else 1 / 0\nf(100)")
    assert len(lines) == 2 * 8 + 2
    assert lines[8] == "[86 more]"
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_cause_of_an_error_is_told():
    assert raised("raise ValueError('no') from KeyError('x')")[1:] == ["ValueError: no", "caused by KeyError: 'x'"]


def test_error_whose_text_cannot_be_had_is_told_by_its_type():
    code = "class Bad(Exception):\n    def __str__(self): raise RuntimeError\nraise Bad"
    assert raised(code)[-1].startswith("Bad: ")
