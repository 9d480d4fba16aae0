"""Commits are appended to a journal beside the snapshot: what is read back, whatever has happened to the two files."""

import json
import os
import shutil
from dataclasses import replace

import pytest
from tinydb import TinyDB

from sessionmagic import TinyStore
from sessionmagic.conversation.session import SCHEMA, summarize
from sessionmagic.conversation.tree import with_changed_turn, with_turn, without_turns
from sessionmagic.exceptions import SessionSchemaError, SessionUnreadableError, StoreError
from sessionmagic.storage import journal, journaled, session_files
from sessionmagic.storage.journal import Place, line_of
from sessionmagic.storage.journaled import JournaledStorage
from sessionmagic.storage.store import new_session_id
from tests.store.test_store_contract import session, stored, turn

COMMITS = 4


@pytest.fixture
def store(home, monkeypatch):
    monkeypatch.setattr(session_files, "SMALL_SESSION", 0)
    return TinyStore(home)


@pytest.fixture
def key(store):
    """The id of a session with turns that are in its journal only."""
    key = stored(store)
    for number in range(1, COMMITS + 1):
        store.update(key, lambda now, number=number: with_turn(now, turn(number, status="completed")))
    return key


@pytest.fixture
def snapshot(home, key):
    return home / "sessions" / f"{key}.json"


@pytest.fixture
def file(snapshot):
    return snapshot.with_suffix(".journal")


def prompts(home, key):
    return [each.prompt for each in TinyStore(home).load(key).turns]


def titled(store, key, title):
    return store.update(key, lambda now: replace(now, title=title))


WHOLE = [f"prompt {number}" for number in range(1, COMMITS + 1)]


def test_commit_leaves_the_snapshot_and_appends_one_line(store, key, snapshot, file):
    before, lines = snapshot.read_bytes(), file.read_bytes().splitlines(keepends=True)
    titled(store, key, "after")
    assert snapshot.read_bytes() == before
    *kept, added = file.read_bytes().splitlines(keepends=True)
    assert (kept, len(lines)) == (lines, COMMITS)
    assert b'"session":{"title":"after"}' in added
    assert b"prompt" not in added


def test_change_that_changes_nothing_writes_nothing(store, key, file):
    before = file.read_bytes()
    store.update(key, lambda now: replace(now, turns=tuple(replace(turn) for turn in now.turns)))
    assert file.read_bytes() == before


def test_message_that_is_stored_is_not_written_again(store, key, file):
    image = {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "an image" * 1000}]}
    answer = {"kind": "response", "parts": [{"part_kind": "text", "content": "ok"}]}
    for messages in ([image], [image, answer], [dict(image), answer, answer]):
        store.update(
            key, lambda now, said=messages: with_changed_turn(now, "4", lambda old: replace(old, messages=said))
        )
    assert file.read_bytes().count(b"an image" * 1000) == 1
    assert TinyStore(store.home).load(key).turns[-1].messages == [image, answer, answer]


def test_any_tinydb_reader_with_our_storage_sees_the_session_as_it_is(store, key, snapshot):
    titled(store, key, "now")
    with TinyDB(snapshot, storage=JournaledStorage) as database:
        assert database.table("session").get(doc_id=1)["title"] == "now"
        assert [each["prompt"] for each in database.table("turns").all()] == WHOLE
        database.table("session").update({"title": "by hand"})
    assert store.load(key).title == "by hand"
    titled(store, key, "after")
    assert TinyStore(store.home).load(key).title == "after"


