"""What the store promises about its files: modes, full disks, the index."""

import errno
import json
import os
import socket
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from sessionmagic import TinyStore
from sessionmagic.exceptions import SessionNotFoundError, StoreError
from sessionmagic.storage import atomic, journal, journaled, session_files
from sessionmagic.storage.claims import HeldError, Holder
from tests.store.test_store_contract import session, stored
from tests.turns import ask, manager_on, on_a_loop


@pytest.fixture
def store(home):
    return TinyStore(home)


def file_of(home, key):
    return home / "sessions" / f"{key}.json"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
@on_a_loop
async def test_everything_is_for_the_user_alone(home):
    manager = manager_on(home)
    before = os.umask(0)
    try:
        await ask(manager)
        turn = await manager.run("Hello", session="chat", model="hang")
        manager.sessions.summaries()
        during = [(path, mode(path)) for path in home.rglob("*")]
        turn.cancel()
        await turn.result()
    finally:
        os.umask(before)
    assert {path.suffix for path, _ in during} >= {".json", ".journal", ".claim", ".holder"}
    assert mode(home) == mode(home / "sessions") == 0o700
    assert {path.name: oct(found) for path, found in during if not path.is_dir() and found != 0o600} == {}


@pytest.fixture(params=[errno.ENOSPC, errno.EROFS, errno.EACCES], ids=["full", "read-only", "forbidden"])
def broken_disk(request, monkeypatch):
    """Make the disk refuse to write."""
    real = os.open

    def refuse(path, flags, *args, **options):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(request.param, os.strerror(request.param), str(path))
        return real(path, flags, *args, **options)

    def break_it():
        monkeypatch.setattr(os, "open", refuse)
        return os.strerror(request.param)

    return break_it


