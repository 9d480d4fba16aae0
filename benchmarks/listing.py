"""A listing of 10,000 sessions, without an index and with one. For ``--against``."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, sample
from benchmarks.long_session import NAME, fill, manager_on

if TYPE_CHECKING:
    from sessionmagic import SessionManager

SESSIONS, TURNS = 10_000, 20


def measure(runs: int) -> list[Figure]:
    with TemporaryDirectory(prefix="benchmark-") as home:
        _fill(Path(home))
        cold, warm = [], []
        for _ in range(runs):
            Path(home, "index.json").unlink(missing_ok=True)
            manager = manager_on(Path(home))
            cold.append(_seconds(manager))
            warm += [_seconds(manager) for _ in range(3)]
        return [
            Figure(f"the first listing of {SESSIONS:,} sessions, s", sample(cold, "{:.2f}")),
            Figure(f"a listing of {SESSIONS:,} sessions, s", sample(warm, "{:.3f}")),
        ]


def _seconds(manager: SessionManager) -> float:
    started = time.perf_counter()
    found, problems = manager.sessions.summaries()
    seconds = time.perf_counter() - started
    assert len(found) == SESSIONS, problems
    return seconds


def _fill(home: Path) -> None:
    """Store many sessions: one is created whole, and the others are copies of its file."""
    store = manager_on(home).store
    session = store.load(fill(home, TURNS))
    store.delete(session.id)
    original = replace(session, id=f"{session.id[:-6]}{0:06}", name=f"{NAME}-{0:06}")
    store.create(original)
    [file] = (home / "sessions").glob("*.json")
    content = file.read_text("utf-8")
    for number in range(1, SESSIONS):
        session_id = f"{original.id[:-6]}{number:06}"
        copy = content.replace(original.id, session_id).replace(original.name, f"{NAME}-{number:06}")
        file.with_name(f"{session_id}.json").write_text(copy, "utf-8")
