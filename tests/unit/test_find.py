"""Find sessions in lists and by references such as ``-1``, and find turns by what was said in them."""

import time
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from traitlets import TraitError

from sessionmagic.conversation.said import folded, sentence_with
from sessionmagic.conversation.session import Session, TurnRecord
from sessionmagic.conversation.usage import RequestRecord, Usage
from sessionmagic.exceptions import SessionNotFoundError, UsageError
from sessionmagic.notebook.cell_line import CELL_LINE
from sessionmagic.notebook.commands import run_command
from sessionmagic.notebook.completion import _sessions as completed
from sessionmagic.notebook.context import NotebookContext
from sessionmagic.notebook.settings import Settings
from sessionmagic.sessions.usage import BY
from sessionmagic.turns.account import KERNEL

HERE, ELSEWHERE = "/course/lesson.ipynb", "/course/private.ipynb"
DAY = 86_400.0


@pytest.fixture
def context(manager):
    shell = Mock(kernel=None, user_ns={"__vsc_ipynb_file__": HERE})
    context = NotebookContext(shell, Settings())
    context._manager = manager
    return context


def said(number, prompt, answer="", **fields):
    messages = [
        {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": prompt}]},
        {"kind": "response", "parts": [{"part_kind": "text", "content": answer}]},
    ]
    values = {"agent": "assistant", "model": "calm", "started_at": 10.0 + number, "status": "completed"}
    return TurnRecord(id=str(number), parent=None, prompt=prompt, messages=messages, **(values | fields))


@pytest.fixture
def store(manager):
    """A function that stores a session, changed so many days ago."""

    def stored(name, *turns, days=0.0, **fields):
        number = len(manager.store.summaries()[0])
        at = time.time() - days * DAY
        values = {"created_at": at, "updated_at": at, "head": turns[-1].id if turns else None}
        manager.store.create(Session(id=f"20261101-120000-{number:08}", name=name, turns=turns, **(values | fields)))

    return stored


def names(listing):
    return [item.name for item in listing]


def test_sessions_are_listed_newest_first_and_numbered(context, store):
    for days, name in enumerate(["one", "two", "three"]):
        store(name, days=3 - days)
    found = run_command(context, "sessions")
    assert names(found) == ["three", "two", "one"]
    assert [line.split()[:2] for line in repr(found).splitlines()[1:4]] == [
        ["-1", "three"],
        ["-2", "two"],
        ["-3", "one"],
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("churn", ["churn model", "other"]),
        ("CHURN model", ["churn model"]),
        ("a.c*", []),
        ("--model GPT", ["other"]),
        ("-m calm --days 3", ["star", "churn model"]),
        ("--starred", ["star"]),
        ("--days 3", ["star", "churn model"]),
        ("--days 3 --starred", ["star"]),
        ("--since 2020-01-01", ["star", "churn model", "other"]),
        ("--since 2999-01-01", []),
        ("--here", ["churn model"]),
        ("-n 2", ["star", "churn model"]),
        ("-n 1 churn", ["churn model"]),
    ],
)
def test_sessions_are_filtered(context, store, line, expected):
    gpt = [RequestRecord(agent="a", model="openai:gpt-5")]
    store("other", said(1, "p", requests=gpt), title="On Churn", days=9, agent_model_overrides={"": "hang"})
    store("churn model", said(1, "p", notebook=HERE), days=2)
    store("star", starred=True, days=1)
    assert names(run_command(context, f"sessions {line}")) == expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sessions --since tomorrow", "is not a date; write it as 2026-11-01"),
        ("sessions --days 0", "is not a number of days"),
        ("sessions --days nan", "is not a number of days"),
        ("sessions --here --all", "exclude each other"),
        ("sessions -n -1", "is not a number of sessions"),
        ("search", "there is nothing to search for"),
        ("search ' '", "there is nothing to search for"),
        ("search -n 0 word", "is not a number of turns"),
        ("usage --by mood", "--by 'mood' is not known"),
        ("usage --by modle", "did you mean 'model'"),
    ],
)
def test_option_that_makes_no_sense_is_refused(context, store, line, words):
    store("one", said(1, "p"))
    context.active_session = "one"
    with pytest.raises(UsageError, match=words):
        run_command(context, line)


def test_here_needs_the_path_of_the_notebook(context):
    context.shell.user_ns.clear()
    with pytest.raises(UsageError, match="needs the path of the notebook"):
        run_command(context, "sessions --here")


