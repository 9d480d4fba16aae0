"""Homes on file systems without locks: kernels keep each other out all the same, or an error says what to do."""

import errno
import fcntl
import os
import re

import pytest

from sessionmagic import TinyStore
from sessionmagic.exceptions import StoreError
from sessionmagic.storage import locks
from sessionmagic.storage.claims import HeldError, Holder
from tests.store.test_store_contract import stored
from tests.turns import ask, manager_on, on_a_loop

LINE = r"[^\n]+: No locks available; set SESSIONMAGIC_HOME to a directory of another file system[^\n]+"


@pytest.fixture
def flock_fails(monkeypatch):
    """Let the file system answer each lock with an error."""

    def fail(number):
        def flock(_file, _operation):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", flock)

    yield fail
    locks._has_locks.cache_clear()
    locks._say_once.cache_clear()
    locks.untold()


def files(home):
    return sorted(path.name for path in home.rglob("*") if path.is_file())


@on_a_loop
async def test_turns_run_without_locks_and_the_first_one_says_so(home, flock_fails):
    flock_fails(errno.ENOSYS)
    for _ in range(3):
        await ask(manager_on(home))
    first, *others = [turn.warnings for turn in manager_on(home).sessions.load("chat").turns]
    assert [warning.partition(",")[0] for warning in first] == ["the file system of the sessions has no locks"]
    assert others == [[], []]
    assert not [name for name in files(home) if name.endswith((".claim", ".lock", ".holder"))]


def test_session_without_locks_is_claimed_once(home, flock_fails):
    flock_fails(errno.ENOSYS)
    store = TinyStore(home)
    key = stored(store)
    claim = store.claim(key, Holder.here("cell In [1]"))
    assert store.is_claimed(key)
    with pytest.raises(HeldError):
        TinyStore(home).claim(key, Holder.here("cell In [2]"))
    claim.release()
    assert not store.is_claimed(key)
    TinyStore(home).claim(key, Holder.here("cell In [3]")).release()


@on_a_loop
async def test_failing_locks_are_an_error_of_one_line_that_leaves_nothing_behind(home, flock_fails):
    flock_fails(errno.ENOLCK)
    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            await ask(manager_on(home))
        assert re.fullmatch(LINE, str(caught.value))
    assert files(home) == []


@on_a_loop
async def test_locks_that_fail_later_leave_no_claim_behind(home, flock_fails):
    manager = manager_on(home)
    await ask(manager)
    before = files(home)
    flock_fails(errno.ENOLCK)
    for session in ("chat", "another"):
        with pytest.raises(StoreError, match="SESSIONMAGIC_HOME"):
            await ask(manager, session=session)
    assert files(home) == before


@pytest.fixture
def one_process(monkeypatch):
    """Let the store be in the only process, where `flock` refuses nobody, as in Pyodide."""
    monkeypatch.setattr(locks, "ONE_PROCESS", True)
    monkeypatch.setattr(fcntl, "flock", lambda _file, _operation: None)


def test_session_of_the_only_process_is_claimed_once(home, one_process):  # noqa: ARG001
    store = TinyStore(home)
    key = stored(store)
    claim = store.claim(key, Holder.here("cell In [1]"))
    assert store.is_claimed(key)
    with pytest.raises(HeldError):
        TinyStore(home).claim(key, Holder.here("cell In [2]"))
    claim.release()
    assert not store.is_claimed(key)
    claim = store.claim(key, Holder.here("cell In [3]"))
    store.delete(key)
    claim.release()
    assert not [name for name in files(home) if key in name]


@on_a_loop
async def test_turns_of_the_only_process_run_and_nothing_is_said(home, one_process):  # noqa: ARG001
    for _ in range(2):
        await ask(manager_on(home))
    assert [turn.warnings for turn in manager_on(home).sessions.load("chat").turns] == [[], []]


def test_lock_of_the_only_process_is_held_within_a_block(tmp_path, one_process):  # noqa: ARG001
    path = tmp_path / "names.lock"
    with locks.lock_of(path), pytest.raises(locks.Timeout):
        locks.lock_of(path).acquire()
    with locks.lock_of(path):
        pass
