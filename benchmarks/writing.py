"""Writing one turn to a session and loading one, at any length. For ``--against``."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, sample
from benchmarks.long_session import append_turn, fill, fill_with_images, manager_on

if TYPE_CHECKING:
    from collections.abc import Callable

LENGTHS = (10, 1_000, 5_000, 20_000)
IMAGES = 10


def _write(what: str, make: Callable[[Path], str], times: int, runs: int) -> list[Figure]:
    with TemporaryDirectory(prefix="benchmark-") as home:
        session_id = make(Path(home))
        manager = manager_on(Path(home))
        append_turn(manager, session_id, 0)  # reads the session
        return [
            Figure(
                f"writing one turn, {what}, ms",
                sample([_milliseconds(partial(append_turn, manager, session_id, n + 1)) for n in range(times * runs)]),
            )
        ]


def _load(turns: int, runs: int) -> list[Figure]:
    with TemporaryDirectory(prefix="benchmark-") as home:
        session_id = fill(Path(home), turns)
        loads = [_milliseconds(partial(manager_on(Path(home)).store.load, session_id)) for _ in range(3 * runs)]
        return [Figure(f"loading {turns:,} turns, ms", sample(loads))]


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def _filled(turns: int) -> Callable[[Path], str]:
    return lambda home: fill(home, turns)


PARTS = {
    **{
        f"{turns:,} turns": partial(_write, f"{turns:,} turns", _filled(turns), 20 if turns <= 1_000 else 3)
        for turns in LENGTHS
    },
    "with images": partial(_write, f"{IMAGES} images of 3.5 MB", lambda home: fill_with_images(home, IMAGES), 10),
    **{f"loading {turns:,} turns": partial(_load, turns) for turns in (1_000, 20_000)},
}


def measure(runs: int) -> list[Figure]:
    return [figure for part in PARTS.values() for figure in part(runs)]