def test_list_has_all_sessions_and_shows_the_first(context, store):
    for number in range(60):
        store(f"s{number}")
    found = run_command(context, "sessions")
    assert len(found) == 60
    assert "not shown: 10 more" in repr(found)
    assert found._repr_html_().count("<tr>") == 51


def test_the_title_of_a_session_stands_below_its_name(context, store):
    store("churn", said(1, "p"), title="Why do customers leave?")
    _, first, second, *_ = repr(run_command(context, "sessions")).splitlines()
    assert first.split()[:2] == ["-1", "churn"]
    assert second.strip() == "Why do customers leave?"


def test_columns_are_named_as_the_attributes_and_those_of_the_frame(context, store):
    store("one", said(1, "p", requests=[RequestRecord(agent="a", model="m", usage=Usage(unmeasured_requests=1))]))
    found = run_command(context, "sessions")
    headings = repr(found).splitlines()[0].split()
    assert set(headings) <= set(found.to_frame().columns)
    assert headings == ["name", "turns", "model", "status", "updated_at"]
    assert found.to_frame()[["cost", "input_tokens", "output_tokens"]].isna().all(axis=None)


def test_frame_has_known_tokens_as_whole_numbers_and_unknown_ones_as_missing(context, store):
    store(
        "one",
        said(1, "p", requests=[*used(0.5), RequestRecord(agent="a", model="n", usage=Usage(unmeasured_requests=1))]),
    )
    frame = run_command(context, "usage one --by request").to_frame()
    assert list(frame.input_tokens.isna()) == list(frame.cost.isna()) == [False, True]
    assert frame.input_tokens.sum() == 10


@pytest.mark.parametrize(
    "line",
    [
        *("", "sessions", "search p", "models", "set -s one", "config", "tools", "permissions one", "branches one"),
        *("context one", *(f"usage one --by {by}" for by in BY), "usage --all --by turn"),
    ],
)
def test_every_listing_becomes_a_frame_with_the_names_of_its_columns(context, store, line):
    requests = [RequestRecord(agent="a", model="m", usage=Usage(input_tokens=1))]
    store("one", said(1, "p", requests=requests), settings={"temperature": 0}, permissions={"ask": ["look"]})
    KERNEL.budget = 1.0
    listing = run_command(context, line)
    frame = listing.to_frame()
    assert len(frame) == len(listing) > 0
    assert {*listing._columns} - {""} <= {*frame.columns}


def test_usage_says_what_all_sessions_have_used(context, store):
    assert repr(run_command(context, "usage")) == "no model requests were made here yet"
    store("one", said(1, "p", requests=used(0.5)))
    assert "all" not in repr(run_command(context, "usage"))
    store("two", said(1, "p", requests=used(1.0)))
    context.active_session = context.manager.sessions.load("one").id
    assert "all 2 sessions: 20 → 2 tokens, cost $1.5000; --all divides this up" in repr(run_command(context, "usage"))
    assert "all 2 sessions" not in repr(run_command(context, "usage one"))
    context.active_session = None
    assert "in all: 20 → 2 tokens, cost $1.5000" in repr(run_command(context, "usage --by session"))


def test_number_names_a_session_wherever_a_session_is_named(context, store, tmp_path):
    store("old", said(1, "p"), said(2, "p"), days=2)
    store("new", said(1, "q"), days=1)
    assert context.named("-1") == context.manager.sessions.load("new").id
    run_command(context, "star -2")
    run_command(context, "star -s -1")
    run_command(context, "rename -2 older")
    run_command(context, "use -2@1")
    run_command(context, f"export -2 {tmp_path / 'new.md'}")  # moving the head has changed the order
    assert (tmp_path / "new.md").read_text().startswith("# new\n")
    assert repr(run_command(context, "diff -1@1 -2")).startswith("- older@1\n+ new@1")
    assert context.manager.sessions.load("older").head == "1"
    assert all(item.starred for item in run_command(context, "sessions"))
    assert repr(run_command(context, "sessions")).count("★") == 2
    assert CELL_LINE.parse_line("-s -1 --model calm").session == "-1"
    with pytest.raises(UsageError, match="-1@2 names a turn, where only a session can be named"):
        context.named("-1@2", turn=False)
    with pytest.raises(SessionNotFoundError, match="no session named 'older@1'"):
        run_command(context, "show -1@1")
    with pytest.raises(SessionNotFoundError, match="there is no session -3; %agent sessions lists 2"):
        run_command(context, "star -3")