def test_disk_that_cannot_be_written_is_one_clear_line_and_keeps_what_there_was(store, home, broken_disk):
    key = stored(store, title="before")
    content = file_of(home, key).read_bytes()
    reason = broken_disk()
    with pytest.raises(StoreError, match=reason):
        store.update(key, lambda now: replace(now, title="after"))
    with pytest.raises(StoreError, match=reason):
        store.create(session("new"))
    with pytest.raises(StoreError, match=reason):
        store.claim(key, Holder.here("cell"))
    assert store.load(key).title == "before"
    assert [summary.title for summary in store.summaries()[0]] == ["before"]
    assert file_of(home, key).read_bytes() == content


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def half_written(write=os.write):
    """A write to a disk that becomes full in the middle of it."""

    def write_half(handle, content):
        write(handle, bytes(content)[: len(content) // 2])
        full()

    return write_half


class HalfWritten:
    """A file on a disk that becomes full in the middle of a write."""

    def __init__(self, file):
        self._file = file

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._file.close()

    def write(self, content):
        self._file.write(content[: len(content) // 2])
        full()


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.suffix != ".lock"}


@pytest.mark.parametrize("commits", [0, 2])
@pytest.mark.parametrize("step", ["write", "fsync"])
def test_disk_that_fills_up_in_the_middle_of_a_commit_leaves_the_files(store, home, monkeypatch, step, commits):
    monkeypatch.setattr(session_files, "SMALL_SESSION", 0)
    key = stored(store, title="before")
    for number in range(commits):
        store.update(key, lambda now, number=number: replace(now, budget=float(number)))
    before = contents(home / "sessions")
    with monkeypatch.context() as patch:
        patch.setattr(os, step, half_written() if step == "write" else full)
        with pytest.raises(StoreError, match=r"No space left on device.*nothing was changed"):
            store.update(key, lambda now: replace(now, title="after"))
    assert contents(home / "sessions") == before
    assert TinyStore(home).load(key).title == "before"
    store.update(key, lambda now: replace(now, title="after"))
    assert TinyStore(home).load(key).title == "after"


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_disk_that_fills_up_while_a_session_is_renamed_leaves_the_old_files(store, home, monkeypatch, step):
    key = stored(store)
    store.update(key, lambda now: replace(now, title="before"))
    before = contents(home / "sessions")
    fdopen = os.fdopen
    with monkeypatch.context() as patch:
        match step:
            case "write":
                patch.setattr(os, "fdopen", lambda *args, **options: HalfWritten(fdopen(*args, **options)))
            case "fsync":
                patch.setattr(os, "fsync", full)
            case _:
                patch.setattr("pathlib.Path.replace", full)
        with pytest.raises(StoreError, match="No space left on device"):
            store.rename(key, "new")
    assert contents(home / "sessions") == before
    assert TinyStore(home).load(key).title == "before"
    store.rename(key, "new")
    assert (TinyStore(home).load(key).name, TinyStore(home).load(key).title) == ("new", "before")


@pytest.mark.parametrize("step", ["write", "replace"])
def test_disk_that_fills_up_while_a_journal_is_folded_still_takes_the_commit(store, home, monkeypatch, step):
    monkeypatch.setattr(session_files, "SMALL_SESSION", 0)
    key = stored(store)
    store.update(key, lambda now: replace(now, title="before"))
    fdopen, snapshot = os.fdopen, file_of(home, key).read_bytes()

    monkeypatch.setattr(session_files, "SMALLEST_FOLD", 0)
    with monkeypatch.context() as patch:
        match step:
            case "write":
                patch.setattr(os, "fdopen", lambda *args, **options: HalfWritten(fdopen(*args, **options)))
            case _:
                patch.setattr("pathlib.Path.replace", full)
        for number in range(20):
            store.update(key, lambda now, number=number: replace(now, title=f"after {number}"))
    assert file_of(home, key).read_bytes() == snapshot
    assert TinyStore(home).load(key).title == "after 19"
    store.update(key, lambda now: replace(now, title="with room"))
    assert not file_of(home, key).with_suffix(".journal").exists()
    assert TinyStore(home).load(key).title == "with room"
    assert sorted(contents(home / "sessions")) == [f"{key}.json"]


def test_rename_that_a_full_disk_refuses_leaves_the_old_name_alone(store, monkeypatch):
    key = stored(store, "old")
    with monkeypatch.context() as patch:
        patch.setattr(session_files.JournaledStorage, "write_session", full)
        with pytest.raises(StoreError, match="No space left on device"):
            store.rename(key, "new")
    assert (store.find("old"), store.find("new"), store.load(key).name) == (key, None, "old")
    assert stored(store, "new") != key


@on_a_loop
async def test_deleted_session_leaves_no_file(home):
    manager = manager_on(home)
    await ask(manager, session="gone")
    await ask(manager, session="here")
    gone, here = (manager.sessions.load(name).id for name in ("gone", "here"))
    for key in (gone, here):
        for left in ("json.0123abcd.tmp", "json.unreadable-01ab", "journal.unreadable-01ab"):
            file_of(home, key).with_name(f"{key}.{left}").write_text("what it said")
    kept = {path for path in home.rglob("*") if here in path.name}
    await manager.delete("gone")
    assert [path for path in home.rglob("*") if gone in path.name] == []
    assert {path for path in home.rglob("*") if here in path.name} == kept
    assert list(json.loads((home / "names.json").read_text())) == [here]


@pytest.mark.parametrize("host", [socket.gethostname(), "container-of-yesterday"])
def test_session_whose_holder_died_is_held_by_nobody_whatever_has_its_pid_now(store, home, host):
    key = stored(store)
    note = home / "sessions" / f"{key}.holder"
    left = json.dumps({"where": "cell", "pid": os.getpid(), "host": host, "since": 1.0})
    note.write_text(left)
    assert not store.is_claimed(key)
    assert not note.exists()
    claim = store.claim(key, Holder.here("cell"))
    note.write_text(left)
    assert store.is_claimed(key)
    claim.release()
    assert not store.is_claimed(key)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"where": "cell"}'])
def test_session_whose_holder_cannot_be_read_is_held_all_the_same(store, home, content):
    key = stored(store)
    claim = store.claim(key, Holder.here("cell"))
    (home / "sessions" / f"{key}.holder").write_text(content)
    with pytest.raises(HeldError) as caught:
        store.claim(key, Holder.here("another"))
    assert caught.value.holder is None
    claim.release()


def test_claim_whose_note_cannot_be_written_leaves_the_session_free(store, monkeypatch):
    key = stored(store)

    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(StoreError, match="No space left on device"):
            store.claim(key, Holder.here("cell"))
    store.claim(key, Holder.here("cell")).release()


def test_home_that_is_a_file_is_one_clear_line(tmp_path):
    (tmp_path / "home").write_text("a file")
    with pytest.raises(StoreError, match="home"):
        stored(TinyStore(tmp_path / "home"))


def test_store_that_is_not_there_yet_is_empty(store, home):
    assert store.summaries() == ([], [])
    assert store.find("chat") is None
    assert not home.exists()


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"null", b'{"x": 1}', b'{"x": [[1, 2, 3], {"id": 1}]}'])
def test_index_is_rebuilt_from_the_sessions(store, home, content):
    keys = {stored(store, name, title=name) for name in ("one", "two")}
    store.summaries()
    index = home / "index.json"
    assert index.exists()
    index.unlink() if content is None else index.write_bytes(content)
    fresh = TinyStore(home)
    summaries, problems = fresh.summaries()
    assert {summary.id for summary in summaries} == keys
    assert problems == []
    assert fresh.load(fresh.find("one")).title == "one"


