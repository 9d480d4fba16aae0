"""The list from which the model of the next turns is chosen: below `%agent model`, and under a running turn."""

from html import unescape

import pytest

from tests.kernel import acting
from tests.kernel.kernels import comes_true


@pytest.fixture
def chat(kernel, session):
    kernel.run(f"%%agent -m hello -s {session}\nfirst question").ok()
    return session


def list_in(cell):
    """Return the comm id and the state of the list in a cell's output."""
    [(comm_id, state)] = [each for each in cell.widgets.items() if each[1].get("_model_name") == "DropdownModel"]
    return comm_id, state


def lists(kernel, before):
    """Return the states of the lists that were not there before."""
    new = {key: state for key, state in kernel.widgets().items() if key not in before}
    return {key: state for key, state in new.items() if state.get("_model_name") == "DropdownModel"}


def choose(kernel, cell, reference):
    comm_id, state = list_in(cell)
    kernel.choose(comm_id, state["_options_labels"].index(reference))


def note_below(kernel, cell, words):
    """Wait until the line below the list has these words."""
    notes = [key for key, state in cell.widgets.items() if state.get("_model_name") == "HTMLMathModel"]
    comes_true(lambda: any(words in unescape(kernel.widgets()[key]["value"]) for key in notes))


def test_model_alone_shows_a_line_and_a_list_of_what_can_be_used(kernel, chat):
    cell = kernel.run(f"%agent model -s {chat}").ok()
    _, state = list_in(cell)
    labels = state["_options_labels"]
    assert labels[0] == "default (local)"
    assert labels[state["index"]] == "hello"
    assert {"hello", "recalls", "test"} <= set(labels)
    assert len(labels) <= 31
    assert not [label for label in labels if label.endswith(":")]
    assert cell.text == f"{chat}: hello"


def test_choice_sets_the_model_of_the_next_turns(kernel, chat):
    cell = kernel.run(f"%agent model -s {chat}").ok()
    choose(kernel, cell, "recalls")
    comes_true(lambda: kernel.run(f"%agent model -s {chat}").text == f"{chat}: recalls")
    assert kernel.run(f"%%agent -s {chat}\nagain").ok().text != "Hello **world**"
    choose(kernel, cell, "default (local)")
    comes_true(lambda: kernel.run(f"%agent model -s {chat}").text == f"{chat}: local (the default)")


def test_what_cannot_be_set_is_one_line_and_the_list_goes_back(kernel, chat):
    kernel.run("%config AgentMagics.endpoints = {'lab': 'http://127.0.0.1:1/v1'}").ok()
    kernel.run(f"%agent model lab:m -s {chat}").ok()
    kernel.run(f"%agent model hello -s {chat}").ok()
    cell = kernel.run(f"%agent model -s {chat}").ok()
    kernel.run("%config AgentMagics.endpoints = {}").ok()
    comm_id, state = list_in(cell)
    choose(kernel, cell, "lab:m")
    note_below(kernel, cell, "unknown provider 'lab'")
    assert kernel.widgets()[comm_id]["index"] == state["index"]
    assert kernel.run(f"%agent model -s {chat}").text == f"{chat}: hello"


def test_session_that_is_gone_is_one_line(kernel, chat):
    cell = kernel.run(f"%agent model -s {chat}").ok()
    kernel.run(f"%agent delete {chat} --yes").ok()
    choose(kernel, cell, "recalls")
    note_below(kernel, cell, "no session named")


@pytest.mark.parametrize("view", ["text", "static"])
def test_where_no_widgets_are_shown_there_is_only_the_line(kernel, chat, view):
    kernel.run(f"%config AgentMagics.view = {view!r}").ok()
    try:
        cell = kernel.run(f"%agent model -s {chat}").ok()
    finally:
        kernel.run("%config AgentMagics.view = 'auto'").ok()
    assert cell.text == f"{chat}: hello\n"
    assert not cell.widgets


def test_setting_a_model_shows_no_list(kernel, chat):
    cell = kernel.run(f"%agent model recalls -s {chat}").ok()
    assert cell.text == f"{chat}: recalls\n"
    assert not cell.widgets


@pytest.mark.threads
def test_model_of_the_next_turns_is_chosen_while_a_turn_runs(kernel, session, acts):
    acting.needs_clicks(kernel)
    subshell = kernel.subshell()
    acts([("run_python", {"code": "1 + 1"})], "Two.")
    cell = kernel.send(f"%%agent -m acts -s {session}\ngo").until_asks()
    before = set(kernel.widgets())
    kernel.click(cell.button("Model …"), subshell)
    comes_true(lambda: lists(kernel, before))
    [(comm_id, state)] = lists(kernel, before).items()
    kernel.choose(comm_id, state["_options_labels"].index("hello"), subshell)
    comes_true(lambda: f"{session}: hello" in str(kernel.widgets()))
    kernel.click(cell.button("Approve"), subshell)
    cell.wait()
    assert "acts" in cell.footer["data"]["text/plain"]
    assert kernel.run(f"%%agent -s {session}\nnext").ok().text == "Hello **world**"