def test_journal_that_has_outgrown_its_snapshot_is_folded_into_it(store, home, key, snapshot, file, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(session_files, "SMALLEST_FOLD", 0)
        titled(store, key, "folded")
    assert not file.exists()
    assert b"folded" in snapshot.read_bytes()
    titled(store, key, "after")
    assert file.read_bytes().count(b"\n") == 1
    assert (TinyStore(home).load(key).title, prompts(home, key)) == ("after", WHOLE)


@pytest.mark.parametrize("removed", ["a name", "turns"])
def test_what_was_removed_is_in_no_file(store, key, snapshot, file, removed):
    if removed == "a name":
        store.rename(key, "other")
        assert b'"name":"other"' in snapshot.read_bytes()[:200]
    else:
        store.update(key, lambda now: without_turns(now, at=9.0))
        assert b"prompt" not in snapshot.read_bytes()
    assert not file.exists()


@pytest.mark.parametrize("cut", [1, 5, 40, 10_000])
def test_last_line_that_is_cut_was_never_acknowledged(store, home, key, file, cut):
    whole = file.read_bytes()
    titled(store, key, "never")
    line = file.read_bytes()[len(whole) :]
    file.write_bytes(whole + line[: max(1, len(line) - cut)])
    assert (prompts(home, key), TinyStore(home).load(key).title) == (WHOLE, "")
    store = TinyStore(home)
    titled(store, key, "after")
    assert (TinyStore(home).load(key).title, prompts(home, key)) == ("after", WHOLE)
    assert file.read_bytes().count(b"\n") == COMMITS + 1


@pytest.mark.parametrize("tail", [b"\0" * 5000, b"x", b"00000000 {}", b"00000000 {\0\0}\n", b"0\0\n"])
def test_what_a_power_failure_leaves_at_the_end_is_left_out(home, key, file, tail):
    file.write_bytes(file.read_bytes() + tail)
    assert prompts(home, key) == WHOLE
    titled(TinyStore(home), key, "after")
    assert TinyStore(home).load(key).title == "after"


@pytest.mark.parametrize("copies", [1, 3])
def test_doubled_lines_are_harmless(home, key, file, copies):
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines, *lines[-1:] * copies]))
    assert prompts(home, key) == WHOLE
    titled(TinyStore(home), key, "after")
    assert (TinyStore(home).load(key).title, prompts(home, key)) == ("after", WHOLE)


DAMAGE = {
    "out of order": lambda lines: [lines[0], lines[2], lines[1], lines[3]],
    "one missing": lambda lines: [lines[0], *lines[2:]],
    "the first missing": lambda lines: lines[1:],
    "the last but one missing": lambda lines: [*lines[:2], lines[3]],
    "a flipped bit in the last one": lambda lines: [*lines[:3], lines[3].replace(b"prompt", b"pronpt")],
    "a flipped bit in the last checksum": lambda lines: [*lines[:3], bytes([lines[3][0] ^ 64]) + lines[3][1:]],
    "a flipped bit": lambda lines: [lines[0], lines[1].replace(b"prompt", b"pronpt"), *lines[2:]],
    "cut in the middle": lambda lines: [lines[0], lines[1][:40], *lines[2:]],
    "no line in the middle": lambda lines: [lines[0], b"\0" * 100 + b"\n", *lines[1:]],
    "of another session": lambda lines: [*lines, line_of({"session": {}}, Place(COMMITS, 1))[0]],
    "a place that does not exist": lambda lines: [*lines, after(lines, {"turns": {"9": {"kept": 0, "then": []}}})],
    "more messages than there are": lambda lines: [*lines, after(lines, {"turns": {"1": {"kept": 9, "then": []}}})],
    "no turn": lambda lines: [*lines, after(lines, {"turns": {"5": {"prompt": "x"}}})],
    "a wrong type": lambda lines: [*lines, after(lines, {"session": {"starred": {}}})],
    "a head that does not exist": lambda lines: [*lines, after(lines, {"session": {"head": "9"}})],
}


def after(lines, patch):
    """Return a line that goes on after the last one."""
    return line_of(patch, Place(len(lines), int(lines[-1][:8], 16)))[0]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_journal_is_set_aside_with_its_snapshot(home, key, snapshot, file, damage):
    file.write_bytes(b"".join(DAMAGE[damage](file.read_bytes().splitlines(keepends=True))))
    before = {snapshot.read_bytes(), file.read_bytes()}
    with pytest.raises(SessionUnreadableError, match=f"{key}.*cannot be read.*set aside unchanged as") as caught:
        titled(TinyStore(home), key, "late")
    assert "\n" not in str(caught.value)
    aside = list(snapshot.parent.glob("*.unreadable-*"))
    assert {path.read_bytes() for path in aside} == before
    assert len({path.name.rpartition("-")[2] for path in aside}) == 1
    assert not snapshot.exists()
    assert not file.exists()


