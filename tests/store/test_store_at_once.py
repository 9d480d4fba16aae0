"""Sessions that come and go while a store is looked at."""

import os

import pytest

from sessionmagic import TinyStore
from sessionmagic.exceptions import SessionExistsError
from tests.store.test_store_contract import session, stored


@pytest.fixture
def store(home):
    return TinyStore(home)


def test_session_that_is_deleted_before_the_listing_has_read_it_is_not_listed(store, home):
    keys = {stored(store, name) for name in ("one", "two")}
    fresh, left = TinyStore(home), set(keys)
    summary = fresh._index._read

    def load_and_lose_the_other(key):
        for other in left - {key} if len(left) == 2 else ():
            store.delete(other)
            left.remove(other)
        return summary(key)

    fresh._index._read = load_and_lose_the_other
    summaries, problems = fresh.summaries()
    assert ({summary.id for summary in summaries}, problems) == (left, [])
    assert len(left) == 1


def test_session_that_is_deleted_during_a_look_up_hides_no_other(store, home, monkeypatch):
    key, gone = stored(store, "here"), stored(store, "gone")
    fresh, scandir = TinyStore(home), os.scandir

    class Scan:
        def __init__(self, path):
            self.found = scandir(path)

        def __enter__(self):
            entries = list(self.found)
            (home / "sessions" / f"{gone}.json").unlink(missing_ok=True)
            return iter(entries)

        def __exit__(self, *exception):
            self.found.close()

    monkeypatch.setattr(os, "scandir", Scan)
    assert fresh.find("here") == key
    assert [summary.name for summary in TinyStore(home).summaries()[0]] == ["here"]
    with pytest.raises(SessionExistsError):
        TinyStore(home).create(session("here"))
