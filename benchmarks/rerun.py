"""The time to admit a turn that takes the place of turn 3 in a session of 1,000 turns, against one that goes on."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, sample

if TYPE_CHECKING:
    from sessionmagic import SessionManager

TURNS = 1_000
PROMPT = "What spoils a churn model? " * 20


def measure(runs: int) -> list[Figure]:
    with TemporaryDirectory(prefix="benchmark-") as home:
        manager = _filled(home)
        tip = str(TURNS)
        ratios = []
        for _ in range(4 * runs):
            new, again = (asyncio.run(_admit(manager, tip, cell)) for cell in ("new", "cell 3"))
            ratios.append(again / new)
        return [
            Figure(
                f"admission of turn 3 again in {TURNS:,} turns, against a new one",
                sample(ratios, "{:.2f} ×"),
                at_most=1.1,
            )
        ]


def _filled(home: str) -> SessionManager:
    """Return a manager with a session of one long path, each turn from a cell of its own."""
    from sessionmagic import Models, SessionManager, TinyStore

    manager = SessionManager(TinyStore(home), Models("test"))
    manager.run_sync(PROMPT, session="long")
    [first] = (session := manager.sessions.load("long")).turns
    turns = [
        replace(first, id=str(number), parent=str(number - 1) if number > 1 else None, cell_id=f"cell {number}")
        for number in range(1, TURNS + 1)
    ]
    manager.store.update(
        session.id, lambda stored: replace(stored, turns=tuple(turns), head=turns[-1].id, turns_started=TURNS)
    )
    return manager


async def _admit(manager: SessionManager, tip: str, cell: str) -> float:
    """Admit a turn on the whole path, and return how many seconds that took."""
    from sessionmagic import Cell

    manager.branches.move_head("long", tip)
    started = time.perf_counter()
    turn = await manager.run(PROMPT, session="long", cell=Cell(id=cell))
    seconds = time.perf_counter() - started
    await turn.result()
    return seconds
