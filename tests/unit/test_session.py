"""Sessions as plain state: every change is a function from one to the next."""

from dataclasses import replace

import pytest

from sessionmagic.conversation.session import (
    TITLE_LENGTH,
    Session,
    TurnRecord,
    summarize,
    title_of,
    with_override,
)
from sessionmagic.conversation.tree import (
    ROOT,
    next_turn_id,
    parent_of_next,
    running_turns,
    with_changed_turn,
    with_finished_turn,
    with_interrupted_turns,
    with_turn,
)
from sessionmagic.conversation.usage import RequestRecord, Usage
from sessionmagic.exceptions import UsageError

pytestmark = pytest.mark.once

EMPTY = Session(id="s", name="chat", created_at=1.0, updated_at=1.0)


def turn(number, parent=None, **fields):
    values = {"agent": "assistant", "model": "test", "prompt": f"prompt {number}", "started_at": float(number)}
    return TurnRecord(id=str(number), parent=parent, **(values | fields))


SAID = [{"kind": "response", "parts": [{"part_kind": "text", "content": "Yes"}]}]


def ended(session, number, status="completed", messages=()):
    return with_finished_turn(
        session, str(number), lambda now: replace(now, status=status, messages=list(messages)), at=100.0 + number
    )


def interrupted(session):
    return with_interrupted_turns(session, running_turns(session))


def conversation(length):
    session = EMPTY
    for number in range(1, length + 1):
        session = ended(with_turn(session, turn(number, session.head)), number)
    return session


def test_new_turn_continues_the_path_and_moves_the_head():
    session = conversation(3)
    assert session.head == "3"
    assert [each.id for each in session.path()] == ["1", "2", "3"]
    assert session.updated_at == 103.0


def test_path_leads_from_the_root_to_any_turn():
    session = replace(conversation(3), head="2")
    session = with_turn(session, turn(4, "2"))
    assert [each.id for each in session.path()] == ["1", "2", "4"]
    assert [each.id for each in session.path("3")] == ["1", "2", "3"]
    assert EMPTY.path() == []


def test_turn_that_failed_in_silence_leaves_its_record_and_gives_the_head_back():
    session = with_turn(conversation(1), turn(2, "1"))
    session = ended(session, 2, "failed")
    assert session.head == "1"
    assert [(each.id, each.status, each.finished_at) for each in session.turns][1] == ("2", "failed", 102.0)
    assert [each.id for each in session.path()] == ["1"]


def test_first_turn_that_failed_in_silence_leaves_an_empty_path():
    session = ended(with_turn(EMPTY, turn(1)), 1, "failed")
    assert (session.head, session.path(), len(session.turns)) == (None, [], 1)


def test_head_that_someone_moved_stays_where_it_is_when_the_turn_fails():
    session = replace(with_turn(conversation(2), turn(3, "2")), head="1")
    assert ended(session, 3, "failed").head == "1"


def test_turn_that_failed_after_it_said_something_stays_on_the_path():
    session = ended(with_turn(conversation(1), turn(2, "1")), 2, "failed", SAID)
    assert [each.id for each in session.path()] == ["1", "2"]


def test_turn_that_does_not_move_the_head_is_a_branch():
    session = with_turn(conversation(2), turn(3, "1", agent="other"), moves_head=False)
    assert (session.head, session.current_agent) == ("2", "assistant")
    assert [each.id for each in session.path("3")] == ["1", "3"]
    assert ended(session, 3, "failed").head == "2"


def test_next_turn_continues_the_head_or_the_turn_that_is_named():
    assert parent_of_next(EMPTY, None) is None
    assert parent_of_next(conversation(3), None) == "3"
    assert parent_of_next(conversation(3), "1") == "1"


def running_after_failed():
    session = ended(with_turn(conversation(1), turn(2, "1")), 2, "failed")
    return with_turn(session, turn(3, "1"))


@pytest.mark.parametrize(
    ("session", "after", "words"),
    [
        (EMPTY, "1", "session 'chat' has no turn '1'; it has no turns yet"),
        (conversation(3), "9", "session 'chat' has no turn '9'; its last turn is 3"),
        (running_after_failed(), "3", "turn 3 of session 'chat' is still running; name an earlier turn"),
        (running_after_failed(), None, "turn 3 of session 'chat' is still running; name an earlier turn"),
        (
            running_after_failed(),
            "2",
            "turn 2 failed before the model said anything; name turn 1, its parent, instead",
        ),
        (
            ended(with_turn(EMPTY, turn(1)), 1, "failed"),
            "1",
            "turn 1 failed before the model said anything; name ROOT instead",
        ),
    ],
)
def test_turn_that_nothing_can_come_after_is_refused_in_one_line(session, after, words):
    with pytest.raises(UsageError) as caught:
        parent_of_next(session, after)
    assert str(caught.value) == words


def test_turn_ids_are_never_given_twice():
    assert next_turn_id(EMPTY) == "1"
    session = conversation(3)
    assert next_turn_id(session) == "4"
    assert next_turn_id(replace(session, turns=session.turns[:1], head="1")) == "4"
    assert next_turn_id(replace(session, turns_started=0)) == "4"


