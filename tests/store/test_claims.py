"""Claims that meet processes which check, take or release the same claim at that moment."""

import json
import os
import subprocess
import sys

import pytest
from filelock import FileLock

from sessionmagic import TinyStore
from sessionmagic.storage import claims
from sessionmagic.storage.claims import HeldError, Holder
from tests.store.test_store_contract import stored


@pytest.fixture
def store(home):
    return TinyStore(home)


@pytest.fixture(scope="module")
def dead():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def key(store):
    return stored(store)


@pytest.fixture
def note(home, key):
    return home / "sessions" / f"{key}.holder"


@pytest.fixture
def lock(home, key):
    """The lock of the claim, taken by nobody who has a note."""
    lock = FileLock(home / "sessions" / f"{key}.claim", thread_local=False)
    with lock:
        yield lock


def write(note, pid, host=None):
    holder = Holder.here("cell")
    values = {"where": "cell", "pid": pid, "host": host or holder.host, "since": holder.since}
    note.write_text(json.dumps(values))


@pytest.fixture
def sleeps(monkeypatch):
    """Acts between two attempts, instead of sleeping."""
    acts = []
    monkeypatch.setattr(claims.time, "sleep", lambda _: acts.pop(0)())
    return acts


def test_claim_waits_for_who_clears_the_note_of_a_dead_holder(store, key, note, lock, dead, sleeps):
    write(note, dead)
    sleeps += [lambda: None, note.unlink, lambda: None, lock.release]
    store.claim(key, Holder.here("cell")).release()
    assert sleeps == []


def test_claim_waits_for_who_releases_the_session(store, key, lock, sleeps):
    sleeps += [lambda: None, lock.release]
    store.claim(key, Holder.here("cell")).release()


def test_claim_that_another_process_takes_first_is_refused(store, key, note, lock, dead, sleeps):
    assert lock.is_locked
    write(note, dead)
    sleeps += [lambda: write(note, os.getpid())]
    with pytest.raises(HeldError) as caught:
        store.claim(key, Holder.here("cell"))
    assert caught.value.holder.pid == os.getpid()


def test_claim_that_is_held_here_is_refused_at_once(store, key, sleeps):
    claim = store.claim(key, Holder.here("cell"))
    with pytest.raises(HeldError):
        store.claim(key, Holder.here("another"))
    assert store.is_claimed(key)
    assert sleeps == []
    claim.release()


@pytest.mark.parametrize("shown", ["another host", "no note"])
def test_claim_whose_holder_is_not_known_is_refused_after_a_moment(
    store, key, note, lock, dead, sleeps, monkeypatch, shown
):
    assert lock.is_locked
    if shown == "another host":
        write(note, dead, "elsewhere")
    now = iter([0.0, 0.1, 0.4, 0.6])
    monkeypatch.setattr(claims.time, "monotonic", lambda: next(now))
    sleeps += [lambda: None] * 2
    with pytest.raises(HeldError):
        store.claim(key, Holder.here("cell"))
    assert (list(now), sleeps) == ([], [])


def test_session_that_another_process_checks_is_not_claimed(store, key, note, lock, dead, sleeps):
    write(note, dead)
    sleeps += [note.unlink, lock.release]
    assert not store.is_claimed(key)
