"""kill -9 in mid-stream: the session is free at once, valid, and goes on."""

import os
import random
import time

import pytest

from sessionmagic.storage.journaled import JournaledStorage
from tests.kernel.kernels import comes_true

pytestmark = pytest.mark.once

ROUNDS = int(os.environ.get("SESSIONMAGIC_KILL_ROUNDS", "2"))


def test_a_killed_kernel_frees_its_session_at_once_and_another_goes_on(start, session):
    survivor = start()
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    for number in range(ROUNDS):
        victim = start()
        victim.run("script('endless', paced([f'word{i} ' for i in range(6000)], 0.01))").ok()
        cell = victim.send(f"%%agent -m endless -s {session}\nquestion {number}")
        cell.until_shows(f"word{chance.randrange(100)} ")
        assert survivor.run(f"%%agent -m hello -s {session}\nhi").ename == "SessionBusyError"
        victim.kill()
        survivor.run("found = %agent sessions").ok()
        listed = survivor.value(f"[item.status for item in found if item.name == {session!r}]")
        assert listed == "['interrupted']", seed
        after = survivor.run(f"%%agent -m prompts -s {session}\nanswer {number}").ok()
        asked = [f"{kind} {earlier}" for earlier in range(number + 1) for kind in ("question", "answer")]
        assert after.text.split() == " ".join(asked).split(), seed
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
        JournaledStorage(path).read()
    assert not list((survivor.store / "sessions").glob("*.unreadable-*"))


SOON = """
from sessionmagic.notebook.page import draft
from sessionmagic.turns import partial
draft.TEXT_SECONDS = partial.PAUSE_SECONDS = 0.2;
"""


def test_what_was_on_the_page_before_a_kill_is_shown_from_the_store_and_kept_under_the_cell(start, session, pen):
    survivor, victim = start(), start()
    victim.run(SOON).ok()
    cell = victim.send(f"%%agent -m dictated -s {session}\n{pen}")
    pen.write("Half of **an answer**")
    cell.until(lambda cell: "<strong>an answer</strong>" in cell.html)
    comes_true(lambda: "an answer" in survivor.run(f"%agent show {session}").ok().text)
    victim.kill()
    shown = survivor.run(f"%agent show {session}").ok()
    assert "Half of <strong>an answer</strong>" in shown.html
    assert "interrupted" in shown.html
    [_area, draft] = cell.outputs
    assert f"%agent show {session} shows how it ended" in draft["data"]["text/plain"]
    after = survivor.run(f"%%agent -m recalls -s {session}\nAnd?").ok()
    assert "text: Half of **an answer**" in after.text.splitlines()


def test_what_columns_had_said_before_a_kill_is_kept_under_the_cell_without_their_hidden_names(start, session, pen):
    victim = start()
    victim.run(SOON).ok()
    cell = victim.send(f"%%agent --compare dictated hello --blind -s {session}\n{pen}")
    pen.write("Half of **an answer**")
    cell.until(lambda cell: all(words in cell.html for words in ("Hello <strong>world", "of <strong>an answer")))
    victim.kill()
    [_area, draft] = cell.outputs
    assert f"%agent branches {session} shows how it ended" in draft["data"]["text/plain"]
    assert not any(name in str(draft["data"]) for name in ("dictated", "hello"))
