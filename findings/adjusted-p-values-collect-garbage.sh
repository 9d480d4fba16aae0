#!/usr/bin/env bash
# statsmodels 0.15.0: multipletests collects the garbage of the whole process with each call.
#
# Surprising: it adjusts three numbers, and calls gc.collect() on its way. In a kernel that holds a million objects this
# takes a tenth of a second and more, so that a loop over it (a simulation, a test for each column) takes minutes.
#
# Source: multipletests in statsmodels/stats/multitest.py; behaviour seen with the calls below.
# What follows here: comparing/intervals does not call it for a single pair, and simulations make gc.collect do nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "statsmodels==0.15.0"
cat >"$folder/seen.py" <<'PYTHON'
import gc
import sys
import time

from statsmodels.stats.multitest import multipletests

collections = []
gc.callbacks.append(lambda phase, facts: phase == "start" and collections.append(facts["generation"]))
held = [[] for _ in range(1_000_000)]
collections.clear()
started = time.perf_counter()
for _ in range(20):
    multipletests([0.01, 0.02, 0.03], method="holm")
print(f"{collections.count(2)} full collections in 20 calls, {(time.perf_counter() - started) * 50:.0f} ms a call")
sys.exit(0 if collections.count(2) >= 20 else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
