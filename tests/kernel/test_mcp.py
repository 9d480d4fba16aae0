"""MCP servers in a real kernel: added with the line magic, their questions answered under the cell."""

import json
import sys
import time

import pytest

from tests.kernel.acting import acts
from tests.kernel.kernels import TESTS, comes_true
from tests.served import PIXEL

pytestmark = pytest.mark.once

SERVER = TESTS / "mcp_server.py"


@pytest.fixture(scope="module", autouse=True)
def _mcp():
    pytest.importorskip("fastmcp")


def told(kernel):
    return kernel.value("[p.content for m in model.sent[-1] for p in m.parts if p.part_kind == 'tool-return']")


@pytest.mark.usefixtures("server")
def test_a_tool_of_a_server_runs_and_is_listed(kernel, session):
    acts(kernel, [("tests__echo", {"text": "hi"})], "Done.")
    assert "Done." in kernel.run(f"%%agent -m acts -s {session} --yes\ngo").ok().text
    assert "hi" in told(kernel)
    listed = kernel.run("%agent tools").ok().text
    assert "tests__echo" in listed
    assert "running" in listed


@pytest.mark.usefixtures("server")
def test_tools_of_a_server_that_act_are_named_as_not_offered_in_a_comparison(kernel, session):
    cell = kernel.run(f"%%agent -s {session} --compare hello recalls\nWho are you?").ok()
    [note] = [line for line in cell.text.splitlines() if "not offered, because" in line]
    assert "tests__crash" in note


@pytest.mark.usefixtures("server")
def test_a_question_is_answered_with_a_form_under_the_cell(kernel, session):
    if not kernel.has_subshells:
        pytest.skip("this ipykernel has no subshells, so a click waits for the end of the cell")
    acts(kernel, [("tests__ask", {})], "Done.")
    cell = kernel.send(f"%%agent -m acts -s {session} --yes\ngo")
    cell.until(lambda cell: any(state.get("description") == "Answer" for state in cell.widgets.values()))
    assert "Where do you want to go?" in cell.words
    [city] = [key for key, state in cell.widgets.items() if state.get("tooltip") == "Where to"]
    kernel.type(city, "Rome")
    kernel.click(cell.button("Answer"))
    cell.wait().ok()
    assert "Rome" in told(kernel)


@pytest.mark.parametrize("view", ["widgets", "text"])
@pytest.mark.usefixtures("server")
def test_pictures_of_a_server_stay_under_the_cell(kernel, session, view):
    acts(kernel, [("tests__picture", {}), ("tests__drawing", {})], "Done.")
    kernel.run(f"%config AgentMagics.view = {view!r}").ok()
    try:
        cell = kernel.run(f"%%agent -m acts -s {session} --yes\ngo").ok()
    finally:
        kernel.run("%config AgentMagics.view = 'auto'").ok()
    shown = [output["data"] for output in cell.outputs if "data" in output]
    assert [data["image/png"] for data in shown if "image/png" in data] == [PIXEL]
    assert '<img alt="figure" src="data:image/svg+xml;base64,' in cell.html
    assert "<svg" not in cell.html


@pytest.fixture
def on_stdin(kernel):
    """Questions are asked on stdin, as where no click arrives."""
    kernel.run("%config AgentMagics.approval = 'stdin'").ok()
    yield
    kernel.settle()
    kernel.run("%config AgentMagics.approval = 'auto'").ok()


@pytest.mark.usefixtures("server", "on_stdin")
def test_a_question_is_declined_on_stdin(kernel, session):
    acts(kernel, [("tests__ask", {})], "Done.")
    cell = kernel.send(f"%%agent -m acts -s {session} --yes\ngo")
    assert "answer" in kernel.reply("n")
    cell.wait().ok()
    assert "decline" in told(kernel)


@pytest.mark.usefixtures("server", "on_stdin")
def test_a_form_is_filled_in_on_stdin_and_once_more_when_it_does_not_fit(kernel, session):
    acts(kernel, [("tests__book", {})], "Done.")
    cell = kernel.send(f"%%agent -m acts -s {session} --yes\ngo")
    for vouchers in ("[1]", '["X1"]'):
        lines = ["y", "Ada", "2", "1, Dinner", "", "maybe", "yes", vouchers]
        asked = [kernel.reply(line) for line in lines]
    cell.wait().ok()
    assert asked == [
        "[y]es, answer · [n]o: ",
        "Name * (As it stands in the passport): ",
        "Seat *: ",
        "Meals (at least 1 of them, commas between) [Dinner]: ",
        "Bags, $20 for one, $30 for two [1]: ",
        "Insured (yes or no): ",
        "Insured (yes or no): ",
        'Vouchers (as JSON, such as ["a", "b"]): ',
    ]
    content = {"name": "Ada", "seat": "W", "meals": ["b", "d"], "bags": 1, "insured": True, "codes": ["X1"]}
    assert f"accept: {json.dumps(content)}" in told(kernel)


@pytest.mark.parametrize("between", ["", "-- "])
def test_adding_a_server_says_what_it_offers(kernel, between):
    cell = kernel.run(f"%agent tools add-mcp tests {between}{sys.executable} {SERVER}").ok()
    assert cell.text.startswith("starting tests\ntests offers tests__echo, ")
    kernel.run("%agent tools remove-mcp tests").ok()


def test_adding_a_server_that_does_not_start_says_why_and_keeps_it(kernel):
    cell = kernel.run("%agent tools add-mcp typo no-such-command").ok()
    assert "⚠ typo: No such file or directory: 'no-such-command'; the next turn tries again" in cell.text
    assert "MCP typo (no-such-command): failed" in kernel.run("%agent tools").ok().text
    kernel.run("%agent tools remove-mcp typo").ok()


def test_the_options_of_a_servers_command_are_its_own(kernel):
    said = kernel.run(f"%agent tools add-mcp printer {sys.executable} -h").ok().text
    assert said.startswith("starting printer")
    kernel.run("%agent tools remove-mcp printer").ok()


def test_interrupt_leaves_a_slow_server_starting(kernel):
    cell = kernel.send("%agent tools add-mcp slow sleep 60").until_shows("starting slow")
    time.sleep(0.2)  # until it waits
    kernel.interrupt()
    assert cell.wait().traceback == "KeyboardInterrupt: the servers keep starting; %agent tools shows their status"
    comes_true(lambda: "MCP slow (sleep 60): starting" in kernel.run("%agent tools").ok().text)
    kernel.run("%agent tools remove-mcp slow").ok()


@pytest.mark.parametrize("line", ["add-mcp", "add-mcp missing.json", "remove-mcp nothing", "add-mcp x"])
def test_what_is_no_server_is_refused_in_one_line(kernel, line):
    cell = kernel.run(f"%agent tools {line}")
    assert cell.status == "error"
    assert "\n" not in cell.traceback


@pytest.mark.usefixtures("server")
def test_servers_stay_when_sessions_are_kept_elsewhere(kernel, tmp_path):
    before = kernel.value("get_ipython().magics_manager.registry['AgentMagics'].store")
    kernel.run(f"%config AgentMagics.store = {str(tmp_path / 'elsewhere')!r}").ok()
    try:
        assert "MCP tests" in kernel.run("%agent tools").ok().text
    finally:
        kernel.run(f"%config AgentMagics.store = {before}").ok()
