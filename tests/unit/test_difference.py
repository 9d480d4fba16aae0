"""How two turns or two branches differ."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionmagic.conversation.difference import (
    LINES,
    Change,
    Side,
    changes_between,
    difference,
    first_call_that_differs,
)
from sessionmagic.conversation.session import Session, TurnRecord
from sessionmagic.conversation.transcript import ToolBlock
from sessionmagic.exceptions import UsageError
from sessionmagic.notebook.page.difference import difference_html
from sessionmagic.notebook.terminal.difference import difference_text
from tests.effort import grows_linearly

TEXTS = st.lists(st.sampled_from(["word ", "other ", "\n", "  ", "x", "<b>"]), max_size=40).map("".join)


def turn(number, parent, answer, prompt="Why?", calls=()):
    parts = [{"part_kind": "text", "content": answer}]
    messages = [{"kind": "request", "parts": [{"part_kind": "user-prompt", "content": prompt}]}]
    for at, (tool, args, result) in enumerate(calls):
        called = {"part_kind": "tool-call", "tool_call_id": str(at), "tool_name": tool, "args": args}
        returned = {"part_kind": "tool-return", "tool_call_id": str(at), "outcome": "success", "content": result}
        messages += [{"kind": "response", "parts": [called]}, {"kind": "request", "parts": [returned]}]
    messages.append({"kind": "response", "parts": parts})
    return TurnRecord(
        id=str(number), parent=parent, agent="a", model="m", prompt=prompt, started_at=1, messages=messages,
        status="completed",
    )  # fmt: skip


def session(*turns, name="chat"):
    head = turns[-1].id if turns else None
    return Session(id=f"id-{name}", name=name, created_at=1, updated_at=1, turns=turns, head=head)


BRANCHED = session(
    turn(1, None, "Hi."),
    turn(2, "1", "It is churn.", calls=[("load", {"n": 1}, "ok"), ("run", {"code": "a < 1"}, "1")]),
    turn(3, "2", "Because."),
    turn(4, "1", "It is age.", calls=[("load", {"n": 1}, "ok"), ("run", {"code": "a < 2"}, "2")]),
)


def of(what, found):
    return [text.what for text in found.texts if what in text.what]


def test_branches_are_compared_from_where_they_part():
    found = difference(Side(BRANCHED, "3"), Side(BRANCHED))
    assert (found.first, found.second, found.calls) == ("chat@3", "chat@4", (2, 2))
    assert of("answer", found) == ["answer of chat@2 and of chat@4", "answer of chat@3"]
    assert found.call.number == 2
    assert (found.call.first.args, found.call.second.args) == ({"code": "a < 1"}, {"code": "a < 2"})


def test_summaries_on_a_branch_are_passed_over_unless_they_are_named():
    made = replace(turn(5, "2", "In short."), kind="compaction", covers="1")
    one = session(*BRANCHED.turns[:2], made, turn(6, "5", "Because."), BRANCHED.turns[3], turn(7, "4", "So."))
    found = difference(Side(one, "6"), Side(one, "7"))
    assert of("answer", found) == ["answer of chat@2 and of chat@4", "answer of chat@6 and of chat@7"]
    assert of("answer", difference(Side(one, "5"), Side(one, "6"))) == ["answer of chat@5 and of chat@6"]


def test_turn_that_did_not_complete_is_marked():
    failed = session(replace(turn(1, None, "So"), status="failed"), turn(2, None, "So far."))
    assert of("answer", difference(Side(failed, "1"), Side(failed, "2"))) == ["answer of chat@1 (failed) and of chat@2"]


def test_turn_and_one_that_continues_it_are_compared_alone():
    assert of("answer", difference(Side(BRANCHED, "1"), Side(BRANCHED, "3"))) == ["answer of chat@1 and of chat@3"]


def test_sessions_are_compared_whole_and_turns_of_two_sessions_alone():
    other = session(turn(1, None, "Hi."), turn(2, "1", "No.", prompt="Why not?"), name="other")
    assert len(difference(Side(BRANCHED), Side(other)).texts) == 4
    found = difference(Side(BRANCHED, "1"), Side(other, "2"))
    assert [text.same for text in found.texts] == [False, False]
    assert found.call is None


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (Side(BRANCHED, "9"), Side(BRANCHED), "session 'chat' has no turn '9'; its last turn is 4"),
        (Side(BRANCHED, "4"), Side(BRANCHED), "both are turn 4 of session 'chat'; name two turns"),
        (Side(session(name="new")), Side(BRANCHED), "session 'new' has no turns yet"),
        (Side(BRANCHED), Side(session(name="new"), "1"), "session 'new' has no turn '1'; it has no turns yet"),
    ],
)
def test_what_does_not_exist_or_is_the_same_is_refused(first, second, words):
    with pytest.raises(UsageError, match=words):
        difference(first, second)


def test_first_call_that_differs_is_found_by_its_result_too():
    same, other = ToolBlock("1", "run", {}, "success", "1"), ToolBlock("x", "run", {}, "success", "2", 0.5)
    assert first_call_that_differs([same], [same]) is None
    assert first_call_that_differs([same, same], [same, other]).number == 2
    missing = first_call_that_differs([same, same], [same])
    assert (missing.number, missing.second) == (2, None)


def test_texts_are_compared_word_by_word():
    assert changes_between("It is\nnot good.", "It is\nvery good.") == (
        Change("same", "It is\n"), Change("removed", "not "), Change("added", "very "), Change("same", "good."),
    )  # fmt: skip


@given(TEXTS, TEXTS)
def test_both_texts_can_be_read_from_the_changes(text, other):
    changes = changes_between(text, other)
    assert "".join(change.text for change in changes if change.kind != "added") == text
    assert "".join(change.text for change in changes if change.kind != "removed") == other


def test_very_long_texts_are_compared_in_bounded_time():
    def compare(lines):
        changes_between(
            *("\n".join(str(number * factor % 211) for number in range(lines)) for factor in (7919, 104_729))
        )

    assert grows_linearly(compare, 6_000)
    assert "more" not in str(changes_between("a\n" * LINES, "b\n" * LINES))
    assert "and 4 more characters were not compared]" in str(changes_between("a\n" * LINES, "b\n" * (LINES + 2)))


def test_it_is_shown_with_signs_and_as_safe_html():
    found = difference(Side(BRANCHED, "2"), Side(BRANCHED, "4"))
    text = difference_text(found)
    assert "- chat@2\n+ chat@4\n" in text
    assert "2 and 2 tool calls; call 2 is the first that differs\n- ✓ run\n-     a < 1\n-     1\n+ ✓ run\n" in text
    assert "prompt of chat@2 and of chat@4: the same" in text
    assert "It is [-churn.-][+age.+]" in text
    html = difference_html(found)
    assert ">churn.</del><ins" in html
    assert ">age.</ins>" in html
    assert "a &lt; " in html.replace('<span style="color:#666">', "").replace("</span>", "")


def test_what_models_wrote_is_text_on_the_page():
    hostile = "<script>alert(1)</script> <img src=x onerror=alert(1)> "
    other = session(
        turn(1, None, hostile * 30, prompt=hostile, calls=[("<b>", {"x": hostile}, hostile)]), name="<i>other"
    )
    html = difference_html(difference(Side(BRANCHED, "1"), Side(other)))
    assert not any(tag in html for tag in ("<script", "<img", "<b>", "<i>"))


def test_long_passages_that_are_the_same_are_cut():
    text = "the same words " * 500
    found = difference(Side(session(turn(1, None, text + "end"))), Side(session(turn(1, None, text + "fin"), name="b")))
    assert len(difference_text(found)) < 2_000
    assert "characters …]" in difference_text(found)
