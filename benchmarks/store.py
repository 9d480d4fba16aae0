"""The time of a commit and of a turn's admission in a store of 10 sessions and in one of 10,000."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Sample, sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionmagic import SessionManager

FEW, MANY = 10, 10_000
NAME = "session-{:06}"
PROMPT = "What spoils a churn model? "


def measure(runs: int) -> list[Figure]:
    with TemporaryDirectory(prefix="benchmark-") as few, TemporaryDirectory(prefix="benchmark-") as many:
        managers = [_fill(Path(few), FEW), _fill(Path(many), MANY)]
        return [
            _compare("a commit", managers, _commit, 20 * runs, 1.3),
            _compare("admission on a named session, turn after turn", managers, _admission, 4 * runs, 1.3),
            _compare("admission on a new session", managers, _admission_of_new, 2 * runs, None),
        ]


def _fill(home: Path, count: int) -> SessionManager:
    """Return a manager with `count` sessions of two turns: one is made, and the others are copies of its file."""
    from sessionmagic import Models, SessionManager, TinyStore

    manager = SessionManager(TinyStore(home), Models("test", home=home))
    for _ in range(2):
        manager.run_sync(PROMPT * 20, session="new")
    manager.store.rename(manager.sessions.load("new").id, NAME.format(0))  # which writes all of it to one file
    original = manager.sessions.load(NAME.format(0))
    file = next((home / "sessions").glob("*.json"))
    content = file.read_text("utf-8")
    for number in range(1, count):
        session_id = f"{original.id[:-6]}{number:06}"
        copy = content.replace(original.id, session_id).replace(original.name, NAME.format(number))
        file.with_name(f"{session_id}.json").write_text(copy, "utf-8")
    found, problems = manager.sessions.summaries()
    assert len(found) == count, problems
    return manager


def _compare(
    what: str,
    managers: list[SessionManager],
    work: Callable[[SessionManager, int], float],
    runs: int,
    target: float | None,
) -> Figure:
    times: list[list[float]] = [[], []]
    for number in range(runs):
        for side, manager in enumerate(managers):
            times[side].append(work(manager, number) * 1000)
    few, many = (sample(each) for each in times)
    # A run on the small store shares no noise with one on the large store, so medians are compared, not pairs.
    ratio = Sample((many.median / few.median,), "{:.2f} ×", f"= {many} against {few} ms")
    return Figure(f"{what}, {MANY:,} sessions against {FEW}", ratio, at_most=target)


def _commit(manager: SessionManager, number: int) -> float:
    session = manager.sessions.load(NAME.format(0))
    session_id = f"{session.id[:-6]}{1 + number % (FEW - 1):06}"
    started = time.perf_counter()
    manager.store.update(session_id, lambda stored: replace(stored, title=f"title {number}"))
    return time.perf_counter() - started


def _admission(manager: SessionManager, _number: int) -> float:
    return asyncio.run(_admit(manager, NAME.format(0)))  # the previous turn has changed its file


def _admission_of_new(manager: SessionManager, number: int) -> float:
    return asyncio.run(_admit(manager, f"new {number}"))


async def _admit(manager: SessionManager, name: str) -> float:
    started = time.perf_counter()
    turn = await manager.run(PROMPT, session=name)
    seconds = time.perf_counter() - started
    await turn.result()
    return seconds