def test_root_begins_a_new_path():
    assert parent_of_next(conversation(3), ROOT) is None
    session = with_turn(conversation(2), turn(3))
    assert [each.id for each in session.path()] == ["3"]
    assert ended(session, 3, "failed").head == "2"


def test_head_is_again_what_it_was_before_a_branch_that_failed_in_silence():
    session = with_turn(conversation(3), turn(4, "1"))
    assert ended(session, 4, "failed").head == "3"


def test_head_goes_back_over_every_turn_that_failed_in_silence():
    session = with_turn(with_turn(conversation(2), turn(3, "2")), turn(4, "2"))
    assert ended(ended(session, 3, "failed"), 4, "failed").head == "2"
    assert ended(ended(session, 4, "failed"), 3, "failed").head == "2"


def test_empty_text_is_no_answer():
    empty = [{"kind": "response", "parts": [{"part_kind": "text", "content": ""}]}]
    assert ended(with_turn(conversation(1), turn(2, "1")), 2, "failed", empty).head == "1"


def test_only_the_named_turns_become_interrupted():
    session = with_turn(with_turn(conversation(1), turn(2, "1")), turn(3, "1"))
    assert running_turns(session) == {"2", "3"}
    assert [each.status for each in with_interrupted_turns(session, {"2"}).turns] == [
        "completed",
        "interrupted",
        "running",
    ]


def test_changing_one_turn_leaves_the_others_and_the_old_session_alone():
    before = conversation(3)
    after = with_changed_turn(before, "2", lambda now: replace(now, error="changed"))
    assert [each.error for each in after.turns] == [None, "changed", None]
    assert [each.error for each in before.turns] == [None, None, None]
    assert with_changed_turn(before, "9", lambda now: replace(now, error="x")) == before


def test_unknown_turn_is_a_key_error():
    with pytest.raises(KeyError):
        conversation(1).turn("2")


def test_dead_turn_becomes_interrupted_and_stays_on_the_path():
    session = interrupted(with_turn(conversation(1), turn(2, "1")))
    assert [each.status for each in session.turns] == ["completed", "interrupted"]
    assert session.turn("2").error_code == "crashed"
    assert [each.id for each in session.path()] == ["1", "2"]
    assert interrupted(session) == session


def test_what_waited_for_a_dead_turn_is_said():
    waiting = replace(turn(1, None), waiting=["Be brief.", "In French."], warnings=["before"])
    [dead] = interrupted(with_turn(EMPTY, waiting)).turns
    assert dead.warnings == ["before", "not delivered to the model: Be brief. · In French."]
    assert dead.waiting == []


def test_override_belongs_to_its_agent():
    session = with_override(with_override(EMPTY, "a", "openai:x"), "b", "local")
    assert session.agent_model_overrides == {"a": "openai:x", "b": "local"}
    assert with_override(session, "a", None).agent_model_overrides == {"b": "local"}
    assert with_override(EMPTY, "a", None) == EMPTY
    assert EMPTY.agent_model_overrides == {}


def test_references_with_a_provider_are_remembered_once_each_in_order():
    session = EMPTY
    for reference in ("openai:x", "local", "openrouter/vendor/y", "test", "openai:x", None, "openai:x"):
        session = with_override(session, "a", reference)
    assert session.custom_models_used == ["openai:x", "openrouter/vendor/y"]
    assert session.agent_model_overrides == {"a": "openai:x"}


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        ("Name three features.\nBriefly.", "Name three features."),
        ("\n\n   What is it?  ", "What is it?"),
        ("x" * TITLE_LENGTH, "x" * TITLE_LENGTH),
        ("", ""),
    ],
)
def test_title_is_the_first_line_that_says_something(prompt, title):
    assert title_of(prompt) == title


def test_long_title_is_cut():
    title = title_of("word " * 100)
    assert len(title) <= TITLE_LENGTH
    assert title.endswith("word…")


def test_summary_of_an_empty_session():
    summary = summarize(EMPTY)
    assert (summary.turns, summary.status, summary.model) == (0, "empty", None)
    assert (summary.input_tokens, summary.cost) == (0, None)


def test_summary_of_a_session_without_turns_to_continue_has_the_status_of_the_latest_one():
    assert summarize(replace(with_turn(EMPTY, turn(1, status="limit")), head=None)).status == "limit"


def test_turn_without_a_price_is_counted_beside_the_cost_of_the_others():
    def used(number, **usage):
        request = RequestRecord(agent="assistant", model="m", usage=Usage(input_tokens=5, output_tokens=5, **usage))
        return lambda session: with_changed_turn(session, number, lambda now: replace(now, requests=[request]))

    session = used("1", cost=0.5)(conversation(2))
    assert summarize(session).cost == 0.5
    summary = summarize(used("2", unpriced_requests=1)(session))
    assert (summary.cost, summary.unpriced_requests) == (0.5, 1)
