"""A store on disk that threads and processes use at once, also when they are killed."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from sessionmagic import TinyStore
from sessionmagic.storage.claims import Holder
from tests.store.test_claims import write
from tests.store.test_store_contract import stored

KILLS = int(os.environ.get("SESSIONMAGIC_KILLS", "20"))


@pytest.fixture
def home(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def store(home):
    return TinyStore(home)


@pytest.fixture
def eager_threads():
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_threads")
def test_threads_may_look_while_others_create_and_delete(store):
    stable = stored(store, "stable")
    over, errors = time.monotonic() + 1.0, []

    def repeat(work):
        try:
            while time.monotonic() < over:
                work()
        except Exception as error:  # noqa: BLE001  the test shows any
            errors.append(error)

    def come_and_go():
        keys = [stored(store, f"guest {threading.get_ident()} {number}") for number in range(4)]
        for key in keys:
            store.delete(key)

    def look():
        assert store.find("stable") == stable
        assert store.find("nobody") is None
        assert "stable" in [summary.name for summary in store.summaries()[0]]

    threads = [threading.Thread(target=repeat, args=(work,)) for work in (come_and_go, come_and_go, look, look)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []


WRITER = """
import os, sys
from dataclasses import replace
from sessionmagic import TinyStore
from sessionmagic.storage.claims import Holder
store = TinyStore(sys.argv[1])
key, much = sys.argv[2], "x" * 50_000
def write(times):
    for _ in range(times):
        after = store.update(key, lambda now: replace(now, title=str(int(now.title) + 1), working_dir=much))
        os.write(1, f"{after.title}\\n".encode())
"""


COUNT = WRITER + "write(int(sys.argv[3]))"


FORKER = """
store.load(key)  # what is slow to import
for line in sys.stdin:
    if os.fork() == 0:
        os.write(1, f"pid {os.getpid()}\\n".encode())
        write(10**9)
    os.wait()
    os.write(1, b"dead\\n")
"""


FORKS = WRITER + FORKER


NAMER = """
import os, random, sys
from dataclasses import replace
from sessionmagic import TinyStore
from sessionmagic.storage.claims import Holder
from sessionmagic.exceptions import SessionExistsError, SessionNotFoundError
from sessionmagic.storage.store import new_session_id
store, key = TinyStore(sys.argv[1]), sys.argv[2]
def write(times):
    chance = random.Random(os.getpid())
    for _ in range(times):
        one, other = (f"name {chance.randrange(5)}" for _ in range(2))
        found = store.find(one)
        try:
            if found is None:
                store.create(replace(store.load(key), id=new_session_id(), name=one))
            elif chance.random() < 0.5:
                store.rename(found, other)
            else:
                store.delete(found)
        except (SessionExistsError, SessionNotFoundError):
            pass  # by the other process
"""


def writer(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_two_processes_lose_no_change(store, home):
    key = stored(store, title="0")
    both = [writer(COUNT, home, key, 200) for _ in range(2)]
    assert [process.wait(100) for process in both if process.communicate(timeout=100)] == [0, 0]
    assert store.load(key).title == "400"


@pytest.mark.once
@pytest.mark.timeout(900)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_kill_at_any_moment_of_writing_leaves_the_session_whole(store, home):
    """SESSIONMAGIC_KILLS sets how often."""
    key = stored(store, title="0")
    moments, known = random.Random(7), 0
    with writer(FORKS, home, key) as process:
        for _ in range(KILLS):
            process.stdin.write("\n")
            process.stdin.flush()
            pid = int(process.stdout.readline().removeprefix("pid "))
            acknowledged = int(process.stdout.readline())
            time.sleep(moments.uniform(0.0, 0.02))
            os.kill(pid, signal.SIGKILL)
            while (line := process.stdout.readline()) != "dead\n":
                acknowledged = int(line)
            known = int(store.load(key).title)
            assert known - acknowledged in {0, 1}
        process.stdin.close()
    assert known >= KILLS
    store.update(key, lambda now: replace(now, title="after"))
    assert TinyStore(home).load(key).title == "after"
    summaries, problems = TinyStore(home).summaries()
    assert ([summary.title for summary in summaries], problems) == (["after"], [])


def names_of(home):
    """Return the names of all sessions, once each leads to its session, and those that lead to none are free."""
    summaries, problems = TinyStore(home).summaries()
    assert problems == []
    names = sorted(summary.name for summary in summaries)
    for summary in summaries:
        assert TinyStore(home).find(summary.name) == summary.id
    for name in {f"name {number}" for number in range(5)} - set(names):
        assert TinyStore(home).find(name) is None
    return names


@pytest.mark.once
def test_two_processes_that_name_sessions_lose_no_name(store, home):
    key = stored(store)
    both = [writer(NAMER + "write(int(sys.argv[3]))", home, key, 150) for _ in range(2)]
    assert [process.wait(100) for process in both if process.communicate(timeout=100)] == [0, 0]
    names = names_of(home)
    assert len(set(names)) == len(names)


@pytest.mark.once
@pytest.mark.timeout(900)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_kill_at_any_moment_of_naming_loses_no_name(store, home):
    """SESSIONMAGIC_KILLS sets how often."""
    key = stored(store)
    moments = random.Random(13)
    with writer(NAMER + FORKER, home, key) as process:
        for _ in range(KILLS):
            process.stdin.write("\n")
            process.stdin.flush()
            pid = int(process.stdout.readline().removeprefix("pid "))
            time.sleep(moments.uniform(0.0, 0.05))
            os.kill(pid, signal.SIGKILL)
            assert process.stdout.readline() == "dead\n"
            stated = {store.load(path.stem).name: path.stem for path in (home / "sessions").glob("*.json")}
            for name in [f"name {number}" for number in range(5)]:  # before a listing, which corrects the names
                assert TinyStore(home).find(name) == stated.get(name)
            names = names_of(home)
            assert len(set(names)) == len(names)
        process.stdin.close()


def test_claims_are_never_refused_because_of_who_only_checks(home, store):
    key = stored(store, "chat")
    note = home / "sessions" / f"{key}.holder"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    stop = threading.Event()

    def check():
        while not stop.is_set():
            store.is_claimed(key)

    threads = [threading.Thread(target=check) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(30):
            write(note, ended.pid)
            store.claim(key, Holder.here("cell")).release()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
