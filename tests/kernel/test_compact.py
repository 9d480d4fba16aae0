"""`%agent context` and `%agent compact` in a kernel."""

import pytest

pytestmark = pytest.mark.once

SUMMARIZES = """
def summarizes(messages):
    return "In **short**." if "Conversation to summarize" in messages[-1].parts[0].content else "Fine."
script("summarizes", summarizes, profile={"context_window": 20_000});
"""


@pytest.fixture
def chat(kernel, session):
    """A session with three turns."""
    kernel.run(SUMMARIZES).ok()
    for number in (1, 2, 3):
        kernel.run(f"%%agent -m summarizes -s {session}\nquestion {number}").ok()
    return session


def test_context_is_a_table_and_a_frame(kernel, chat):
    text = kernel.run(f"%agent context {chat}").ok().text
    assert "instructions" in text
    assert "20,000 tokens" in text
    assert "at 18,000 tokens" in text
    kernel.run(f"found = %agent context {chat}").ok()
    assert kernel.value("[entry.kind for entry in found][-2:]") == "['summaries', 'total']"
    assert kernel.value("sum(entry.tokens for entry in found[:-1]) == found[-1].tokens") == "True"
    assert kernel.value("list(found.to_frame().columns)") == "['kind', 'tokens', 'estimated', 'limit', 'share']"
    kernel.run("%config AgentMagics.context_limits = {'recalls': 5}").ok()
    kernel.run(f"%agent model recalls -s {chat}").ok()
    assert "limit: 5 tokens" in kernel.run(f"%agent context {chat}").ok().text
    kernel.run("%config AgentMagics.context_limits = {}").ok()
    assert "limit: unknown" in kernel.run(f"%agent context {chat}").ok().text


def test_compact_shows_the_summary_and_sends_it_from_then_on(kernel, chat):
    cell = kernel.run(f"%agent compact -s {chat} keep the $numbers").ok()
    assert "In **short**." in cell.text
    shown = kernel.run(f"%agent show {chat}").ok()
    assert "question 1" in shown.text
    assert "keep the $numbers" in shown.text
    assert "this summary is sent in place of the turns up to turn 1, which are kept" in shown.text
    text = kernel.run(f"%%agent -m recalls -s {chat}\nand now?").ok().text
    assert "> In **short**." in text
    assert "question 1" not in text
    assert kernel.run(f"%agent use {chat}@3").ok()
    assert "question 1" in kernel.run(f"%%agent -m recalls -s {chat}\nand now?").ok().text


def test_compact_without_turns_is_an_error(kernel, chat):
    kernel.run(f"%agent compact -s {chat}").ok()
    kernel.run(f"%agent drop 3 -s {chat}").ok()
    kernel.run(f"%agent drop 1 -s {chat}").ok()
    cell = kernel.run(f"%agent compact -s {chat}")
    assert (cell.status, cell.ename) == ("error", "UsageError")
    assert "has no turns to compact" in cell.evalue
    assert kernel.run(f"%agent compact -s {chat}x").ename == "SessionNotFoundError"


def test_compaction_that_fails_is_an_error_of_its_cell(kernel, chat):
    kernel.run(f"%agent model dumb -s {chat}").ok()
    cell = kernel.run(f"%agent compact -s {chat}")
    assert (cell.status, cell.ename) == ("error", "TurnFailedError")
    assert "it broke" in cell.evalue


def test_summary_that_was_made_for_a_turn_is_shown_under_its_cell(kernel, session):
    kernel.run(SUMMARIZES).ok()
    kernel.run("%config AgentMagics.context_limits = {'summarizes': 300}").ok()
    try:
        for number in (1, 2):
            kernel.run(f"%%agent -m summarizes -s {session}\nquestion {number} {'word ' * 60}").ok()
        cell = kernel.run(f"%%agent -s {session}\nquestion 3 {'word ' * 180}").ok()
    finally:
        kernel.run("%config AgentMagics.context_limits = {}").ok()
    assert "summary in turn 4</summary>" in cell.html
    assert "In **short**.</pre>" in cell.html
    shown = kernel.run(f"%agent show {session}").ok().text
    assert shown.index("question 2") < shown.index("In **short**.") < shown.index("question 3")
