"""`%agent` on the tree of a session's turns."""

import pytest

pytestmark = pytest.mark.once


@pytest.fixture
def chat(kernel, session):
    """A session with three turns, the last two of which were left for the fourth."""
    for prompt in ("a", "b", "c", "b"):
        kernel.run(f"%%agent -m prompts -s {session}\n{prompt}", cell_id=prompt).ok()
    return session


def test_branches_draws_the_tree_and_names_the_ways(kernel, chat):
    kernel.run(f"rows = %agent branches {chat}").ok()
    assert kernel.value("[row.graph for row in rows]") == "['● 1', '├─○ 2', '│ ○ 3', '● 4']"
    shown = kernel.run(f"%agent branches {chat}").ok()
    assert "completed, head" in shown.text
    assert "○ marks turns that were set aside" in shown.text
    assert f"%agent use {chat}@TURN" in shown.html
    assert kernel.value("list(rows.to_frame().turn)") == "['1', '2', '3', '4']"


def test_rewind_goes_one_turn_back_or_to_a_turn_or_to_the_beginning(kernel, chat):
    assert "continues turn 1" in kernel.run(f"%agent rewind -s {chat}").ok().text
    assert "continues turn 3" in kernel.run(f"%agent rewind 3 -s {chat}").ok().text
    assert "from the beginning" in kernel.run(f"%agent rewind root -s {chat}").ok().text
    assert kernel.run(f"%agent rewind 9 -s {chat}").evalue == f"session {chat!r} has no turn '9'; its last turn is 4"


def test_fork_is_the_active_session_from_then_on(kernel, chat):
    said = kernel.run(f"%agent fork {chat}x --at 3 -s {chat}").ok().text
    assert said.strip() == (f"{chat}x is a copy of {chat}, and now the active session; the next turn continues turn 3")
    assert kernel.run("%%agent\nd").ok().text == "a\nb\nc\nd"
    assert kernel.run(f"%agent fork {chat}x -s {chat}").ename == "SessionExistsError"


def test_reset_empties_and_is_content_without_a_session(kernel, chat):
    assert "removed 4 turns" in kernel.run(f"%agent reset {chat}").ok().text
    assert kernel.run(f"%%agent -m prompts -s {chat}\nanew").ok().text == "anew"
    assert "nothing to remove" in kernel.run(f"%agent reset {chat}nope").ok().text


def test_use_with_a_turn_goes_there_in_the_active_session_too(kernel, chat):
    kernel.run(f"%agent use {chat}").ok()
    assert "continues turn 2" in kernel.run("%agent use @2").ok().text
    assert kernel.run("%%agent\nd").ok().text == "a\nb\nd"


def test_session_whose_name_looks_like_a_turn_of_another_is_found_by_its_name(kernel, chat):
    kernel.run(f"%%agent -m prompts -s {chat}@2\nother").ok()
    kernel.run(f"%agent use {chat}@2").ok()
    assert kernel.run("%%agent\nnext").ok().text == "other\nnext"


def test_delete_asks_and_takes_several(kernel, chat):
    kernel.run(f"%%agent -m prompts -s {chat}y\nhi").ok()
    cell = kernel.send(f"%agent delete {chat} {chat}y")
    assert kernel.reply("n") == f"delete {chat} (4 turns), {chat}y (1 turn) for ever? [y/N] "
    assert cell.wait().evalue == "nothing was deleted"
    cell = kernel.send(f"%agent delete {chat} {chat}y")
    kernel.reply("y")
    assert cell.wait().ok().text.splitlines() == [f"deleted {chat} (4 turns)", f"deleted {chat}y (1 turn)"]


def test_delete_without_anybody_to_ask_wants_a_yes(kernel, chat):
    refused = kernel.run(f"%agent delete {chat}", allow_stdin=False)
    assert refused.evalue == "there is nobody to ask; --yes deletes without asking"
    kernel.run(f"%agent delete {chat} --yes", allow_stdin=False).ok()


def test_turns_have_one_number_everywhere(kernel, chat):
    assert f"{chat} · turn 4" in kernel.run(f"%agent show {chat} --last 1").ok().html
    kernel.run("found = %agent sessions").ok()
    assert kernel.value(f"next(item.turns for item in found if item.name == {chat!r})") == "4"
    kernel.run(f"used = %agent usage {chat}").ok()
    assert kernel.value("sum(row.turns for row in used)") == "4"