def test_session_that_was_deleted_is_no_longer_the_active_one(context, store):
    store("one", said(1, "p"))
    store("two", said(1, "q"))
    context.active_session, context.latest_session = (context.manager.sessions.load(name).id for name in ("one", "two"))
    context.manager.store.delete(context.active_session)
    assert "session 'two'" in repr(run_command(context, "branches"))
    context.manager.store.delete(context.latest_session)
    with pytest.raises(SessionNotFoundError, match="no session is active; name one, or run a %%agent cell"):
        run_command(context, "branches")


def test_session_with_such_a_name_comes_first(context, store):
    store("-1", days=2)
    store("new", days=1)
    assert context.named("-1") == "-1"


def test_lists_show_only_sessions_of_this_notebook_when_the_user_has_set_that(context, store):
    store("lesson", said(1, "secret word", notebook=HERE), days=2)
    store("private", said(1, "secret word", notebook=ELSEWHERE), days=1)
    store("copied", said(1, "secret word"), notebook=HERE, days=3)
    assert completed(context) == ["private", "lesson", "copied"]
    context.settings.sessions_shown = "here"
    assert names(run_command(context, "sessions")) == ["lesson", "copied"]
    assert names(run_command(context, "sessions --all")) == ["private", "lesson", "copied"]
    assert {hit.session for hit in run_command(context, "search secret")} == {"lesson", "copied"}
    assert len(run_command(context, "search secret --all")) == 3
    assert completed(context) == ["lesson", "copied"]
    assert context.named("-1") == context.manager.sessions.load("lesson").id
    with pytest.raises(TraitError):
        context.settings.sessions_shown = "some"


def test_sessions_of_this_kernel_are_shown_where_the_notebook_is_not_known(context, store):
    store("mine")
    store("other")
    context.shell.user_ns.clear()
    context.settings.sessions_shown = "here"
    context.started.add(context.manager.sessions.load("mine").id, "")
    assert names(run_command(context, "sessions")) == ["mine"]


def test_hit_is_shown_in_its_sentence_with_its_session_and_turn(context, store):
    store("churn", said(1, "Which columns?", "Drop two. The column signup_date leaks the label! Keep the rest."))
    [hit] = run_command(context, "search LEAKS label")
    assert (hit.session, hit.turn, hit.text) == ("churn", "1", "The column signup_date leaks the label!")
    shown = repr(run_command(context, "search leaks"))
    assert "%agent show churn --turn 1" in shown
    frame = run_command(context, "search leaks").to_frame()
    assert list(frame.columns) == ["session", "turn", "started_at", "text"]


def test_words_of_a_search_are_no_patterns(context, store):
    store("one", said(1, "compile a.b*( please"), said(2, "compile aXbb("))
    assert [hit.turn for hit in run_command(context, "search a.b*(")] == ["1"]
    assert len(run_command(context, "search '.*'")) == 0
    assert [hit.turn for hit in run_command(context, 'search "b*( please"')] == ["1"]


def test_words_after_two_dashes_are_no_options(context, store):
    store("one", said(1, "run it with -x"), said(2, "run it"))
    assert [hit.turn for hit in run_command(context, "search run -- -x")] == ["1"]
    with pytest.raises(UsageError, match="-x is not an option"):
        run_command(context, "search -x")


def test_search_for_more_turns_than_there_can_be(context, store):
    store("one", said(1, "p"))
    assert len(run_command(context, f"search p -n {10**30}")) == 1


def test_search_finds_branches_and_later_messages_and_no_reasoning(context, store):
    turn = said(1, "prompt", "answer")
    parts = [{"part_kind": "thinking", "content": "thought"}, {"part_kind": "user-prompt", "content": "steered"}]
    turn = replace(turn, messages=[*turn.messages, {"kind": "request", "parts": parts}])
    store("one", turn, said(2, "other branch"), head="2")
    assert [len(run_command(context, f"search {word}")) for word in ("steered", "answer", "thought")] == [1, 1, 0]


def test_newest_turns_are_found_first_and_the_rest_on_request(context, store):
    store("one", *(said(number, f"word {number}") for number in range(1, 6)))
    found = run_command(context, "search -n 2 word")
    assert [hit.turn for hit in found] == ["5", "4"]
    assert "there are more; -n 20 shows them" in repr(found)
    assert "more" not in repr(run_command(context, "search -n 5 word"))


