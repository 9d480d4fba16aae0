"""What bounds a turn in a kernel: how much it may do, and how much of what it finds the model reads."""

import pytest

from tests.kernel.acting import acts, asked, told

pytestmark = pytest.mark.once


@pytest.fixture
def limit(kernel):
    """Set a limit for the test."""

    def limit(name, value):
        kernel.run(f"%config AgentMagics.{name} = {value}").ok()

    yield limit
    limit("request_limit", 50)
    limit("tool_call_limit", 50)


def appends(n):
    return ("run_python", {"code": f"ran.append({n})"})


def inspected(kernel, session, name):
    """What the model is told of a variable, and the cell in which it asked."""
    acts(kernel, [("inspect_variable", {"name": name})], "Done.")
    cell = kernel.run(f"%%agent -m acts -s {session}\ngo").ok()
    ((_, outcome, text),) = told(kernel)
    assert outcome == "success"
    return text, cell


@pytest.mark.parametrize(
    ("name", "what", "steps"),
    [
        ("request_limit", "model requests", [[appends(1)], [appends(2)], [appends(3)]]),
        ("tool_call_limit", "tool calls", [[appends(1), appends(2), appends(3)]]),
    ],
)
def test_a_limit_stops_the_turn_and_the_next_cell_goes_on(kernel, session, limit, name, what, steps):
    limit(name, 2)
    kernel.run("ran = []").ok()
    acts(kernel, *steps, "Done.")
    cell = kernel.run(f"%%agent -m acts -s {session} --yes\ngo")
    assert (cell.status, cell.ename) == ("error", "TurnLimitError")
    assert cell.traceback == f"TurnLimitError: stopped after 2 {what}; send another prompt to continue"
    assert cell.evalue not in cell.html  # the cell says it once, in its error
    assert kernel.value("ran, _agent.status") == "([1, 2], 'limit')"
    assert "Done." in kernel.run(f"%%agent -s {session} --yes\nGo on.").ok().text
    assert asked(kernel) == ["go", "Go on."]
    assert [outcome for _, outcome, _ in told(kernel)][:2] == ["success", "success"]
    assert kernel.value("_agent.status") == "'completed'"


def test_a_limit_that_is_raised_holds_for_the_next_turn(kernel, session, limit):
    limit("request_limit", 1)
    acts(kernel, [("list_variables", {})], "Done.")
    assert kernel.run(f"%%agent -m acts -s {session}\ngo").ename == "TurnLimitError"
    limit("request_limit", 2)
    acts(kernel, [("list_variables", {})], "Done.")
    assert "Done." in kernel.run(f"%%agent -m acts -s {session}\ngo").ok().text


def test_an_array_is_described_by_shape_type_and_numbers(kernel, session):
    kernel.run("import numpy\ngrid = numpy.arange(12).reshape(3, 4) * 1.5").ok()
    text, _ = inspected(kernel, session, "grid")
    assert "shape (3, 4)" in text
    assert "float64" in text
    assert "16.5" in text
    assert "min 0.0, max 16.5, mean 8.25" in text


@pytest.mark.parametrize("frame", ["pandas.DataFrame(index=[1, 2])", "Broken()"])
def test_a_variable_without_description_or_statistics_is_told_by_what_it_has(kernel, session, frame):
    kernel.run(
        "import pandas\nclass Broken:\n    columns = dtypes = ['x']\n    shape = (1, 1)\n"
        "    def head(self, rows): raise RuntimeError('no head')\n    def describe(self): raise KeyError('x')"
    ).ok()
    kernel.run(f"odd = {frame}").ok()
    text, _ = inspected(kernel, session, "odd")
    assert text.startswith(f"odd: {'DataFrame of shape (2, 0)' if 'pandas' in frame else 'Broken of shape (1, 1)'}\n")
    assert "no statistics: " in text


def test_a_large_array_is_described_by_its_first_rows_however_arrays_are_printed(kernel, session):
    kernel.run("import numpy\ngrid = numpy.arange(100_000).reshape(-1, 10)\nbefore = numpy.get_printoptions()").ok()
    kernel.run("numpy.set_printoptions(threshold=10**9)").ok()
    try:
        text, _ = inspected(kernel, session, "grid")
    finally:
        kernel.run("numpy.set_printoptions(**before)").ok()
    assert "shape (10000, 10)" in text
    assert "990 991 992" in text
    assert "1000 1001" not in text


def test_a_million_rows_are_described_quickly_and_in_bounded_size(kernel, session):
    kernel.run(
        "import time, numpy, pandas\n"
        "n = numpy.arange(1_000_000)\n"
        "frame = pandas.DataFrame({'age': n % 90, 'churn_rate': n / 7, 'city': numpy.where(n % 2, 'Rome', 'Oslo')})"
    ).ok()
    before = float(kernel.value("time.process_time()"))
    text, _ = inspected(kernel, session, "frame")
    assert "1,000,000 rows and 3 columns" in text
    assert "churn_rate: float64" in text
    assert "Oslo" in text
    assert "44.49" in text  # the mean age
    assert len(text) < 2_000
    assert float(kernel.value("time.process_time()")) - before < 5


def test_a_gigabyte_of_text_is_bounded_and_the_kernel_lives(kernel, session):
    kernel.run("def flood() -> str:\n    'Say much.'\n    return '0123456789' * 100_000_000").ok()
    acts(kernel, [("flood", {})], "Done.")
    cell = kernel.run(f"%%agent -m acts -s {session} -t flood --yes\ngo").ok()
    assert "Done." in cell.text
    ((_, outcome, text),) = told(kernel)
    assert outcome == "success"
    assert text.startswith("0123456789")
    assert text.endswith("0123456789")
    assert "[cut: 999,980,000 characters]" in text
    assert len(text) < 25_000
    assert len(cell.html) < 60_000
    assert kernel.value("1 + 1") == "2"
