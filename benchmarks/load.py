"""The time of ``%load_ext sessionmagic`` in a kernel, where IPython is already imported, and of ``import chatlas``.

Imports may go on in the background afterwards; ``status`` measures how long the first cell waits for them.
"""

from __future__ import annotations

from benchmarks.figures import Figure, Sample, not_measured, sample
from benchmarks.kernel import Kernel
from benchmarks.subjects import CHATLAS

TIMED = """
import time as _time
_start, _cpu = _time.perf_counter(), _time.process_time()
{line}
_took = _time.perf_counter() - _start
_time.sleep(1)
print(_took * 1000, (_time.process_time() - _cpu) * 1000)
"""


def measure(runs: int) -> list[Figure]:
    ours = _timed("%load_ext sessionmagic", runs)
    chatlas = (not_measured(CHATLAS.missing),) * 2 if CHATLAS.missing else _timed("import chatlas", runs)
    return [
        Figure("%load_ext, ms", ours[0], at_most=50, chatlas=chatlas[0]),
        Figure("%load_ext and the second after it, CPU ms", ours[1], chatlas=chatlas[1]),
    ]


def _timed(line: str, runs: int) -> tuple[Sample, Sample]:
    times = []
    for _ in range(runs + 1):
        with Kernel("") as kernel:
            times.append([float(value) for value in kernel.run(TIMED.format(line=line)).stdout.split()])
    wall, cpu = zip(*times[1:], strict=True)  # the first run may have compiled bytecode
    return sample(wall, "{:.0f}"), sample(cpu, "{:.0f}")