def test_index_that_lies_is_not_believed(store, home):
    key = stored(store, "one")
    store.summaries()
    store.delete(key)
    fresh = TinyStore(home)
    assert fresh.summaries() == ([], [])
    assert fresh.find("one") is None


@pytest.fixture
def written(monkeypatch):
    """The names of the files that were written, in order."""
    names, replace_in_parts, append_line = [], atomic.replace_in_parts, journal.append_line

    def replaced(path, *args):
        names.append(path.name)
        return replace_in_parts(path, *args)

    def appended(path, *args):
        names.append(path.name)
        return append_line(path, *args)

    for module in (atomic, journaled):
        monkeypatch.setattr(module, "replace_in_parts", replaced)
    monkeypatch.setattr(journaled, "append_line", appended)
    return names


@on_a_loop
async def test_turn_of_a_known_session_writes_its_own_files_and_no_index(home, written):
    manager = manager_on(home)
    await ask(manager)
    await ask(manager, session="other")
    await ask(manager)
    manager.sessions.summaries()
    key = manager.sessions.load("chat").id
    del written[:]
    turn = await manager.run("Hello", session="chat", model="hang")
    assert written == [f"{key}.journal"], "admission is one write"
    turn.cancel()
    await turn.result()
    await ask(manager, model="calm")
    assert set(written) == {f"{key}.journal", f"{key}.json"}


@pytest.mark.parametrize("name", ["{} (conflicted copy)", "{}.sync-conflict-1", "20260101-000000-0123abcd"])
def test_copy_of_a_session_file_is_no_second_session_and_is_named_in_one_line(store, home, name):
    key = stored(store)
    copy = file_of(home, name.format(key))
    copy.write_bytes(file_of(home, key).read_bytes())
    for _ in range(2):  # the second time, from the index
        summaries, [problem] = store.summaries()
        assert [summary.id for summary in summaries] == [key]
        assert problem == f"{copy} is a copy of the session {key} and is not used; delete it if you do not need it"
    assert store.find("chat") == key
    with pytest.raises((StoreError, SessionNotFoundError), match=r"is a copy of the session|no session has the id"):
        store.load(copy.stem)
    assert copy.read_bytes() == file_of(home, key).read_bytes()


def test_session_file_that_was_renamed_is_reported_with_the_name_that_it_needs(store, home):
    key = stored(store)
    file_of(home, key).rename(file_of(home, "mine"))
    summaries, [problem] = store.summaries()
    assert summaries == []
    assert f"rename it to {key}.json to use it" in problem


def test_backup_of_a_session_file_is_neither_listed_nor_deleted(store, home):
    key = stored(store)
    backup = home / "sessions" / f"{key}.json.bak"
    backup.write_bytes(file_of(home, key).read_bytes())
    assert store.summaries()[1] == []
    store.delete(key)
    assert backup.exists()
