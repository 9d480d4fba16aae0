"""The search in a store on disk has an index of its own, which can always be thrown away."""

import os
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace

import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionmagic import MemoryStore, TinyStore
from sessionmagic.conversation.said import TurnKey, folded
from sessionmagic.conversation.session import SCHEMA, Session, TurnRecord
from sessionmagic.storage import footer, search_index, session_files
from sessionmagic.storage.store import new_session_id
from tests.stored import signed


@pytest.fixture
def store(home):
    return TinyStore(home)


def turn(number, prompt, answer="", at=0.0):
    messages = [{"kind": "response", "parts": [{"part_kind": "text", "content": answer}]}]
    return TurnRecord(
        id=str(number), parent=None, agent="a", model="m", prompt=prompt, messages=messages, started_at=at or number
    )


def stored(store, name, *turns):
    session = Session(id=new_session_id(), name=name, created_at=1.0, updated_at=1.0, turns=turns)
    store.create(session)
    return session.id


def found(store, *words, limit=20, among=None):
    return [(key.session, key.turn) for key in store.turns_with([folded(word) for word in words], limit, among)]


@pytest.fixture(params=["with trigrams", "without trigrams"])
def kind(request, monkeypatch):
    if request.param == "without trigrams":  # as where SQLite has no FTS5
        monkeypatch.setattr(search_index, "TRIGRAMS", "CREATE VIRTUAL TABLE grams USING unknown()")


@pytest.mark.usefixtures("kind")
def test_turns_are_found_by_parts_of_words_in_any_case(store):
    one = stored(store, "one", turn(1, "Which columns LEAK?", "signup_date leaks"), turn(2, "Ärger"))
    for words in (["leak"], ["columns", "SIGNUP"], ["lea"], ["ks"], ["?"], ["which columns"]):
        assert found(store, *words) == [(one, "1")]
    assert found(store, "ärger") == [(one, "2")]
    assert found(store, "leak", "ärger") == found(store, "zzz") == []


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize(
    "word", ["a.b*(", '"', '"quoted"', "100%", "_", "NEAR(", "AND", "-x", "*", "\\", "^a", "\0", "'"]
)
def test_word_is_text_and_no_pattern(store, word):
    one = stored(store, "one", turn(1, f"before {word} after"), turn(2, "before after aXbb("))
    assert found(store, word) == [(one, "1")]


@pytest.mark.usefixtures("kind")
def test_short_words_are_found_anywhere(store):
    one = stored(store, "one", turn(1, "zq at the start"), turn(2, "at the end zq"), turn(3, "中国 x"), turn(4, "zz"))
    assert found(store, "zq") == found(store, "q", "zq") == [(one, "2"), (one, "1")]
    assert found(store, "中国") == found(store, "x") == [(one, "3")]
    assert found(store, "qz") == found(store, "国中") == []
    assert len(found(store, "z")) == 3


def test_what_changes_is_found_and_what_is_gone_is_not(store):
    one, two = stored(store, "one", turn(1, "first")), stored(store, "two", turn(1, "first"))
    assert len(found(store, "first")) == 2
    store.update(one, lambda session: replace(session, turns=(turn(1, "changed"), turn(2, "second"))))
    assert (found(store, "first"), found(store, "changed"), found(store, "second")) == (
        [(two, "1")],
        [(one, "1")],
        [(one, "2")],
    )
    store.delete(two)
    assert found(store, "first") == []


@pytest.mark.usefixtures("kind")
def test_text_of_a_deleted_session_does_not_stay_in_the_index(store, home):
    one = stored(store, "one", turn(1, "the plan is xyzzyplugh"))
    stored(store, "two", turn(1, "other"))
    assert found(store, "xyzzyplugh") == [(one, "1")]
    assert b"xyzzyplugh" in (home / "search.db").read_bytes()
    store.delete(one)
    assert b"xyzzyplugh" not in (home / "search.db").read_bytes()


def test_session_is_deleted_whatever_is_wrong_with_the_index(store, home):
    one = stored(store, "one", turn(1, "first"))
    (home / "search.db").write_bytes(b"damaged")
    store.delete(one)
    assert found(store, "first") == []


def test_newest_turns_come_first_in_whatever_order_sessions_were_indexed(store):
    new = stored(store, "new", turn(1, "word", at=3000.0), turn(2, "word", at=1000.0))
    assert found(store, "word") == [(new, "1"), (new, "2")]
    old = stored(store, "old", turn(1, "word", at=2000.0), turn(2, "word", at=2000.0))
    assert [key[0] for key in found(store, "word")] == [new, old, old, new]
    assert found(store, "word", limit=1) == [(new, "1")]
    assert {key[0] for key in found(store, "word", among=[old])} == {old}


@pytest.mark.parametrize("at", [-5.0, 1e300, 0.0])
def test_any_time_in_a_file_can_be_indexed(store, at):
    one = stored(store, "one", *(turn(number, "word", at=at) for number in range(1, 5)))
    assert len(found(store, "word")) == 4
    assert {key[0] for key in found(store, "word")} == {one}


def test_turn_does_not_write_the_index(store, home):
    one = stored(store, "one", turn(1, "first"))
    assert not (home / "search.db").exists()
    found(store, "first")
    before = (home / "search.db").stat().st_mtime_ns
    store.update(one, lambda session: replace(session, title="new"))
    assert (home / "search.db").stat().st_mtime_ns == before


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_only_the_user_can_read_the_index(store, home):
    stored(store, "one", turn(1, "first"))
    found(store, "first")
    assert stat.S_IMODE((home / "search.db").stat().st_mode) == 0o600


