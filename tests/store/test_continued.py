"""The summary of a session after more commits is the one that the whole session would give, or there is none."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionmagic import TinyStore
from sessionmagic.conversation.session import summarize, with_override
from sessionmagic.conversation.tree import with_changed_turn, with_finished_turn, with_turn, without_turns
from sessionmagic.conversation.usage import RequestRecord, Usage
from sessionmagic.storage import session_files
from sessionmagic.storage.atomic import dumps
from sessionmagic.storage.continued import continued
from sessionmagic.storage.patch import changed_places, patch_between
from tests.examples import examples
from tests.store.test_store_contract import session, stored, turn

ANSWER = {"kind": "response", "parts": [{"part_kind": "text", "content": "yes"}]}
USED = [
    RequestRecord(agent="assistant", model="lab:x", usage=Usage(input_tokens=3, output_tokens=2, cost=0.25)),
    RequestRecord(agent="assistant", model="lab:y", usage=Usage(unmeasured_requests=1)),
    RequestRecord(agent="assistant", model=None, usage=Usage(unpriced_requests=1)),
]


def added(now, **fields):
    return with_turn(now, replace(turn(len(now.turns) + 1, **fields), parent=now.head))


def finished(now, requests=1, status="completed"):
    def change(record):
        return replace(record, status=status, messages=[*record.messages, ANSWER], requests=USED[:requests])

    return with_finished_turn(now, str(len(now.turns)), change, at=50.0 + len(now.turns))


def asked(now, **fields):
    return finished(added(now, **fields))


def continued_by(before, *changes):
    """Return the session after the changes, and its summary as the commits tell it."""
    patches, now = [], before
    for change in changes:
        after = change(now)
        patches.append(json.loads(dumps(patch_between(now, after, changed_places(now.turns, after.turns)))))
        now = after
    return now, continued(summarize(before), patches)


CHANGES = {
    "ask": asked,
    "ask in a notebook": lambda now: asked(now, notebook="b.ipynb", model="lab:z"),
    "begin": added,
    "end": lambda now: finished(now, requests=3) if now.turns else now,
    "fail": lambda now: with_finished_turn(
        added(now), str(len(now.turns) + 1), lambda one: replace(one, status="failed"), at=60.0
    ),
    "import": lambda now: asked(now, origin="import"),
    "first turn": lambda now: with_changed_turn(now, "1", lambda one: replace(one, requests=USED)),
    "rewind": lambda now: replace(now, head=now.turns[0].id if now.turns else None),
    "to nothing": lambda now: replace(now, head=None),
    "remove": lambda now: without_turns(now, at=70.0),
    "title": lambda now: replace(now, title="new", starred=not now.starred),
    "model": lambda now: with_override(now, "assistant", "lab:y"),
    "agent": lambda now: replace(now, current_agent="other"),
    "notebook": lambda now: replace(now, notebook="c.ipynb"),
}


@settings(max_examples=examples(300))
@given(
    st.lists(st.sampled_from(sorted(CHANGES)), max_size=4),
    st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=5),
)
def test_summary_after_commits_is_that_of_the_session_or_unknown(earlier, later):
    before = session(notebook="a.ipynb", current_agent="assistant")
    for name in earlier:
        before = CHANGES[name](before)
    after, found = continued_by(before, *(CHANGES[name] for name in later))
    assert found in (None, summarize(after))


@pytest.mark.parametrize("turns", [0, 2])
def test_summary_is_known_while_a_session_goes_on(turns):
    before = session(notebook="a.ipynb", current_agent="assistant")
    for _ in range(turns):
        before = asked(before)
    usual = [
        asked,
        CHANGES["title"],
        CHANGES["ask in a notebook"],
        CHANGES["model"],
        CHANGES["import"],
        added,
        finished,
        added,
    ]
    for count in range(1, len(usual) + 1):
        after, found = continued_by(before, *usual[:count])
        assert found == summarize(after)


@pytest.mark.parametrize("change", ["fail", "first turn", "rewind", "to nothing", "remove", "agent", "notebook"])
def test_summary_is_unknown_where_it_is_not_told(change):
    before = asked(asked(session(current_agent="assistant")))
    assert continued_by(before, CHANGES[change])[1] is None


def test_summary_is_unknown_after_a_snapshot_with_a_running_turn():
    assert continued_by(added(asked(session())), finished)[1] is None


def test_listing_reads_only_the_journal_of_a_long_session(home, monkeypatch):
    monkeypatch.setattr(session_files, "SMALL_SESSION", 0)
    store = TinyStore(home)
    key = stored(store, current_agent="assistant", turns=(turn(1, status="completed"),), head="1", turns_started=1)
    for change in (asked, CHANGES["title"], added):
        expected = summarize(store.update(key, change))
        with monkeypatch.context() as patch:
            patch.setattr(session_files, "_read", None)
            assert TinyStore(home).summaries() == ([expected], [])
    store.update(key, lambda now: finished(asked(now)))
    journal = home / "sessions" / f"{key}.journal"
    journal.write_bytes(journal.read_bytes()[:-9])  # the machine has stopped while this was written
    with monkeypatch.context() as patch:
        patch.setattr(session_files, "_read", None)
        assert TinyStore(home).summaries() == ([expected], [])


def test_snapshot_that_is_replaced_while_its_journal_is_read_is_read_again(home, monkeypatch):
    monkeypatch.setattr(session_files, "SMALL_SESSION", 0)
    store = TinyStore(home)
    key = stored(store, current_agent="assistant")
    store.update(key, asked)
    usual = session_files.footer_in

    def footer_in(file):
        found = usual(file)
        store.rename(key, "renamed")  # which folds the journal
        return found

    monkeypatch.setattr(session_files, "footer_in", footer_in)
    [summary], _ = TinyStore(home).summaries()
    assert summary == summarize(store.load(key))
    assert summary.turns == 1


def test_fold_waits_for_the_end_of_a_turn(home, monkeypatch):
    monkeypatch.setattr(session_files, "SMALL_SESSION", 0)
    monkeypatch.setattr(session_files, "SMALLEST_FOLD", 10_000)
    store, long = TinyStore(home), {**ANSWER, "parts": [{"part_kind": "text", "content": "x" * 6_000}]}
    key = stored(store, current_agent="assistant")
    journal = home / "sessions" / f"{key}.journal"

    def say(now):
        return with_changed_turn(now, "1", lambda one: replace(one, messages=[*one.messages, long]))

    store.update(key, added)
    for _ in range(2):
        store.update(key, say)
    assert journal.stat().st_size > 10_000
    store.update(key, finished)
    assert not journal.exists()
    store.update(key, added)
    for _ in range(10):  # a turn that never ends is not waited for
        store.update(
            key, lambda now: with_changed_turn(now, "2", lambda one: replace(one, messages=[*one.messages, long]))
        )
    assert journal.stat().st_size < 40_000