def test_search_in_one_session(context, store):
    store("one", said(1, "word"))
    store("two", said(1, "word"))
    assert [hit.session for hit in run_command(context, "search word -s one")] == ["one"]
    assert repr(run_command(context, "search nothing")) == "nothing was found for nothing"


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("One. Two words! Three", "words", "Two words!"),
        ("line\nthe WORD\nline", "word", "the WORD"),
        ("x" * 400, "x", f"{'x' * 160}…"),
        (f"{'a' * 300} word {'b' * 300}", "word", f"…{'a' * 79} word {'b' * 75}…"),
        ("Die Straße ist lang. Ende", "strasse", "Die Straße ist lang."),
        ("", "word", ""),
    ],
)
def test_sentence_with_a_word(text, word, expected):
    assert sentence_with(text, [word]) == expected


def test_sentence_is_that_with_the_most_words():
    assert sentence_with("A leak. A label. The label leaks.", ["leak", "label"]) == "The label leaks."


def test_texts_are_compared_without_regard_to_case():
    assert folded("Straße ÄÖ\0") == "strasse äö\ufffd"


def test_shown_turn_is_that_which_was_asked_for(context, store, capsys):
    store("one", said(1, "first", "Yes."), said(2, "second", "No."), head="2")
    run_command(context, "show one --turn 1")
    assert "first" in (shown := capsys.readouterr().out)
    assert "second" not in shown
    with pytest.raises(UsageError, match="session 'one' has no turn '9'"):
        run_command(context, "show one --turn 9")


def used(*costs):
    return [
        RequestRecord(agent="a", model="m", usage=Usage(input_tokens=10, output_tokens=1, cost=cost)) for cost in costs
    ]


def test_usage_of_all_sessions_has_a_row_for_each_and_a_sum(context, store):
    store("one", said(1, "p", requests=used(0.5, 0.25)), days=2)
    store("two", said(1, "p", requests=used(1.0)), days=1)
    listing = run_command(context, "usage --all --by session")
    assert [(entry.session, entry.requests, entry.cost) for entry in listing] == [("one", 2, 0.75), ("two", 1, 1.0)]
    assert "in all: 30 → 3 tokens, cost $1.7500" in repr(listing)
    assert list(listing.to_frame().cost) == [0.75, 1.0]
    [turns] = {repr(run_command(context, "usage --all --by turn")).splitlines()[0]}
    assert turns.split()[:2] == ["session", "turn"]


def test_usage_says_what_is_left_of_a_budget(context, store):
    store("one", said(1, "p", requests=used(0.5)), budget=2.0)
    assert "session 'one' has spent $0.5000 of its budget of $2.0000" in repr(run_command(context, "usage one"))


def test_budget_of_a_session_is_set_shown_and_removed(context, store, capsys):
    store("one", said(1, "p", requests=used(0.5)))
    context.manager.models.prices["calm"] = [1, 2]
    run_command(context, "set -s one --budget 0.75")
    assert capsys.readouterr().out == "session 'one' has spent $0.5000 of its budget of $0.7500\n"
    assert ("budget", 0.75, "session") in [
        (entry.setting, entry.value, entry.level) for entry in run_command(context, "set -s one")
    ]
    run_command(context, "set -s one --budget none")
    assert capsys.readouterr().out == "session 'one' has no budget\n"
    with pytest.raises(UsageError, match="'cheap' is not an amount"):
        run_command(context, "set -s one --budget cheap")


@pytest.mark.parametrize("budget", [0, -1, "cheap", float("nan"), float("inf")])
def test_budget_of_the_kernel_must_be_an_amount(context, budget):
    with pytest.raises(TraitError):
        context.settings.budget = budget
    context.settings.budget = 0.5
    assert KERNEL.budget == 0.5
    context.settings.budget = None
    assert KERNEL.budget is None


def test_long_reading_shows_how_far_it_is_and_removes_the_line(context, store, capsys, monkeypatch):
    from sessionmagic.storage import progress

    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=iter(range(100)).__next__))
    for number in range(3):
        store(f"s{number}")
    run_command(context, "usage --all")
    lines = capsys.readouterr().out.split("\r")
    assert "reading sessions: 1 of 3" in lines
    assert lines[-2].strip() == lines[-1] == ""