def test_index_never_holds_a_key(store, home, monkeypatch):
    one = stored(store, "one", turn(1, "the word is xyzzy-plugh-42"))
    monkeypatch.setenv("DB_PASSWORD", "xyzzy-plugh-42")  # known only now: the session's file still has it
    assert found(store, "xyzzy-plugh") == []
    assert found(store, "the word is") == [(one, "1")]
    assert b"xyzzy-plugh" not in (home / "search.db").read_bytes()


@pytest.mark.parametrize("damage", [b"no database", b"SQLite format 3\0" + b"x" * 5000, b""])
def test_damaged_index_is_made_anew(store, home, damage):
    one = stored(store, "one", turn(1, "first"))
    found(store, "first")
    (home / "search.db").write_bytes(damage)
    assert found(store, "first") == [(one, "1")]


def test_index_that_lost_its_tables_or_is_of_another_version_is_made_anew(store, home):
    one = stored(store, "one", turn(1, "first"))
    for change in ("DROP TABLE turns", "PRAGMA user_version = 99", "PRAGMA user_version = 0"):
        found(store, "first")
        database = sqlite3.connect(home / "search.db")
        database.execute(change)
        database.commit()
        database.close()
        assert found(store, "first") == [(one, "1")]


@pytest.mark.parametrize("index", [True, False], ids=["index", "no index"])
def test_session_with_a_turn_that_no_store_has_written_hides_no_other(store, home, monkeypatch, index):
    one, two = (stored(store, name, turn(1, f"leak {name}")) for name in ("one", "two"))
    signed(home / "sessions" / f"{one}.json", b'"prompt":"leak one"', b'"prompt":1,"x":"one"')
    if not index:
        monkeypatch.setattr(search_index, "TABLES", "not SQL")
    assert found(TinyStore(home), "leak") == [(two, "1")]


def test_session_that_an_older_version_could_not_read_is_found(store, home, monkeypatch):
    one = stored(store, "one", turn(1, "first"))
    with monkeypatch.context() as older:
        older.setattr(search_index, "VERSION", search_index.VERSION - 1)
        for module in (session_files, footer):
            older.setattr(module, "SCHEMA", SCHEMA - 1)
        assert found(TinyStore(home), "first") == []
    assert found(TinyStore(home), "first") == [(one, "1")]


def test_sessions_are_read_where_the_index_cannot_be_used(store, home, monkeypatch):
    one = stored(store, "one", turn(1, "first"))
    (home / "search.db").mkdir()
    assert found(store, "first") == [(one, "1")]
    (home / "search.db").rmdir()
    monkeypatch.setattr(search_index, "LOCK_SECONDS", 0.01)
    with FileLock(home / "search.lock"):
        assert found(store, "first") == [(one, "1")]
        assert found(store, "first", among=[]) == []


def test_full_disk_does_not_stop_the_search(store, monkeypatch):
    one = stored(store, "one", turn(1, "first"))

    def full(*_, **__):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(search_index.SearchIndex, "_write", full)
    assert found(store, "first") == [(one, "1")]


def test_damaged_and_foreign_files_are_left_out(store, home):
    one = stored(store, "one", turn(1, "first"))
    (home / "sessions" / "20200101-000000-00000000.json").write_text("{")
    (home / "sessions" / "notes.json").write_text("first")
    assert found(store, "first") == [(one, "1")]


def test_store_without_sessions_has_nothing_to_find(store, home):
    assert found(store, "first") == []
    assert not home.exists()


def test_interrupted_update_keeps_what_is_written(store, monkeypatch):
    ids = [stored(store, f"s{number}", turn(1, "word")) for number in range(3)]
    monkeypatch.setattr(search_index, "BATCH", 1)
    load, loaded = store._search._load, []

    def interrupted(session_id):
        if len(loaded) == 2:
            raise KeyboardInterrupt
        loaded.append(session_id)
        return load(session_id)

    store._search._load = interrupted
    with pytest.raises(KeyboardInterrupt):
        found(store, "word")
    store._search._load = load
    loaded.clear()
    assert {key[0] for key in found(store, "word")} == set(ids)


SEARCH = """
import sys
from sessionmagic import TinyStore
print(len(TinyStore(sys.argv[1]).turns_with(["word"], 100)))
"""


def test_two_processes_can_search_at_once(store, home):
    for number in range(20):
        stored(store, f"s{number}", turn(1, "word"))
    searching = [
        subprocess.Popen([sys.executable, "-c", SEARCH, str(home)], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    assert [process.communicate()[0].strip() for process in searching] == ["20", "20"]


texts = st.text(alphabet='aAbBß. *("\n\0éÉ', max_size=12)


@settings(max_examples=25)
@given(prompts=st.lists(texts, max_size=4), words=st.lists(texts.filter(str.strip), min_size=1, max_size=2))
def test_index_finds_what_a_plain_scan_finds(tmp_path_factory, prompts, words):
    tiny, memory = TinyStore(tmp_path_factory.mktemp("store")), MemoryStore()
    session = Session(
        id=new_session_id(),
        name="one",
        created_at=1.0,
        updated_at=1.0,
        turns=tuple(turn(number, prompt or "-") for number, prompt in enumerate(prompts, start=1)),
    )
    for store in (tiny, memory):
        store.create(session)
    wanted = [folded(word) for word in words]
    assert tiny.turns_with(wanted, 20) == memory.turns_with(wanted, 20)
    assert all(isinstance(key, TurnKey) for key in memory.turns_with(wanted, 20))
