"""What a session costs that gets longer: writing one turn, loading, listing, and the memory of a turn among images."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Sample, sample
from benchmarks.long_session import append_turn, fill, fill_with_images, manager_on

if TYPE_CHECKING:
    from collections.abc import Callable

LENGTHS = (10, 1_000, 5_000, 20_000)
LOADED = (1_000, 20_000)
IMAGES = 10
LARGE_IMAGES = 43
"""Images of 3.5 MB that make a file of 200 MB."""
FILL = """
import sys
from pathlib import Path
from benchmarks.long_session import fill_with_images
fill_with_images(Path(sys.argv[1]), int(sys.argv[2]))
"""
TURN = """
import resource, sys
from pathlib import Path
from benchmarks.long_session import NAME, PROMPT, manager_on
manager_on(Path(sys.argv[1])).run_sync(PROMPT, session=NAME)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6))
"""


def writing(runs: int) -> list[Figure]:
    """Write turns to sessions of all lengths alternately."""
    makes: dict[str, Callable[[Path], str]] = {
        f"{length:,} turns": partial(fill, turns=length) for length in LENGTHS
    } | {f"{IMAGES} images": partial(fill_with_images, images=IMAGES)}
    with TemporaryDirectory(prefix="benchmark-") as home:
        writes = {what: _writer(Path(home, str(number)), make) for number, (what, make) in enumerate(makes.items())}
        times: dict[str, list[float]] = {what: [] for what in writes}
        for number in range(4 * runs + 2):
            for what, write in writes.items():
                took = _milliseconds(partial(write, number))
                if number > 1:  # the first ones read the session
                    times[what].append(took)
    figures = [Figure(f"writing one turn, {what}, ms", sample(times[what], "{:.2f}")) for what in times]
    shortest, *_, longest, images = (median(each) for each in times.values())
    return [
        *figures,
        _ratio(f"the same, {LENGTHS[-1]:,} turns against {LENGTHS[0]}", longest / shortest),
        _ratio(f"the same, {IMAGES} images of 3.5 MB against none", images / shortest),
    ]


def _writer(home: Path, make: Callable[[Path], str]) -> Callable[[int], None]:
    session_id, manager = make(home), manager_on(home)
    return partial(append_turn, manager, session_id)


def _ratio(what: str, ratio: float) -> Figure:
    return Figure(what, Sample((ratio,), "{:.2f} ×"), at_most=2.0)


def loading(runs: int) -> list[Figure]:
    return [_load(length, 2 * runs) for length in LOADED]


def _load(length: int, runs: int) -> Figure:
    with TemporaryDirectory(prefix="benchmark-") as home:
        session_id = fill(Path(home), length)
        loads = [_milliseconds(partial(manager_on(Path(home)).store.load, session_id)) for _ in range(runs + 1)]
    return Figure(f"loading {length:,} turns for the first time, ms", sample(loads[1:], "{:.0f}"))


def listing(runs: int) -> list[Figure]:
    """List one session that has changed since the last listing, in a process that has not read it."""
    length, times = LENGTHS[2], []
    with TemporaryDirectory(prefix="benchmark-") as home:
        session_id = fill(Path(home), length)
        for number in range(4 * runs + 1):
            append_turn(manager_on(Path(home)), session_id, number)
            times.append(_milliseconds(manager_on(Path(home)).sessions.summaries))
    return [Figure(f"a listing after a turn in {length:,} turns, ms", sample(times[1:], "{:.0f}"))]


def memory(_runs: int) -> list[Figure]:
    with TemporaryDirectory(prefix="benchmark-") as home:
        _in_process(FILL, home, str(LARGE_IMAGES))
        peak = float(_in_process(TURN, home).split()[-1])
    return [Figure("peak memory of a turn, 200 MB of images", sample([peak], "{:.2f} GB"), at_most=0.6)]


def _in_process(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


PARTS = {"writing": writing, "loading": loading, "listing": listing, "memory": memory}
