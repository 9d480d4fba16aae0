"""One local model for ten kernels: its memory in all beside that of a kernel with a model of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from benchmarks.figures import Figure, not_measured, sample
from benchmarks.kernel import Kernel, environment

KERNELS = 10
VARIABLE = "SESSIONMAGIC_LOCAL_SERVER"
LOAD = "%load_ext sessionmagic\n%config AgentMagics.kernel_tools = False"
TEST = "%%agent -m test -s warm\nhi"
ASK = "%%agent -m local --set max_tokens=8 seed=1\nSay hi"
WARM = "import time; time.sleep(8)\nfrom sessionmagic.keys.shapes import scanner; scanner()"
"""Lets the kernel import what it imports for every model: after its first cells, and to look for keys in answers."""
MEMORY = "import psutil; print(psutil.Process().memory_full_info().pss)"


def measure(runs: int) -> list[Figure]:  # noqa: ARG001  one run takes a minute and hardly varies
    what = f"memory of the local model in a server and {KERNELS} kernels, times that in one kernel"
    if find_spec("xllamacpp") is None:
        return [Figure(what, not_measured("xllamacpp is not installed"))]
    with Kernel("") as kernel:
        own = _grown(kernel)
    with TemporaryDirectory(prefix="benchmark-") as home, ExitStack() as stack:
        file = Path(home, "server.json")
        command = [sys.executable, "-m", "sessionmagic", "serve", "--file", str(file)]
        server = subprocess.Popen(command, env=environment(home), stdout=subprocess.PIPE, text=True)
        stack.callback(server.terminate)
        assert server.stdout is not None
        [server.stdout.readline() for _ in range(2)]
        os.environ[VARIABLE] = str(file)
        stack.callback(os.environ.pop, VARIABLE)
        kernels = [stack.enter_context(Kernel("")) for _ in range(KERNELS)]
        with ThreadPoolExecutor(KERNELS) as pool:
            grown = list(pool.map(_grown, kernels))
        shared = psutil.Process(server.pid).memory_full_info().pss + sum(grown)
    note = f"= {shared / 1e6:,.0f} MB : {own / 1e6:,.0f} MB"
    return [Figure(what, sample([shared / own], "{:.2f} ×", note), at_most=1.5)]


def _grown(kernel: Kernel) -> int:
    """Return by how many bytes a kernel grows when it asks the local model for the first time."""
    kernel.run(LOAD)
    kernel.run(TEST)
    kernel.run(WARM)
    before = int(kernel.run(MEMORY).stdout)
    kernel.run(ASK)
    return int(kernel.run(MEMORY).stdout) - before
