"""kill -9 in mid-stream: the session is free at once, valid, and goes on."""

import json
import os
import random
import time

import pytest

pytestmark = pytest.mark.once

ROUNDS = int(os.environ.get("SESSIONMAGIC_KILL_ROUNDS", "2"))


def test_a_killed_kernel_frees_its_session_at_once_and_another_goes_on(start, session):
    survivor = start()
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    for number in range(ROUNDS):
        victim = start()
        cell = victim.send(f"%%agent -m slow -s {session}\nquestion {number}")
        cell.until_shows(f"word{chance.randrange(100)} ")
        assert survivor.run(f"%%agent -m hello -s {session}\nhi").ename == "SessionBusyError"
        victim.kill()
        survivor.run("found = %agent sessions").ok()
        listed = survivor.value(f"[item.status for item in found if item.name == {session!r}]")
        assert listed == "['interrupted']", seed
        after = survivor.run(f"%%agent -m prompts -s {session}\nanswer {number}").ok()
        asked = [f"{kind} {earlier}" for earlier in range(number + 1) for kind in ("question", "answer")]
        assert after.text.splitlines() == asked, seed
    shown = survivor.run(f"%agent show {session}").ok()
    assert shown.html.count("interrupted") == ROUNDS, seed


def test_a_kill_at_any_moment_of_the_start_leaves_a_session_that_works(start, session):
    survivor = start()
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    for number in range(max(1, ROUNDS // 2)):
        victim = start()
        cell = victim.send(f"%%agent -m hello -s {session}\nquestion {number}")
        cell.until(lambda cell: cell.messages)
        time.sleep(chance.uniform(0, 0.2))
        victim.kill()
        survivor.run(f"%%agent -m recalls -s {session}\nanswer {number}").ok()
        assert survivor.value("_agent.status") == "'completed'", seed
    for path in (survivor.store / "sessions").glob("*.json"):
        json.loads(path.read_text())
    assert not list((survivor.store / "sessions").glob("*.unreadable-*"))
