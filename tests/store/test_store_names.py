"""How sessions are found by name, whatever has happened to the file of the names."""

import json
from dataclasses import replace

import pytest

from sessionmagic import TinyStore
from sessionmagic.exceptions import SessionExistsError, StoreError
from sessionmagic.storage import names
from sessionmagic.storage.journaled import JournaledStorage
from sessionmagic.storage.names import Names
from tests.store.test_store_contract import session, stored
from tests.turns import ask, manager_on, on_a_loop, prompts


@pytest.fixture
def store(home):
    return TinyStore(home)


@pytest.fixture
def map_file(home):
    return home / "names.json"


def names_in(map_file):
    return {key: name for key, (name, *_) in json.loads(map_file.read_text()).items()}


def file_of(home, key):
    return home / "sessions" / f"{key}.json"


@pytest.fixture
def labels(monkeypatch):
    """The files whose labels were read."""
    found, read = [], names.read_label

    def read_label(path):
        found.append(path.stem)
        return read(path)

    monkeypatch.setattr(names, "read_label", read_label)
    return found


FOREIGN = b'{"20260101-000000-0123abcd": ["chat"], "20260101-000000-0123abce": ["other", 1, 2, 3]}'
ODD = b'{"20260101-000000-0123abcd": "chat", "20260101-000000-0123abce": [7, 1], "20260101-000000-0123abcf": ["a", 1]}'


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"null", b'{"x": 1}', FOREIGN, ODD])
@on_a_loop
async def test_lost_names_are_read_from_the_sessions(home, map_file, content):
    await ask(manager_on(home), "One")
    map_file.unlink() if content is None else map_file.write_bytes(content)
    await ask(manager_on(home), "Two")
    [summary], problems = TinyStore(home).summaries()
    assert (prompts(TinyStore(home).load(summary.id)), problems) == (["One", "Two"], [])
    assert names_in(map_file) == {summary.id: "chat"}


def test_name_that_leads_to_another_session_is_corrected(store, home, map_file):
    one, two = stored(store, "one"), stored(store, "two")
    map_file.write_text(json.dumps({one: ["two"], two: ["one"]}))
    assert (TinyStore(home).find("one"), TinyStore(home).find("two")) == (one, two)
    assert names_in(map_file) == {one: "one", two: "two"}


def test_session_that_the_names_do_not_know_is_found(store, home, map_file):
    stored(store, "one")
    before = map_file.read_bytes()
    two = stored(store, "two")
    map_file.write_bytes(before)
    assert TinyStore(home).find("two") == two
    with pytest.raises(SessionExistsError):
        store.create(session("two"))


def test_session_file_from_before_a_rename_keeps_its_name(store, home):
    key = stored(store, "old")
    before = file_of(home, key).read_bytes()
    store.rename(key, "new")
    file_of(home, key).write_bytes(before)
    with pytest.raises(SessionExistsError):
        TinyStore(home).create(session("old"))
    assert (store.find("old"), store.find("new")) == (key, None)


def test_new_name_reads_only_the_sessions_that_have_changed(store, home, labels):
    keys = [stored(store, f"s{number}") for number in range(5)]
    labels.clear()
    stored(store, "a")
    assert labels == []
    store.update(keys[2], lambda session: replace(session, title="A title"))
    stored(TinyStore(home), "b")
    assert labels == [keys[2]]
    stored(TinyStore(home), "c")
    store.rename(keys[1], "d")
    assert labels == [keys[2]]


@on_a_loop
async def test_names_from_before_a_rename_start_no_twin(store, home, map_file):
    key = stored(store, "old")
    before = map_file.read_bytes()
    store.rename(key, "new")
    map_file.write_bytes(before)
    result = await ask(manager_on(home), session="new")
    assert [summary.id for summary in store.summaries()[0]] == [key]
    assert store.load(key).turns[-1].id == result.turn


def test_kill_after_a_session_was_created_does_not_lose_its_name(store, home, monkeypatch):
    monkeypatch.setattr(Names, "put", lambda *_: None)
    key = stored(store, "new")
    assert TinyStore(home).find("new") == key


