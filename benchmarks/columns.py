"""A comparison of three models beside the slowest of them alone: the time, and what is sent to the page."""

from __future__ import annotations

from itertools import count

from benchmarks.figures import Figure, sample
from benchmarks.kernel import Kernel, Run
from benchmarks.server import Server
from benchmarks.subjects import OURS

ALONE = "paced-600"
OTHERS = ("paced-300", "paced-500")
"""Their answers take a third of the time less, or more of it."""

_number = count(1)


def measure(runs: int) -> list[Figure]:
    with Server() as server, Kernel(server.url, OURS) as kernel:
        _compared(kernel)
        pairs = [(_compared(kernel), kernel.ask(ALONE)) for _ in range(2 * runs)]
    times = [together.wall / alone.wall for together, alone in pairs]
    columns = 1 + len(OTHERS)
    sent = [together.content_bytes / (columns * alone.content_bytes) for together, alone in pairs]
    return [
        Figure("three columns against the slowest alone", sample(times, "{:.2f} ×"), at_most=1.1),
        Figure("bytes sent for three columns, against three times one turn's", sample(sent, "{:.2f} ×"), at_most=1.0),
    ]


def _compared(kernel: Kernel) -> Run:
    models = " ".join(f"bench:{model}" for model in (*OTHERS, ALONE))
    return kernel.run(f"%%agent --compare {models} -s columns-{next(_number)}\nWhat spoils a churn model?")
