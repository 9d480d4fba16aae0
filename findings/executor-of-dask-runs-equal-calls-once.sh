#!/usr/bin/env bash
# distributed 2026.8.0: `Client.get_executor()` is a concurrent.futures executor that makes equal calls once.
#
# Surprising: five times `executor.submit(draw)`, where `draw` returns a random number, is five futures with one number,
# and `executor.map` over equal arguments returns copies of one draw. The executor passes on what `Client.submit` assumes:
# that functions are pure, so that function and arguments are the key of a result. Code that was written for a thread pool
# (repeats of a simulation, or of one prompt to a model) runs, and reports no spread. `get_executor(pure=False)` calls
# each time. A good guess is the contract of `concurrent.futures`: one call for each submit.
#
# Source: `pure` in the documentation of `Client.submit`; behaviour seen with the calls below.
# What follows here: each call of comparing/asking has an argument that no other call has.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet distributed==2026.8.0 dask==2026.8.0
cat >"$folder/seen.py" <<'PYTHON'
import random
import sys
from concurrent.futures import ThreadPoolExecutor

from distributed import Client


def draw(lowest):
    return random.uniform(lowest, 1)


def different(executor):
    futures = [executor.submit(draw, 0) for _ in range(5)]
    submitted = {future.result() for future in futures}
    return len(submitted), len(set(executor.map(draw, [0] * 5)))


with Client(processes=False, n_workers=1, dashboard_address=None) as client:
    seen = {
        "thread pool": different(ThreadPoolExecutor()),
        "get_executor()": different(client.get_executor()),
        "get_executor(pure=False)": different(client.get_executor(pure=False)),
    }
for name, (submitted, mapped) in seen.items():
    print(f"{name}: {submitted} different numbers of 5 submits, {mapped} of a map")
sys.exit(0 if list(seen.values()) == [(5, 5), (1, 1), (5, 5)] else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
