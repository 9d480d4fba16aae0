"""The first cells of a kernel: beside later ones, and plain Python cells beside those of a kernel without us."""

from __future__ import annotations

import time
from statistics import median

from benchmarks.figures import Figure, sample
from benchmarks.kernel import Kernel
from benchmarks.server import Server

PAUSE_SECONDS = 5.0
"""What a user needs to write the first cell."""
LATER = 3
CELL = "%%agent -s benchmark\nWhat spoils a churn model?"
PLAIN = "sum(i * i for i in range(3_000_000))"
LITTLE = "1 + 1"


def measure(runs: int) -> list[Figure]:
    with Server() as server:
        models = {"test model": "test", "scripted server": "bench:markdown-50"}
        setups = {name: _setup(server.url, model) for name, model in models.items()}
        for setup in setups.values():
            _first(setup, 0)  # compiles bytecode
        figures = [figure for name, setup in setups.items() for figure in _agent_cells(name, setup, runs)]
    return [*figures, *_plain_cells(runs)]


def _setup(url: str, model: str) -> str:
    return (
        "%load_ext sessionmagic\n"
        f'%config AgentMagics.endpoints = {{"bench": "{url}"}}\n'
        f'%config AgentMagics.model = "{model}"\n'
        "%config AgentMagics.kernel_tools = False"  # the test model would call them, and wait for approval
    )


def _agent_cells(name: str, setup: str, runs: int) -> list[Figure]:
    written = [_first(setup, PAUSE_SECONDS) for _ in range(runs)]
    at_once = [_first(setup, 0) for _ in range(runs)]
    return [
        Figure(
            f"first %%agent {PAUSE_SECONDS:.0f} s after %load_ext, times the next ones, {name}",
            sample([first / later for first, later in written], "{:.1f}"),
            at_most=2,
        ),
        Figure(f"the same, ms, {name}", sample([first * 1000 for first, _ in written], "{:.0f}")),
        Figure(
            f"first %%agent at once after %load_ext, ms, {name}",
            sample([first * 1000 for first, _ in at_once], "{:.0f}"),
        ),
    ]


def _first(setup: str, pause: float) -> tuple[float, float]:
    """Return the seconds of the first cell, and the median of those that follow."""
    with Kernel("") as kernel:
        kernel.run(setup)
        time.sleep(pause)
        first = kernel.run(CELL).wall
        return first, median(kernel.run(CELL).wall for _ in range(LATER))


def _plain_cells(runs: int) -> list[Figure]:
    ratios, waits = [], []
    for _ in range(runs):
        ours, without = _plain("%load_ext sessionmagic"), _plain("import ipywidgets")
        ratios.append(ours / without)
        waits.append(_longest_wait())
    return [
        Figure(
            "plain Python cell at once after %load_ext, times that without us", sample(ratios, "{:.2f}"), at_most=1.2
        ),
        Figure("longest plain Python cell of those run now and then after %load_ext, ms", sample(waits, "{:.0f}")),
    ]


def _plain(setup: str) -> float:
    with Kernel("") as kernel:
        kernel.run(setup)
        return median(kernel.run(PLAIN).wall for _ in range(LATER))


def _longest_wait() -> float:
    """Return the milliseconds of the longest little cell, when one comes every 0.4 s while things are imported."""
    with Kernel("") as kernel:
        kernel.run("%load_ext sessionmagic")
        walls = []
        for _ in range(12):
            time.sleep(0.4)
            walls.append(kernel.run(LITTLE).wall)
        return max(walls) * 1000
