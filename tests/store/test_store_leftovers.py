"""What killed processes leave in a store is deleted after a while, and nothing else is."""

import os
import time
from dataclasses import replace

import pytest
from filelock import FileLock

from sessionmagic import TinyStore
from sessionmagic.storage.claims import Holder
from sessionmagic.storage.leftovers import LEFT_SECONDS
from sessionmagic.storage.store import new_session_id
from tests.store.test_store_contract import session, stored

GONE = "20260101-000000-0123abcd"


@pytest.fixture
def store(home):
    return TinyStore(home)


@pytest.fixture
def key(store):
    return stored(store)


def left(path, age=LEFT_SECONDS + 1):
    """A file that was last written `age` seconds ago."""
    path.write_text("{")
    os.utime(path, (time.time() - age,) * 2)
    return path


def files(home):
    return {path for path in home.rglob("*") if path.is_file() and path.name not in ("index.json", "names.lock")}


def leftovers(home, key, age=LEFT_SECONDS + 1):
    directory = home / "sessions"
    names = [f"{key}.json.0123abcd.tmp", f"{key}.holder", f"{GONE}.json.0123abcd.tmp"]
    names += [f"{GONE}.{suffix}" for suffix in ("lock", "claim", "holder")]
    own = [left(directory / name, age) for name in names]
    return [*own, *(left(home / f"{name}.json.0123abcd.tmp", age) for name in ("index", "names"))]


def test_leftovers_are_deleted_with_a_listing(store, home, key):
    before = files(home)
    leftovers(home, key)
    store.summaries()
    assert files(home) - {home / "sessions" / f"{key}.{suffix}" for suffix in ("lock", "claim")} == before
    assert store.load(key).id == key


@pytest.mark.parametrize("age", [LEFT_SECONDS - 60, -3600], ids=["young", "from the future"])
def test_what_may_be_in_use_is_kept(store, home, key, age):
    leftovers(home, key, age)
    before = files(home)
    store.summaries()
    assert files(home) == before


@pytest.mark.parametrize("killed", ["deleted", "set aside", "moved by hand"])
def test_journal_without_its_session_is_kept_and_told(store, home, key, killed):
    journal, snapshot = (home / "sessions" / f"{key}.{suffix}" for suffix in ("journal", "json"))
    left(journal)
    if killed == "deleted":
        snapshot.unlink()
    else:
        snapshot.rename(f"{snapshot}.unreadable-01ab" if killed == "set aside" else home / snapshot.name)
    _, problems = store.summaries()
    assert f"{journal} continues {snapshot.name}, which is missing; put that back, or delete the journal" in problems
    assert len(problems) == (2 if killed == "set aside" else 1)
    assert journal.read_text() == "{"


def test_what_somebody_else_has_made_is_kept(store, home, key):
    directory = home / "sessions"
    for name in ("json.bak", "json.copy.tmp", "json.unreadable-01ab", "json~", "tmp", "lock.bak", "txt"):
        left(directory / f"{key}.{name}")
        left(directory / f"{GONE}.{name}")
    for name in ("notes.tmp", "mine.lock", "x.holder"):
        left(directory / name)
        left(home / name)
    before = files(home)
    store.summaries()
    assert files(home) == before


def test_locks_of_a_session_that_is_about_to_be_created_are_kept(store, home):
    stored(store)
    new = new_session_id()
    claim = store.claim(new, Holder.here("cell"))
    for suffix in ("claim", "holder"):
        left(home / "sessions" / f"{new}.{suffix}")
    store.summaries()
    assert store.is_claimed(new)
    store.create(replace(session("new"), id=new))
    claim.release()
    assert store.find("new") == new


@pytest.mark.parametrize("locked", ["names.lock", "sessions/{}.lock"])
def test_nothing_is_deleted_while_it_is_locked(store, home, key, locked):
    path = left(home / "sessions" / f"{key}.json.0123abcd.tmp")
    with FileLock(home / locked.format(key), thread_local=False):
        store.summaries()
    assert path.exists()
    TinyStore(home).summaries()
    assert not path.exists()


def test_lock_files_of_sessions_that_exist_are_kept(store, home, key):
    with FileLock(home / "sessions" / f"{key}.claim", thread_local=False) as claim:
        before = {left(home / "sessions" / f"{key}.{suffix}") for suffix in ("lock", "claim")}
        store.summaries()
        assert claim.is_locked
    assert before <= files(home)
