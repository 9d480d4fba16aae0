"""The time of a listing and of a search in a store of 10,000 sessions of 20 turns, when the indexes are up to date."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest import mock

from benchmarks.figures import Figure, sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic import SessionManager

SESSIONS, TURNS = 10_000, 20
PROMPT_WORDS, ANSWER_WORDS = 15, 110
SECONDS_BETWEEN = 60
SYLLABLES = [
    "ka",
    "lo",
    "mi",
    "ter",
    "pre",
    "con",
    "sta",
    "ing",
    "ous",
    "gen",
    "model",
    "data",
    "test",
    "leak",
    "churn",
]
SEARCHES = {
    "a word in most turns": "model",
    "a word in few": "leakgeningous",
    "three words": "churn model leak",
    "no hit": "zzqx a.b*(",
    "two letters": "zq",
}
SEARCH_MS = 300


def listing(runs: int) -> list[Figure]:
    with TemporaryDirectory(prefix="benchmark-") as home:
        _fill(Path(home))
        cold, warm = [], []
        for _ in range(runs):
            Path(home, "index.json").unlink(missing_ok=True)
            manager = _manager(Path(home))
            cold.append(_timed(lambda: _list(manager)))  # noqa: B023  called at once
            warm += [_timed(lambda: _list(manager)) for _ in range(4)]  # noqa: B023
    return [
        Figure(f"the first listing of {SESSIONS:,} sessions, ms", sample(cold, "{:.0f}"), at_most=1_000),
        Figure(f"a listing of {SESSIONS:,} sessions, ms", sample(warm, "{:.0f}"), at_most=150),
    ]


def _list(manager: SessionManager) -> None:
    found, problems = manager.sessions.summaries()
    assert len(found) == SESSIONS, problems


def searching(runs: int) -> list[Figure]:
    with TemporaryDirectory(prefix="benchmark-") as home:
        manager = _fill(Path(home))
        first = _timed(lambda: _search(manager, "model"))
        times = {
            what: [_timed(lambda: _search(manager, words)) for _ in range(4 * runs)]  # noqa: B023  called at once
            for what, words in SEARCHES.items()
        }
    return [
        Figure(f"the first search in {SESSIONS:,} sessions", sample([first / 1000], "{:.1f} s")),
        *(
            Figure(f"search, {what}, {SESSIONS:,} sessions of {TURNS} turns", sample(each, "{:.0f} ms"), SEARCH_MS)
            for what, each in times.items()
        ),
    ]


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def _search(manager: SessionManager, words: str) -> object:
    from sessionmagic.sessions.find import search

    return search(manager.sessions, manager.store, words.split(), 20)


def _manager(home: Path) -> SessionManager:
    from sessionmagic import Models, SessionManager, TinyStore

    return SessionManager(TinyStore(home), Models("test", home=home))


def _fill(home: Path) -> SessionManager:
    """Return a manager with many sessions: one is made, and the others are its file with other texts."""
    manager = _manager(home)
    for number in range(TURNS):
        manager.run_sync(f"prompt {number}", session="new")
    manager.store.rename(manager.sessions.load("new").id, "original")  # which writes all of it to one file
    original = manager.sessions.load("original")
    file = next((home / "sessions").glob("*.json"))
    database = json.loads(file.read_text("utf-8"))
    texts = _texts()
    for number in range(SESSIONS):
        session_id = f"{original.id[:-6]}{number:06}"
        copy = _with_texts(database, session_id, f"session-{number:06}", texts, number * SECONDS_BETWEEN)
        file.with_name(f"{session_id}.json").write_text(json.dumps(copy), "utf-8")
        with mock.patch("os.fsync"):  # the files must be as a store writes them, but need not be on the disk
            manager.store.update(session_id, lambda stored: replace(stored, starred=not stored.starred))
    manager.store.delete(original.id)
    return manager


def _texts() -> Callable[[int], str]:
    """Return a function that returns a text of so many words, of which some are frequent, as in a language."""
    chance = random.Random(1)
    words = ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 4))) for _ in range(20_000)]
    weights = list(accumulate(1 / rank for rank in range(1, len(words) + 1)))
    stock = chance.choices(words, cum_weights=weights, k=1_000_000)

    def text(length: int) -> str:
        start = chance.randrange(len(stock) - length)
        return " ".join(stock[start : start + length])

    return text


def _with_texts(
    database: dict[str, Any], session_id: str, name: str, text: Callable[[int], str], later: float
) -> dict[str, Any]:
    session = database["session"]["1"]
    session = session | {"id": session_id, "name": name, "updated_at": session["updated_at"] + later}
    turns = {}
    for number, turn in database["turns"].items():
        prompt, (asked, answered) = text(PROMPT_WORDS), turn["messages"]
        asked = asked | {"parts": [asked["parts"][0] | {"content": prompt}]}
        answered = answered | {"parts": [answered["parts"][0] | {"content": text(ANSWER_WORDS)}]}
        times = {name: turn[name] + later for name in ("started_at", "finished_at")}
        turns[number] = turn | times | {"prompt": prompt, "messages": [asked, answered]}
    return {**database, "session": {"1": session}, "turns": turns}


PARTS = {"listing": listing, "searching": searching}