def test_kill_after_a_session_was_deleted_frees_its_name(store, home, monkeypatch):
    key = stored(store, "gone")
    monkeypatch.setattr(Names, "forget", lambda *_: None)
    store.delete(key)
    assert TinyStore(home).find("gone") is None
    assert stored(TinyStore(home), "gone") != key


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", ["before the session", "after the session"])
def test_kill_inside_rename_leaves_one_name(store, home, monkeypatch, step):
    key, other = stored(store, "old"), stored(store, "other")

    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(
            *((JournaledStorage, "write_session", die) if step == "before the session" else (Names, "put", die))
        )
        with pytest.raises(Killed):
            store.rename(key, "new")
    found = {name: TinyStore(home).find(name) for name in ("old", "new", "other")}
    name, free = ("old", "new") if step == "before the session" else ("new", "old")
    assert found == {name: key, free: None, "other": other}
    assert store.load(key).name == name
    assert stored(store, free) != key


def test_name_that_was_changed_in_a_file_is_found_after_a_listing(store, home):
    key = stored(store, "old")
    path = file_of(home, key)
    path.write_bytes(path.read_bytes().replace(b'"name":"old"', b'"name":"edited"'))
    store.summaries()
    assert (store.find("edited"), store.find("old")) == (key, None)


def test_session_file_that_was_added_does_not_take_a_name_over(store, home):
    key = stored(store, "chat")
    added = "20200101-000000-0123abcd"
    file_of(home, added).write_bytes(file_of(home, key).read_bytes().replace(key.encode(), added.encode()))
    assert store.find("nobody") is None
    assert (store.find("chat"), store.find(added)) == (key, added)
    store.delete(key)
    assert store.find("chat") == added


def test_session_that_cannot_be_read_keeps_its_name(store, home):
    key = stored(store, "chat")
    file_of(home, key).write_bytes(b"damaged")
    assert store.find("chat") == key
    with pytest.raises(SessionExistsError):
        store.create(session("chat"))


def test_damaged_file_that_was_put_right_is_found(store, home, map_file):
    key = stored(store, "chat")
    content = file_of(home, key).read_bytes()
    file_of(home, key).write_bytes(b"damaged")
    map_file.unlink()
    assert store.find("chat") is None
    file_of(home, key).write_bytes(content)
    assert store.find("chat") == key


def test_lookup_reads_the_label_of_one_session_and_of_none_for_a_new_name(store, labels):
    keys = [stored(store, f"s{number}") for number in range(5)]
    labels.clear()
    assert store.find("s3") == keys[3]
    assert labels == [keys[3]]
    labels.clear()
    assert store.find("new") is None
    assert labels == []


def test_only_sessions_that_the_names_do_not_know_are_read(store, home, map_file, labels):
    keys = [stored(store, f"s{number}") for number in range(5)]
    known = json.loads(map_file.read_text())
    del known[keys[2]]
    map_file.write_text(json.dumps(known))
    labels.clear()
    assert TinyStore(home).find("new") is None
    assert labels == [keys[2]]


def test_names_are_found_also_when_they_cannot_be_written(store, home, map_file, monkeypatch):
    key = stored(store, "chat")
    map_file.unlink()

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    assert (TinyStore(home).find("chat"), TinyStore(home).find("new")) == (key, None)
    with pytest.raises(StoreError, match="Permission denied"):
        stored(store, "new")


def test_name_behind_a_long_beginning_of_the_file_is_found(store, home, map_file):
    key = stored(store, "🦊" * 10_000)
    map_file.unlink()
    assert TinyStore(home).find("🦊" * 10_000) == key


def test_name_is_removed_while_no_other_can_be_created(store, monkeypatch):
    key, forget, refused = stored(store, "chat"), Names.forget, []

    def forget_with_a_rival(self, session_id):
        monkeypatch.setattr("sessionmagic.storage.tiny.LOCK_SECONDS", 0.0)
        with pytest.raises(StoreError, match=r"another process has locked .*names\.lock"):
            store.create(session("chat"))
        refused.append(session_id)
        forget(self, session_id)

    monkeypatch.setattr(Names, "forget", forget_with_a_rival)
    store.delete(key)
    assert refused == [key]
