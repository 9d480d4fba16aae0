"""The first cell of a kernel beside the second: five seconds after ``%load_ext``, and at once. For ``--against``."""

from __future__ import annotations

import time
from functools import partial

from benchmarks.figures import Figure, sample
from benchmarks.kernel import Kernel
from benchmarks.server import Server
from benchmarks.subjects import OURS

MODEL = "markdown-40"


def _first(when: str, seconds: float, runs: int) -> list[Figure]:
    pairs = []
    with Server() as server:
        for _ in range(runs + 1):
            with Kernel(server.url, OURS) as kernel:
                time.sleep(seconds)
                pairs.append((kernel.ask(MODEL).wall, kernel.ask(MODEL).wall))
    del pairs[0]  # it may have compiled bytecode
    return [
        Figure(f"first cell {when}, s", sample([first for first, _ in pairs], "{:.2f}")),
        Figure(f"second cell, after a first one {when}, s", sample([second for _, second in pairs], "{:.3f}")),
        Figure(f"first cell {when}, of the second", sample([one / two for one, two in pairs], "{:.1f} ×")),
    ]


PARTS = {"later": partial(_first, "5 s after %load_ext", 5), "at once": partial(_first, "at once", 0)}


def measure(runs: int) -> list[Figure]:
    return [figure for part in PARTS.values() for figure in part(runs)]