def test_journal_of_a_newer_schema_is_refused_and_left_alone(home, key, snapshot, file, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(journal, "SCHEMA", SCHEMA + 1)
        titled(TinyStore(home), key, "newer")
    before = snapshot.read_bytes(), file.read_bytes()
    for call in (
        lambda store: store.load(key),
        lambda store: titled(store, key, "late"),
        lambda store: store.delete(key),
    ):
        with pytest.raises(SessionSchemaError, match=f"newer version.*schema is {SCHEMA + 1}"):
            call(TinyStore(home))
    assert (snapshot.read_bytes(), file.read_bytes()) == before


def test_kill_between_the_new_snapshot_and_the_removal_of_the_journal_changes_nothing(store, home, key, file):
    old = file.read_bytes()
    store.rename(key, "folded")
    file.write_bytes(old)
    assert (TinyStore(home).load(key).name, prompts(home, key)) == ("folded", WHOLE)
    fresh = TinyStore(home)
    titled(fresh, key, "after")
    titled(fresh, key, "and after")
    assert (TinyStore(home).load(key).title, prompts(home, key)) == ("and after", WHOLE)


def test_older_snapshot_whose_journal_has_gone_on_is_not_mixed_with_it(store, home, key, snapshot):
    old = snapshot.read_bytes()
    store.rename(key, "folded")
    titled(store, key, "later")
    snapshot.write_bytes(old)
    advice = f"rename that to {key}.json to use it without its journal"
    with pytest.raises(SessionUnreadableError, match=rf"\(the journal does not go on with commit 1\).*{advice}"):
        TinyStore(home).load(key)
    assert next(snapshot.parent.glob("*.journal.unreadable-*")).exists()
    next(snapshot.parent.glob("*.json.unreadable-*")).rename(snapshot)
    assert TinyStore(home).load(key).name == "chat"


def test_copy_of_a_session_with_a_damaged_journal_is_left_alone(store, key, snapshot):
    copy = snapshot.with_name(f"{new_session_id()}.json")
    shutil.copy(snapshot, copy)
    copy.with_suffix(".journal").write_bytes(b"00000000 {}\n" * 2)
    with pytest.raises(StoreError, match=f"{copy.name} is a copy of the session {key} and is not used"):
        store.load(copy.stem)
    assert copy.exists()
    assert copy.with_suffix(".journal").exists()


def test_new_session_does_not_take_over_the_journal_of_a_deleted_one(store, home, key, file):
    old = file.read_bytes()
    store.delete(key)
    assert not file.exists()
    file.write_bytes(old)
    store.create(replace(session("new"), id=key))
    assert prompts(home, key) == []


def test_turn_that_was_removed_from_the_snapshot_by_hand_stays_removed(home, store):
    key = stored(store, turns=(turn(1), turn(2), turn(3)), head="1", turns_started=3)
    with TinyDB(home / "sessions" / f"{key}.json", storage=JournaledStorage) as database:
        database.table("turns").remove(doc_ids=[2])
        database.table("turns").update({"parent": "1"}, doc_ids=[3])
    assert prompts(home, key) == ["prompt 1", "prompt 3"]
    store.update(key, lambda now: with_turn(now, replace(turn(4), parent="3")))
    titled(store, key, "after")
    assert prompts(home, key) == ["prompt 1", "prompt 3", "prompt 4"]


def test_what_another_store_has_committed_is_read_and_nothing_else(store, home, key, monkeypatch):
    other = TinyStore(home)
    other.load(key)
    titled(store, key, "by the first")
    store.update(key, lambda now: with_changed_turn(now, "2", lambda old: replace(old, prompt="changed")))
    loaded = store.load(key).turns
    with monkeypatch.context() as patch:
        patch.setattr(session_files, "_read", None)  # the files are not read from the beginning
        assert other.load(key).title == "by the first"
        assert other.load(key).turns == loaded
        titled(other, key, "by the second")
    assert store.load(key).title == "by the second"
    store.rename(key, "folded")
    assert other.load(key).name == "folded"


def test_commit_that_was_read_but_failed_is_forgotten(store, home, key, monkeypatch):
    other = TinyStore(home)
    other.load(key)

    def fail(_handle):
        assert other.load(key).title == "failed"  # what is written can be read before it is synced
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(StoreError, match="Input/output error; nothing was changed"):
            titled(store, key, "failed")
    titled(store, key, "a title of another length")
    assert other.load(key).title == "a title of another length"
    titled(other, key, "after")
    assert (store.load(key).title, prompts(home, key)) == ("after", WHOLE)


@pytest.mark.parametrize("status", ["running", "completed"])
@pytest.mark.parametrize("small", [0, 100_000])
def test_change_to_what_was_loaded_reaches_no_file(store, home, key, status, small, monkeypatch):
    message = {"kind": "response", "parts": []}
    store.update(
        key, lambda now: with_turn(now, turn(5, status=status, messages=[message], settings={"a": 1}, notes=["n"]))
    )
    before = TinyStore(home).load(key)
    loaded = store.load(key)
    loaded.permissions["allow"] = ["*"]
    for each in loaded.turns:
        each.messages.extend([{"kind": "nothing"}, object()])
        each.notes.clear()
        each.settings["b"] = object()
    loaded.turns[-1].messages[0]["parts"] = None
    monkeypatch.setattr(session_files, "SMALL_SESSION", small)
    if status == "running":
        store.update(
            key, lambda now: with_changed_turn(now, "5", lambda old: replace(old, messages=[*old.messages, message]))
        )
        before = with_changed_turn(before, "5", lambda old: replace(old, messages=[message, message]))
    titled(store, key, "after")
    assert TinyStore(home).load(key) == replace(before, title="after")
    store.rename(key, "folded")
    assert TinyStore(home).load(key) == store.load(key) == replace(before, title="after", name="folded")


def test_session_that_was_damaged_since_it_was_read_is_not_overwritten(store, home, key, file):
    store.load(key)
    status, damaged = file.stat(), file.read_bytes().replace(b"prompt 1", b"prampt 1")
    file.write_bytes(damaged)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(SessionUnreadableError, match="left unchanged"):
        store.rename(key, "other")
    assert file.read_bytes() == damaged
    with pytest.raises(SessionUnreadableError, match="set aside"):
        TinyStore(home).load(key)


def test_session_that_has_not_changed_is_not_read_again(store, key, monkeypatch):
    first = store.load(key)
    for name in ("_read", "_read_on"):
        monkeypatch.setattr(session_files, name, None)
    assert store.load(key).turns is first.turns


def test_snapshot_that_is_replaced_while_it_is_read_is_read_again(store, home, key, monkeypatch):
    read, folded = journaled.read_snapshot, []

    def fold_after(path):
        database = read(path)
        if not folded:
            folded.append(path)
            store.rename(key, "folded")
        return database

    monkeypatch.setattr(journaled, "read_snapshot", fold_after)
    loaded = TinyStore(home).load(key)
    assert (loaded.name, [each.prompt for each in loaded.turns]) == ("folded", WHOLE)


def test_text_that_json_cannot_hold_is_read_as_another_process_reads_it(store, home, key):
    store.update(key, lambda now: with_changed_turn(now, "1", lambda old: replace(old, prompt="half \ud83d of it")))
    assert store.load(key).turns[0].prompt == prompts(home, key)[0] == "half ? of it"


def test_few_sessions_are_kept_in_memory_and_of_large_ones_only_one(store, monkeypatch):
    keys = [stored(store, f"s{number}") for number in range(6)]
    for each in keys:
        store.load(each)
    assert list(store._files._kept) == keys[-session_files.KEPT_SESSIONS :]
    monkeypatch.setattr(session_files, "KEPT_BYTES", 10)
    store.load(keys[0])
    assert list(store._files._kept) == keys[:1]
    store.summaries()
    assert list(store._files._kept) == keys[:1]


@pytest.mark.once
@pytest.mark.skipif(os.name == "nt", reason="files without holes")
def test_journal_of_two_gigabytes_without_lines_takes_no_memory(home, key, file):
    import tracemalloc

    os.truncate(file, 2**31)
    tracemalloc.start()
    try:
        assert prompts(home, key) == WHOLE
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
    titled(TinyStore(home), key, "after")
    assert file.stat().st_size < 100_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_fork_between_two_commits_loses_none(store, home, key):
    titled(store, key, "before")
    child = os.fork()
    if child == 0:
        try:
            store.update(key, lambda now: replace(now, starred=True))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    store.update(key, lambda now: replace(now, system="after"))
    loaded = TinyStore(home).load(key)
    assert (loaded.title, loaded.starred, loaded.system) == ("before", True, "after")


def test_clock_that_goes_backwards_hides_no_commit(store, home, key, snapshot, file):
    other = TinyStore(home)
    other.load(key)
    titled(store, key, "later")
    for path in (snapshot, file):
        os.utime(path, (1.0, 1.0))
    assert other.load(key).title == "later"
    titled(other, key, "and later")
    os.utime(file, (1.0, 1.0))
    assert store.load(key).title == "and later"


def test_copied_directory_is_a_store_of_its_own(store, home, key, tmp_path):
    shutil.copytree(home, tmp_path / "copy")
    titled(store, key, "here")
    assert (TinyStore(tmp_path / "copy").load(key).title, prompts(tmp_path / "copy", key)) == ("", WHOLE)


def test_listing_parses_no_session_that_is_as_it_was_written(home, monkeypatch):
    store = TinyStore(home)
    key = stored(store, turns=(turn(1, notebook="a.ipynb"), turn(2)), head="2", turns_started=2)
    titled(store, key, "now")
    expected = summarize(store.load(key))
    with monkeypatch.context() as patch:
        patch.setattr(session_files, "_read", None)
        assert TinyStore(home).summaries() == ([expected], [])


@pytest.mark.parametrize("change", ["by hand", "the schema", "the summary", "a journal", "by TinyDB"])
def test_listing_believes_no_summary_of_a_session_that_has_changed(home, change):
    store = TinyStore(home)
    key = stored(store, title="old")
    path = home / "sessions" / f"{key}.json"
    title = "new"
    match change:
        case "by hand":
            path.write_bytes(path.read_bytes().replace(b'"title":"old"', b'"title":"new"', 1))
        case "the schema":
            path.write_bytes(
                path.read_bytes().replace(b'"summary":{"1":{"schema":%d' % SCHEMA, b'"summary":{"1":{"schema":99')
            )
            title = "old"
        case "the summary":
            path.write_bytes(path.read_bytes().replace(b'"turns":0', b'"turns":{}'))
            title = "old"
        case "a journal":
            store.update(key, lambda now: with_turn(replace(now, title="new"), turn(1)))
        case _:
            with TinyDB(path, storage=JournaledStorage) as database:
                database.table("session").update({"title": "new"})
    [summary], problems = TinyStore(home).summaries()
    assert (summary.title, problems) == (title, [])
    assert summary == summarize(TinyStore(home).load(key))


@pytest.mark.parametrize("edit", ["indented", "in one line", "by another tool", "cut"])
def test_snapshot_is_read_whatever_has_rewritten_it(home, edit):
    store = TinyStore(home)
    key = stored(store, turns=(turn(1, prompt="one\nline"), turn(2)), head="2", turns_started=2)
    before, path = store.load(key), home / "sessions" / f"{key}.json"
    assert len(path.read_bytes().splitlines()) == 4
    database = json.loads(path.read_bytes())
    match edit:
        case "indented":
            path.write_text(json.dumps(database, indent=2))
        case "in one line":
            path.write_text(json.dumps(database))
        case "by another tool":
            path.write_text(json.dumps({"turns": database["turns"], "journal": database["journal"], **database}))
        case _:
            path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
            with pytest.raises(SessionUnreadableError):
                TinyStore(home).load(key)
            return
    assert TinyStore(home).load(key) == before
    titled(TinyStore(home), key, "after")
    assert TinyStore(home).load(key) == replace(before, title="after")
